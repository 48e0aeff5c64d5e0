/**
 * The release that serves, as the last resource of a stack: what is there is read from the ledger and the group, and whatever differs from the config is
 * the deployer's to change. Removing it does nothing: what releases made goes with the ledger, after the group.
 */
import { z } from 'zod'
import type { Clients } from '../../client/clients.ts'
import { isAbsent } from '../../client/errors.ts'
import type { Difference, KindContext, ResourceKind } from '../../engine/types.ts'
import type { DeployResult } from '../../release/deploy.ts'
import { systemClock } from '../../release/clock.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import type { Fleet } from '../../release/fleet.ts'
import { createLedger, currentRelease, unfinishedRelease } from '../../release/ledger.ts'
import { Shape } from '../../release/ledger.schema.ts'
import type { Release } from '../../release/ledger.schema.ts'
import { bucketObjects } from '../../release/objects.ts'
import { lastingShape } from '../../release/template.ts'
import { compare, parseProps, part, resourcePath } from '../../resources/resource.ts'

type Context = KindContext<Clients>

const Props = z.strictObject({
  projectId: z.string(),
  zone: z.string(),
  bucket: z.string(),
  stack: z.string(),
  group: z.string(),
  size: z.number().int().min(1),
  image: z.string(),
  shape: Shape,
  /** What `/version` must say. */
  package: z.object({ name: z.string(), version: z.string(), wheelSha256: z.string() }).optional(),
})
export type ReleaseKindProps = z.output<typeof Props>

export type ReleaseAttributes = {
  /** 0: none has served yet. */
  readonly number: number
  /** `projects/P/global/images/I` */
  readonly image: string
  readonly version: string
  readonly shape: Shape | null
  readonly size: number
  /** What is not as the ledger says; empty when nothing is. */
  readonly trouble: string
  /** A rollout was begun and did not end. */
  readonly isUnfinished: boolean
}

export interface RolloutParts {
  /** Rolls the release out. */
  deploy(context: Context, props: ReleaseKindProps): Promise<DeployResult>
  /** Brings the group back to its release and size. */
  mend(context: Context, props: ReleaseKindProps): Promise<DeployResult>
  /** A new release although nothing differs. */
  readonly isForced: boolean
}

const resource = { replacing: [] }

export function releaseKind(parts: RolloutParts): ResourceKind<ReleaseKindProps, ReleaseAttributes, Clients> {
  async function roll(context: Context, props: ReleaseKindProps, work: typeof parts.deploy): Promise<ReleaseAttributes> {
    const result = await work(context, props)
    const seen = await observeRelease(context, props)
    return seen ?? { number: result.release.number, image: result.release.image.selfLink, version: '', shape: null, size: 0, trouble: 'its record is gone', isUnfinished: false }
  }

  return {
    kind: 'release',
    parse: (props) => parseProps('release', Props, props),
    identity: ({ projectId, zone, bucket, group }) => ({ projectId, zone, bucket, group }),
    observe: observeRelease,

    diff(props, observed) {
      const differences: Difference[] = compare(resource, {
        image: [observed.image, resourcePath(props.image)],
        ...shapePairs(observed.shape, props.shape),
        size: [observed.size, props.size],
        serving: [observed.trouble, ''],
      })
      return parts.isForced && differences.length === 0 ? [{ path: 'release', from: observed.number, to: 'a new one, as asked for' }] : differences
    },

    create: (context, props) => roll(context, props, parts.deploy),
    update(context, props, observed, differences) {
      const isMending = !parts.isForced && !observed.isUnfinished && differences.every(({ path }) => path === 'size' || path === 'serving')
      return roll(context, props, isMending ? parts.mend : parts.deploy)
    },
    async remove() {},
  }
}

function shapePairs(there: Shape | null, wanted: Shape): Record<string, readonly [unknown, unknown]> {
  if (there === null) return {}
  const before: Readonly<Record<string, unknown>> = lastingShape(there)
  const pairs = Object.entries(lastingShape(wanted)).map(([key, value]): [string, readonly [unknown, unknown]] => [key, [before[key], value]])
  return Object.fromEntries(pairs)
}

async function observeRelease(context: Context, identity: Readonly<Record<string, unknown>>): Promise<ReleaseAttributes | undefined> {
  const names = { projectId: String(identity['projectId']), zone: String(identity['zone']), bucket: String(identity['bucket']), group: String(identity['group']) }
  part(names, 'group')
  try {
    const { releases } = await createLedger(bucketObjects(context.clients, names.bucket, context.signal), systemClock).list()
    const current = currentRelease(releases)
    const unfinished = unfinishedRelease(releases)
    if (current === undefined) return undefined
    const fleet = googleFleet(context.clients, { projectId: names.projectId, zone: names.zone, signal: context.signal })
    const group = await fleet.group(current.group)
    const trouble = unfinished === undefined ? await troubleOf(fleet, current, group, names.group) : `release ${unfinished.number} was begun and did not end`
    return {
      number: current.number,
      image: current.image.selfLink,
      version: current.package?.version ?? '',
      shape: current.shape,
      size: group?.size ?? 0,
      trouble,
      isUnfinished: unfinished !== undefined,
    }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** What somebody changed; not whether each machine is well at this moment, which the group sees to itself. */
async function troubleOf(fleet: Fleet, current: Release, group: Awaited<ReturnType<Fleet['group']>>, service: string): Promise<string> {
  if (group === undefined) return `the group ${current.group} is gone`
  const [version, ...more] = group.versions
  if (version?.template !== current.template || more.length > 0) return `the group ${current.group} has another template than release ${current.number}`
  const backends = await fleet.backends(service)
  if (backends?.find((backend) => backend.group === current.group)?.capacity !== 1) return `the load balancer sends nothing to ${current.group}`
  return ''
}
