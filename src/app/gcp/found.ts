/**
 * What in the project says itself that it is the stack's: the labels that Kiln puts on what it makes, the families of images, the ledger's bucket. Terraform
 * finds its own part in its state, from every machine; of the rest only the inventory of the machine that ran `up` tells, so that `destroy` on another one reads this.
 * A thing without the stack's label is never counted, whatever its name.
 */
import { silentProgress } from '../../base/progress.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isPermissionDenied, orNothing } from '../../client/errors.ts'
import { labelValue, releasesBucketName, servingName } from '../../compile/names.ts'
import type { FoundThing } from '../../engine/destroy.ts'
import type { Address, DesiredResource, KindContext } from '../../engine/types.ts'
import { systemClock } from '../../release/clock.ts'
import { createLedger, currentRelease } from '../../release/ledger.ts'
import { bucketObjects } from '../../release/objects.ts'
import { billingKind } from '../../resources/billing/provider.ts'
import { identityProviderKind } from '../../resources/identity-provider/provider.ts'
import { projectKind } from '../../resources/project/provider.ts'
import type { ProjectAttributes } from '../../resources/project/schema.ts'
import { isOurs, stackLabel } from '../../resources/resource.ts'
import { secretKind } from '../../resources/secret/provider.ts'
import { secretVersionKind } from '../../resources/secret-version/provider.ts'
import { madeImages } from '../kinds/live-images.ts'
import { releaseTemplates } from '../kinds/release-remains.ts'

type Context = KindContext<Clients>
type Labels = Readonly<Record<string, string>> | null | undefined

/** A stack as it is looked for. */
export interface Wanted {
  readonly projectId: string
  readonly zone: string
  readonly desired: readonly DesiredResource[]
}

export interface FoundStack {
  readonly things: readonly FoundThing[]
  /** What has the stack's name or family and is not, or not all, known to be the stack's: it stays. */
  readonly unknown: readonly string[]
}

/** Reads only. Nothing is found in a project that is not there. @throws KilnError E_PERMISSION, E_API, E_NETWORK */
export async function findStack(clients: Clients, wanted: Wanted, signal: AbortSignal): Promise<FoundStack> {
  const { projectId } = wanted
  const context: Context = { clients, signal, progress: silentProgress }
  const stack = labelValue(projectId)
  const project = await projectKind.observe(context, { projectId })
  if (project === undefined) return { things: [], unknown: [] }
  const isTheirs = (labels: Labels): boolean => isOurs(labels) && labels?.[stackLabel] === stack
  const parts = await Promise.all([
    findProject(context, wanted, isTheirs(project.labels)),
    findSecrets(context, wanted, isTheirs),
    findProviders(context, wanted, isTheirs(project.labels)),
    findImages(context, projectId, isTheirs),
    findReleases(context, wanted, project, stack),
  ])
  // all that lies in the project goes before the project does
  const roots: readonly Address[] = [`billing/${projectId}`, `project/${projectId}`]
  const things = parts.flatMap((found) => found.things).map((thing) => (roots.includes(thing.address) ? thing : { ...thing, dependsOn: [...thing.dependsOn, ...roots] }))
  return { things, unknown: parts.flatMap((found) => found.unknown) }
}

function found(...things: readonly FoundThing[]): FoundStack {
  return { things, unknown: [] }
}

/** The project that the stack made; only its link to a billing account is known to be Kiln's then. */
async function findProject(context: Context, { projectId, desired }: Wanted, isTheirs: boolean): Promise<FoundStack> {
  if (!isTheirs) return found()
  const project: FoundThing = { address: `project/${projectId}`, kind: 'project', identity: { projectId }, dependsOn: [] }
  const isLinked = desired.some(({ kind }) => kind === 'billing') && (await billingKind.observe(context, { projectId })) !== undefined
  return found(project, ...(isLinked ? [{ ...project, address: `billing/${projectId}` as const, kind: 'billing', dependsOn: [project.address] }] : []))
}

/** Values in secrets that have the stack's label. */
async function findSecrets(context: Context, { desired }: Wanted, isTheirs: (labels: Labels) => boolean): Promise<FoundStack> {
  const things: FoundThing[] = []
  for (const { address, kind, props } of desired) {
    if (kind !== secretVersionKind.kind) continue
    const identity = secretVersionKind.identity(secretVersionKind.parse(props))
    const secret = await secretKind.observe(context, identity)
    if (isTheirs(secret?.labels) && (await secretVersionKind.observe(context, identity)) !== undefined) things.push({ address, kind, identity, dependsOn: [] })
  }
  return found(...things)
}

/** They have no labels: in a project that the stack did not make, one that is there may be anybody's. */
async function findProviders(context: Context, { desired }: Wanted, isTheirs: boolean): Promise<FoundStack> {
  const things: FoundThing[] = []
  for (const { address, kind, props } of desired) {
    if (kind !== identityProviderKind.kind) continue
    const identity = identityProviderKind.identity(identityProviderKind.parse(props))
    if ((await identityProviderKind.observe(context, identity)) !== undefined) things.push({ address, kind, identity, dependsOn: [] })
  }
  return isTheirs ? found(...things) : { things: [], unknown: things.map(({ address }) => address) }
}

/** Families whose images all have the stack's label, also those that the config does not have any more. */
async function findImages(context: Context, projectId: string, isTheirs: (labels: Labels) => boolean): Promise<FoundStack> {
  const all = (await orNothing(madeImages(context, projectId))) ?? []
  const familyOf = ({ labels }: (typeof all)[number]): string => labels?.['kiln-family'] ?? ''
  const others = new Set(all.filter(({ labels }) => !isTheirs(labels)).map(familyOf))
  const families = [...new Set(all.filter(({ labels }) => isTheirs(labels)).map(familyOf))]
  const things = families.map((family): FoundThing => ({ address: `image/${family}`, kind: 'image', identity: { projectId, family }, dependsOn: [] }))
  const isShared = ({ identity }: FoundThing): boolean => others.has(identity['family'] ?? '')
  return { things: things.filter((thing) => !isShared(thing)), unknown: things.filter(isShared).map(({ address }) => address) }
}

/** The ledger with what is in it, or what releases left when somebody removed it by hand. */
async function findReleases(context: Context, { projectId, zone }: Wanted, { projectNumber }: ProjectAttributes, stack: string): Promise<FoundStack> {
  const name = releasesBucketName(projectId)
  const group = servingName(stack)
  const ledger: FoundThing = { address: `release-ledger/${name}`, kind: 'release-ledger', identity: { projectId, name, stack, group }, dependsOn: [] }
  const bucket = await readBucket(context, name)
  const isThere = bucket !== undefined && bucket.projectNumber === projectNumber && isOurs(bucket.labels) && bucket.labels?.[stackLabel] === stack
  // the ledger's removal would take records out of a bucket that is another's
  if (bucket !== undefined && !isThere) return { things: [], unknown: [ledger.address] }
  if (bucket === undefined) return found(...((await releaseTemplates(context, projectId, stack)).length > 0 ? [ledger] : []))
  const { releases } = await createLedger(bucketObjects(context.clients, name, context.signal), systemClock).list()
  if (currentRelease(releases) === undefined) return found(ledger)
  return found(ledger, { address: `release/${group}`, kind: 'release', identity: { projectId, zone, bucket: name, group }, dependsOn: [ledger.address] })
}

/** Bucket names are one space for all of Google: one that may not be read is another's. */
async function readBucket({ clients, signal }: Context, bucket: string): Promise<{ readonly projectNumber: string; readonly labels: Labels } | undefined> {
  const storage = await clients.storage()
  try {
    const live = await orNothing(call(storage.buckets.get({ bucket }, { signal })))
    return live === undefined ? undefined : { projectNumber: String(live.projectNumber), labels: live.labels }
  } catch (error) {
    if (isPermissionDenied(error)) return { projectNumber: '', labels: undefined }
    throw error
  }
}
