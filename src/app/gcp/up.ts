/** `kiln up`, `plan`, `status` and `destroy` on Google Cloud. */
import { applyPlan } from '../../engine/apply.ts'
import type { ApplyResult } from '../../engine/apply.ts'
import { planDestroy } from '../../engine/destroy.ts'
import { acquireLease } from '../../engine/lease.ts'
import { planStack } from '../../engine/plan.ts'
import type { Address, Plan } from '../../engine/types.ts'
import { loadStack } from '../../config/load.ts'
import { closureOf } from '../stack/part.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { serviceKind } from '../../resources/service/provider.ts'
import { statusOf } from '../status.ts'
import type { StatusResult } from '../status.ts'
import { finishUp } from '../up.ts'
import type { UpResult, VerbOptions } from '../up.ts'
import { repositorySettings, setUpRepository } from './github.ts'
import { isOwnedByTerraform } from './owned-kind.ts'
import { imageLink, planGoogle, requireAsShown } from './plan.ts'
import type { GooglePlan } from './plan.ts'
import { openGoogleSession } from './session.ts'
import type { GoogleSession } from './session.ts'
import { ensureStateBucket, removeStateBucket, stateBucketExists } from './state-bucket.ts'

/** What the state bucket and Terraform's first reads need. Terraform's component `apis` looks after them too: enabling twice is enabling once. */
const firstApis = ['serviceusage.googleapis.com', 'cloudresourcemanager.googleapis.com', 'storage.googleapis.com'] as const

/**
 * Brings the stack to what its config says, on Google Cloud. Safe to repeat; goes on where it stopped.
 * @throws KilnError E_PREFLIGHT before anything is changed; E_LOCKED, E_STATE_LOCKED; E_PLAN_STALE; E_APPLY; E_NOT_HEALTHY; of config and package
 */
export async function up(options: VerbOptions): Promise<UpResult> {
  const startedAt = performance.now()
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'up')
  try {
    const session = await openGoogleSession(options)
    try {
      const planned = await planGoogle(session)
      await options.onPlan?.(planned.plan)
      const { changes, result } = await carryOut(session, planned, options)
      const settings = repositorySettings(stack.config, result.attributes, process.env)
      if (settings !== undefined) await setUpRepository(settings, process.env, options.note)
      return await finishUp(session.base, { ...result, changes }, startedAt, options)
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

/** The order of the whole: project, state, what publishing needs, wheels and images, infrastructure, releases. */
async function carryOut(session: GoogleSession, planned: GooglePlan, options: VerbOptions): Promise<{ readonly changes: number; readonly result: ApplyResult }> {
  const { base, terraform } = session
  const module = session.module(planned.images)
  let changes = 0
  let { whole, first } = planned
  if (whole === undefined) {
    changes += (await applyPart(session, ['project', 'billing'])).changes
    await prepareState(session, options)
    await terraform.init(module)
    first = planned.bakes ? await terraform.plan(module, { targets: session.files.base }) : undefined
    if (first !== undefined) requireAsShown(planned.infrastructure, first.nodes)
    whole = planned.bakes ? undefined : await terraform.plan(module)
    if (whole !== undefined) requireAsShown(planned.infrastructure, whole.nodes)
  } else await prepareState(session, options)
  if (first !== undefined) changes += (await terraform.apply(first)).changes
  if (planned.bakes) {
    const part = await applyPart(session, ['python-package', 'image'])
    changes += part.changes
    const images = new Map([...planned.images.keys()].map((family) => [family, imageLink(base.name, String(part.attributes.get(`image/${family}`)?.['name']))]))
    whole = await terraform.plan(session.module(images))
    requireAsShown(planned.infrastructure, whole.nodes)
  }
  if (whole !== undefined) changes += (await terraform.apply(whole)).changes
  // What was planned before Terraform ran is looked at again: releases refer to what it made.
  const result = await applyPlan(base.engine, await planStack(base.engine, base.desired))
  return { changes: changes + result.changes, result }
}

/** The direct engine's resources of these kinds, with what they stand on. */
async function applyPart({ base }: GoogleSession, kinds: readonly string[]): Promise<ApplyResult> {
  const addresses: readonly Address[] = base.desired.filter((resource) => kinds.includes(resource.kind)).map((resource) => resource.address)
  const planned = await planStack(base.engine, closureOf(base.desired, addresses))
  // what this part does not need is not its own to remove
  const nodes = planned.plan.nodes.filter((node) => node.action !== 'delete' && node.action !== 'forget')
  return applyPlan(base.engine, { ...planned, plan: { ...planned.plan, nodes } })
}

async function prepareState(session: GoogleSession, { signal, note }: VerbOptions): Promise<void> {
  const context = { clients: session.clients, signal, progress: { note } }
  for (const service of firstApis) {
    const props = serviceKind.parse({ projectId: session.base.name, service })
    if ((await serviceKind.observe(context, serviceKind.identity(props))) === undefined) await serviceKind.create(context, props)
  }
  const did = await ensureStateBucket(session.clients, session.bucket, signal)
  if (did !== 'unchanged') note(`${did === 'made' ? 'made' : 'put right'} the bucket of Terraform's state, gs://${session.bucket.name}`)
}

/** What `up` would do. Writes the files of `ops/`, changes nothing on Google. */
export async function plan(options: VerbOptions): Promise<Plan> {
  const session = await openGoogleSession(options)
  try {
    return (await planGoogle(session)).plan
  } finally {
    session.close()
  }
}

/** What is there, compared with the config. */
export async function status(options: VerbOptions): Promise<StatusResult> {
  const session = await openGoogleSession(options)
  try {
    const planned = await planGoogle(session)
    return await statusOf(session.base, planned.plan.nodes, options)
  } finally {
    session.close()
  }
}

/**
 * Removes what was made for the stack: Terraform's part, its state's bucket, then images and wheels, and the project if Kiln made it.
 * @throws KilnError E_APPLY with what could not be removed; run again to go on
 */
export async function destroy(options: VerbOptions): Promise<{ readonly removed: number; readonly plan: Plan }> {
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'destroy')
  try {
    const session = await openGoogleSession(options)
    try {
      const { base, terraform } = session
      const module = session.module(new Map())
      const hasState = await stateBucketExists(session.clients, session.bucket, options.signal)
      if (hasState) await terraform.init(module)
      const infrastructure = hasState ? await terraform.plan(module, { destroy: true }) : undefined
      const direct = planDestroy(base.engine)
      const ours = direct.plan.nodes.filter((node) => !isOwnedByTerraform(node.kind, resourceKinds))
      const whole = { stack: base.name, nodes: [...(infrastructure?.nodes ?? []), ...ours] }
      await options.onPlan?.(whole)
      const removed = infrastructure === undefined ? 0 : (await terraform.apply(infrastructure)).changes
      // before the project, which takes the bucket with it; nothing is left that its state could tell of
      if (await removeStateBucket(session.clients, session.bucket, options.signal)) options.note(`removed the bucket of Terraform's state, gs://${session.bucket.name}`)
      const result = await applyPlan(base.engine, direct)
      return { removed: removed + result.changes, plan: whole }
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}
