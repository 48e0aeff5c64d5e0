/** `kiln up`, `plan`, `status` and `destroy` on Google Cloud. */
import { applyPlan } from '../../engine/apply.ts'
import { planDestroy } from '../../engine/destroy.ts'
import { acquireLease } from '../../engine/lease.ts'
import type { Plan } from '../../engine/types.ts'
import { loadStack } from '../../config/load.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { removeSecondGroup } from '../kinds/release-remains.ts'
import { statusOf } from '../status.ts'
import type { StatusResult } from '../status.ts'
import { finishUp } from '../up.ts'
import type { UpResult, VerbOptions } from '../up.ts'
import { carryOut } from './carry-out.ts'
import { repositorySettings, setUpRepository } from './github.ts'
import { isOwnedByTerraform } from './owned-kind.ts'
import { planGoogle } from './plan.ts'
import { wholeStack } from './scope.ts'
import { openGoogleSession } from './session.ts'
import { removeStateBucket, stateBucketExists } from './state-bucket.ts'

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
      const scope = await wholeStack(session)
      const planned = await planGoogle(session, scope)
      await options.onPlan?.(planned.plan)
      const { changes, result } = await carryOut(session, scope, planned, options)
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

/** What `up` would do. Writes the files of `ops/`, changes nothing on Google. */
export async function plan(options: VerbOptions): Promise<Plan> {
  const session = await openGoogleSession(options)
  try {
    return (await planGoogle(session, await wholeStack(session))).plan
  } finally {
    session.close()
  }
}

/** What is there, compared with the config. */
export async function status(options: VerbOptions): Promise<StatusResult> {
  const session = await openGoogleSession(options)
  try {
    const planned = await planGoogle(session, await wholeStack(session))
    return await statusOf(session.base, planned.plan.nodes, planned.direct.observed, options)
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
      const module = session.module(new Map(), { isThere: false, image: undefined })
      const hasState = await stateBucketExists(session.clients, session.bucket, options.signal)
      if (hasState) await terraform.init(module)
      const infrastructure = hasState ? await terraform.plan(module, { destroy: true }) : undefined
      const direct = planDestroy(base.engine)
      const ours = direct.plan.nodes.filter((node) => !isOwnedByTerraform(node.kind, resourceKinds))
      const whole = { stack: base.name, nodes: [...(infrastructure?.nodes ?? []), ...ours] }
      await options.onPlan?.(whole)
      // no engine knows the second group of blue/green, and it uses what Terraform takes down
      const { serving } = base
      if (serving !== undefined) await removeSecondGroup({ clients: session.clients, signal: options.signal, progress: { note: options.note } }, serving.projectId, serving.name)
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
