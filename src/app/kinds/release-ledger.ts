/**
 * The bucket that the ledger of releases lies in. Made and looked after like any bucket; removing it removes what releases made beside it, which the
 * engine does not know: the second group of blue/green, the instance templates, disks that were kept, and the records. Whatever else lies in the bucket keeps it.
 * Whoever else deploys (GitHub's account) may write records here, and nowhere else; the bucket is not Terraform's, so these roles are not either.
 */
import { z } from 'zod'
import type { Clients } from '../../client/clients.ts'
import { call, orNothing } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { bucketIamMemberKind } from '../../resources/bucket-iam-member/provider.ts'
import { bucketKind } from '../../resources/bucket/provider.ts'
import { BucketProps } from '../../resources/bucket/schema.ts'
import type { BucketAttributes } from '../../resources/bucket/schema.ts'
import { parseProps, part } from '../../resources/resource.ts'
import { bucketObjects } from '../../release/objects.ts'
import { removeDisks, removeSecondGroup, removeTemplates } from './release-remains.ts'

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

async function removeRecords({ clients, signal }: Context, bucket: string): Promise<void> {
  const store = bucketObjects(clients, bucket, signal)
  for (const object of (await orNothing(store.list('releases/', true))) ?? []) if (OUR_OBJECTS.test(object)) await store.remove(object)
}
