/**
 * One plan of two engines. Terraform plans the infrastructure, the direct engine what Kiln does itself: project and billing before, wheels and
 * images in the middle, releases after. What is shown is what is done: a plan that has to be made again, since an image was baked or the project
 * made meanwhile, is compared with the one that was shown, and refused when it would do anything else.
 */
import { KilnError } from '../../base/errors.ts'
import { planStack } from '../../engine/plan.ts'
import { isRemoval } from '../../engine/removals.ts'
import type { PlannedStack } from '../../engine/engine.ts'
import type { Address, Plan, PlanNode } from '../../engine/types.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import type { ModulePlan } from '../../terraform/driver.ts'
import { withLocalState } from './files.ts'
import { beforeTerraform, isOwnedByTerraform } from './owned-kind.ts'
import { targetsOf } from './scope.ts'
import type { Scope } from './scope.ts'
import type { GoogleSession } from './session.ts'
import { stateBucketExists } from './state-bucket.ts'

export interface GooglePlan {
  /** Everything that will be done, in order. */
  readonly plan: Plan
  readonly direct: PlannedStack
  /** Images by family, as Terraform's variables have them. */
  readonly images: ReadonlyMap<string, string>
  /** What publishing and baking need; undefined when it is there, or nothing is baked. */
  readonly first: ModulePlan | undefined
  /** All of the infrastructure; undefined before there is a place for its state. */
  readonly whole: ModulePlan | undefined
  /** The infrastructure's part of `plan`. */
  readonly infrastructure: readonly PlanNode[]
  /** Something is made between the two runs of Terraform, so that its plan is made again afterwards. */
  readonly waits: boolean
}

const own = (node: PlanNode): boolean => !isOwnedByTerraform(node.kind, resourceKinds)
const isChange = (node: PlanNode): boolean => node.action !== 'noop'
/** What Kiln makes when a part of the infrastructure is there, and before the rest is: VMs begin with images, and read secrets. */
export const inBetween: ReadonlySet<string> = new Set(['python-package', 'image', 'secret-version'])

/** Reads what is there and plans. Changes nothing on Google. */
export async function planGoogle(session: GoogleSession, scope: Scope): Promise<GooglePlan> {
  const direct = withBakes(await planStack(session.base.engine, scope.desired))
  const ours = direct.plan.nodes.filter((node) => own(node) && (scope.targets === undefined || !isRemoval(node)))
  const waits = ours.some((node) => inBetween.has(node.kind) && isChange(node))
  const images = plannedImages(direct)
  const hasState = await stateBucketExists(session.clients, session.bucket, session.base.engine.signal)
  const { whole, first, infrastructure } = hasState
    ? await planWithState(session, scope, images, waits)
    : { ...(await preview(session, scope, images)), whole: undefined, first: undefined }
  const isBase = (node: PlanNode): boolean => session.files.base.includes(`module.${node.address.split('/')[0] ?? ''}`)
  const nodes = [
    ...ours.filter((node) => beforeTerraform.has(node.kind)),
    ...infrastructure.filter(isBase),
    ...ours.filter((node) => inBetween.has(node.kind)),
    ...infrastructure.filter((node) => !isBase(node)),
    ...ours.filter((node) => !beforeTerraform.has(node.kind) && !inBetween.has(node.kind)),
  ]
  return { plan: { stack: session.base.name, nodes }, direct, images, first, whole, infrastructure, waits }
}

/**
 * An image is another one when the wheel in it, or the image below it, is: Terraform's plan must be made for that, or it would be another one after the
 * bake than the one that was shown.
 */
export function withBakes(direct: PlannedStack): PlannedStack {
  const changing = new Set(direct.plan.nodes.filter((node) => node.kind === 'python-package' && isChange(node)).map((node) => node.address))
  const nodes = direct.plan.nodes.map((node): PlanNode => {
    if (node.kind !== 'image' || isRemoval(node)) return node
    const because = node.after.find((address) => changing.has(address))
    if (because === undefined && (!isChange(node) || keepsImage(node))) return node
    changing.add(node.address)
    return isChange(node) && !keepsImage(node) ? node : { ...node, action: 'update', reasons: [...node.reasons, `baked when ${because ?? ''} is there`], differences: [] }
  })
  return { ...direct, plan: { ...direct.plan, nodes } }
}

async function planWithState(
  session: GoogleSession,
  scope: Scope,
  images: ReadonlyMap<string, string>,
  waits: boolean,
): Promise<Pick<GooglePlan, 'whole' | 'first' | 'infrastructure'>> {
  const module = session.module(images, scope.dev)
  await session.terraform.init(module)
  const whole = await session.terraform.plan(module, targetsOf(scope))
  const first = waits && session.files.base.length > 0 ? await session.terraform.plan(module, { targets: session.files.base }) : undefined
  return { whole, first: first?.empty === true ? undefined : first, infrastructure: whole.nodes }
}

/** Before there is a state everything is new. */
async function preview(session: GoogleSession, scope: Scope, images: ReadonlyMap<string, string>): Promise<Pick<GooglePlan, 'infrastructure'>> {
  return withLocalState(session.files.dir, async () => {
    const module = session.previewModule(images, scope.dev)
    await session.terraform.init(module)
    return { infrastructure: (await session.terraform.plan(module, targetsOf(scope))).nodes }
  })
}

/** The image of each family: the one that is there, or one that is told apart from it when a new one will be baked. */
function plannedImages(direct: PlannedStack): ReadonlyMap<string, string> {
  return new Map(
    direct.plan.nodes
      .filter((node) => node.kind === 'image' && !isRemoval(node))
      .map((node) => {
        const family = String(direct.desired.get(node.address)?.props['family'])
        const project = String(direct.desired.get(node.address)?.props['projectId'])
        const name = isChange(node) && !keepsImage(node) ? `${family}-to-be-baked` : String(direct.observed.get(node.address)?.['name'])
        return [family, imageLink(project, name)] as const
      }),
  )
}

/** Only what a stopped run left is put right: the image itself stays. */
function keepsImage(node: PlanNode): boolean {
  return node.action === 'update' && node.differences.length > 0 && node.differences.every((difference) => difference.path === 'older images')
}

/** As Terraform's variables name an image. */
export function imageLink(project: string, name: string): string {
  return `projects/${project}/global/images/${name}`
}

/**
 * Refuses a plan that would do what was not shown. Doing less is fine: it was done meanwhile.
 * @throws KilnError E_PLAN_STALE that lists it
 */
export function requireAsShown(shown: readonly PlanNode[], now: readonly PlanNode[]): void {
  const actions = new Map<Address, PlanNode['action']>(shown.map((node) => [node.address, node.action]))
  const news = now.filter((node) => isChange(node) && actions.get(node.address) !== node.action)
  if (news.length === 0) return
  throw new KilnError('E_PLAN_STALE', `${news.length} changes are not those that were shown: ${news.slice(0, 3).map(described).join('; ')}${news.length > 3 ? ' …' : ''}`, {
    hint: 'run the same command again and look at the new plan; what was done is kept',
    detail: news.map(described).join('\n'),
  })
}

function described(node: PlanNode): string {
  return `${node.action} ${node.address}${node.reasons.length === 0 ? '' : ` (${node.reasons.slice(0, 3).join('; ')})`}`
}
