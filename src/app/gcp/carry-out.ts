/** A plan on Google Cloud, carried out in order: project, state, what publishing needs, wheels, images and values of secrets, infrastructure, releases. */
import { applyPlan } from '../../engine/apply.ts'
import type { ApplyResult } from '../../engine/apply.ts'
import type { PlannedStack } from '../../engine/engine.ts'
import { planStack } from '../../engine/plan.ts'
import { withoutRemovals } from '../../engine/removals.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { serviceKind } from '../../resources/service/provider.ts'
import { throwReleaseError } from '../delivery/failures.ts'
import { closureOf } from '../stack/part.ts'
import type { VerbOptions } from '../up.ts'
import { beforeTerraform } from './owned-kind.ts'
import { imageLink, inBetween, requireAsShown } from './plan.ts'
import type { GooglePlan } from './plan.ts'
import { targetsOf } from './scope.ts'
import type { Scope } from './scope.ts'
import type { GoogleSession } from './session.ts'
import { ensureStateBucket } from './state-bucket.ts'

/** What the state bucket and Terraform's first reads need. Terraform's component `apis` looks after them too: enabling twice is enabling once. */
const firstApis = ['serviceusage.googleapis.com', 'cloudresourcemanager.googleapis.com', 'storage.googleapis.com'] as const

export async function carryOut(
  session: GoogleSession,
  scope: Scope,
  planned: GooglePlan,
  options: VerbOptions,
): Promise<{ readonly changes: number; readonly result: ApplyResult }> {
  const { base, terraform } = session
  const module = session.module(planned.images, scope.dev)
  let changes = 0
  let { whole, first } = planned
  if (whole === undefined) {
    changes += (await applyPart(session, scope, beforeTerraform)).changes
    await prepareState(session, options)
    await terraform.init(module)
    first = planned.waits ? await terraform.plan(module, { targets: session.files.base }) : undefined
    if (first !== undefined) requireAsShown(planned.infrastructure, first.nodes)
    whole = planned.waits ? undefined : await terraform.plan(module, targetsOf(scope))
    if (whole !== undefined) requireAsShown(planned.infrastructure, whole.nodes)
  } else await prepareState(session, options)
  if (first !== undefined) changes += (await terraform.apply(first)).changes
  if (planned.waits) {
    const part = await applyPart(session, scope, inBetween)
    changes += part.changes
    const images = new Map([...planned.images.keys()].map((family) => [family, imageLink(base.name, String(part.attributes.get(`image/${family}`)?.['name']))]))
    whole = await terraform.plan(session.module(images, scope.dev), targetsOf(scope))
    requireAsShown(planned.infrastructure, whole.nodes)
  }
  if (whole !== undefined) changes += (await terraform.apply(whole)).changes
  // What was planned before Terraform ran is looked at again: releases refer to what it made.
  const result = await applyPlan(base.engine, withoutRest(await planStack(base.engine, scope.desired), scope)).catch(throwReleaseError)
  return { changes: changes + result.changes, result }
}

/** The direct engine's resources of these kinds, with what they stand on. */
async function applyPart({ base }: GoogleSession, { desired }: Scope, kinds: ReadonlySet<string>): Promise<ApplyResult> {
  const addresses = desired.filter((resource: DesiredResource) => kinds.has(resource.kind)).map((resource) => resource.address)
  return applyPlan(base.engine, withoutRemovals(await planStack(base.engine, closureOf(desired, addresses))))
}

/** A run over a part removes nothing. */
function withoutRest(planned: PlannedStack, { targets }: Scope): PlannedStack {
  return targets === undefined ? planned : withoutRemovals(planned)
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
