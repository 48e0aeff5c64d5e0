/**
 * The bucket that the ledger of releases lies in. Made and looked after like any bucket; removing it removes what releases made beside it, which the
 * engine does not know: the second group of blue/green, the instance templates, disks that were kept, and the records. Whatever else lies in the bucket keeps it.
 * Whoever else deploys (GitHub's account) may write records here, and nowhere else; the bucket is not Terraform's, so these roles are not either.
 */
import { z } from 'zod'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isGone } from '../../client/errors.ts'
import { lastSegment, waitForCompute } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { bucketIamMemberKind } from '../../resources/bucket-iam-member/provider.ts'
import { bucketKind } from '../../resources/bucket/provider.ts'
import { BucketProps } from '../../resources/bucket/schema.ts'
import type { BucketAttributes } from '../../resources/bucket/schema.ts'
import { parseProps, part } from '../../resources/resource.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import { bucketObjects } from '../../release/objects.ts'
import { templatePrefix } from '../../release/template.ts'

type Context = KindContext<Clients>

const Props = z.strictObject({ ...BucketProps.shape, stack: z.string(), group: z.string(), writers: z.array(z.string()).default([]) })
type Props = z.output<typeof Props>

type Attributes = BucketAttributes & {
  /** Members that have all roles of a writer, sorted. */
  readonly writers: readonly string[]
}

/** Records are read, written, listed and removed; the bucket itself is looked at. Not its policy, not those of objects. */
const writerRoles = ['roles/storage.objectUser', 'roles/storage.legacyBucketReader'] as const

/** What the deployer writes into the bucket: records, capsules, the lock. */
const OUR_OBJECTS = /^releases\/(\d{6,12}(\.json|\/[^/]+)|lock\/deploy\.json)$/
const GROUP_MS = 3_600_000

export const releaseLedgerKind: ResourceKind<Props, Attributes, Clients> = {
  kind: 'release-ledger',
  parse: (props) => parseProps('release-ledger', Props, props),
  identity: ({ projectId, name, stack, group }) => ({ projectId, name, stack, group }),
  async observe(context, { projectId = '', name = '' }) {
    const bucket = await bucketKind.observe(context, { projectId, name })
    return bucket === undefined ? undefined : { ...bucket, writers: await writersOf(context, name) }
  },
  diff(props, observed) {
    const missing = props.writers.filter((member) => !observed.writers.includes(member))
    const differences = bucketKind.diff(bucketOf(props), observed)
    return missing.length === 0 ? differences : [...differences, { path: 'writers', from: [...observed.writers], to: [...observed.writers, ...missing] }]
  },
  create: async (context, props) => admit(context, props, await bucketKind.create(context, bucketOf(props))),
  update: async (context, props, observed, differences) =>
    admit(
      context,
      props,
      await bucketKind.update(
        context,
        bucketOf(props),
        observed,
        differences.filter(({ path }) => path !== 'writers'),
      ),
    ),

  async remove(context, identity) {
    await removeSecondGroup(context, part(identity, 'projectId'), part(identity, 'group'))
    await removeTemplates(context, part(identity, 'projectId'), part(identity, 'stack'))
    await removeDisks(context, part(identity, 'projectId'), part(identity, 'stack'))
    await removeRecords(context, part(identity, 'name'))
    await bucketKind.remove(context, { projectId: part(identity, 'projectId'), name: part(identity, 'name') })
  },
}

function bucketOf({ projectId, name, location, labels }: Props): BucketProps {
  return { projectId, name, location, labels }
}

async function admit(context: Context, props: Props, bucket: BucketAttributes): Promise<Attributes> {
  for (const member of props.writers) for (const role of writerRoles) await bucketIamMemberKind.create(context, { bucket: props.name, role, member })
  return { ...bucket, writers: await writersOf(context, props.name) }
}

async function writersOf({ clients, signal }: Context, bucket: string): Promise<readonly string[]> {
  const { bindings } = await call((await clients.storage()).buckets.getIamPolicy({ bucket, optionsRequestedPolicyVersion: 3 }, { signal }))
  const [first, ...others] = writerRoles.map((role) => (bindings ?? []).flatMap((binding) => (binding.role === role && !binding.condition ? (binding.members ?? []) : [])))
  return [...new Set(first)].filter((member) => others.every((members) => members.includes(member))).toSorted()
}

/** The second group of blue/green, which no engine knows: before what it uses (health checks) goes. In whatever zone it is. */
export async function removeSecondGroup(context: Context, project: string, group: string): Promise<void> {
  const name = `${group}-green`
  await takeFromBalancer(context, project, group, name)
  const { clients, signal } = context
  const compute = await clients.compute()
  let pageToken: string | undefined
  do {
    const page = await orNothing(
      call(compute.instanceGroupManagers.aggregatedList({ project, filter: `name = ${name}`, ...(pageToken === undefined ? {} : { pageToken }) }, { signal })),
    )
    for (const manager of Object.values(page?.items ?? {}).flatMap((scope) => scope.instanceGroupManagers ?? [])) {
      if (manager.name !== name) continue
      try {
        const operation = await call(compute.instanceGroupManagers.delete({ project, zone: lastSegment(manager.zone ?? ''), instanceGroupManager: name }, { signal }))
        await waitForCompute(clients, project, operation, { signal, what: `delete the instance group ${name}`, timeoutMs: GROUP_MS })
      } catch (error) {
        if (!isGone(error)) throw error
      }
    }
    pageToken = page?.nextPageToken ?? undefined
  } while (pageToken !== undefined)
}

/** Where the backend service, which has the first group's name, is still there. */
async function takeFromBalancer({ clients, signal }: Context, project: string, backendService: string, group: string): Promise<void> {
  const compute = await clients.compute()
  const live = await orNothing(call(compute.backendServices.get({ project, backendService }, { signal })))
  const backends = live?.backends ?? []
  const rest = backends.filter((backend) => lastSegment(backend.group ?? '') !== group)
  if (live === undefined || rest.length === backends.length) return
  const requestBody = { backends: rest, ...(live.fingerprint ? { fingerprint: live.fingerprint } : {}) }
  const operation = await call(compute.backendServices.patch({ project, backendService, requestBody }, { signal }))
  await waitForCompute(clients, project, operation, { signal, what: `take the instance group ${group} from the backend service ${backendService}` })
}

async function removeTemplates({ clients, signal }: Context, projectId: string, stack: string): Promise<void> {
  const fleet = googleFleet(clients, { projectId, zone: '', signal })
  const named = new RegExp(`^${templatePrefix(stack)}\\d{6,12}-[0-9a-f]{8}$`)
  for (const { name } of (await orNothing(fleet.templates(templatePrefix(stack)))) ?? []) if (named.test(name)) await fleet.deleteTemplate(name)
}

/** In whatever zone they are. One that somebody has attached to a machine is theirs to delete. */
async function removeDisks({ clients, signal }: Context, projectId: string, stack: string): Promise<void> {
  const compute = await clients.compute()
  const zones = new Set<string>()
  let pageToken: string | undefined
  do {
    const page = await orNothing(call(compute.disks.aggregatedList({ project: projectId, ...(pageToken === undefined ? {} : { pageToken }) }, { signal })))
    for (const [scope, { disks = [] }] of Object.entries(page?.items ?? {})) if (disks.length > 0) zones.add(lastSegment(scope))
    pageToken = page?.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  for (const zone of zones) {
    const fleet = googleFleet(clients, { projectId, zone, signal })
    for (const disk of await fleet.keptDisks(stack)) if (!disk.isUsed) await fleet.deleteDisk(disk.name)
  }
}

async function removeRecords({ clients, signal }: Context, bucket: string): Promise<void> {
  const store = bucketObjects(clients, bucket, signal)
  for (const object of (await orNothing(store.list('releases/', true))) ?? []) if (OUR_OBJECTS.test(object)) await store.remove(object)
}

async function orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
