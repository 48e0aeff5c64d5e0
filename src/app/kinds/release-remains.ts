/** What releases make beside the engine, which knows none of it: the second group of blue/green, instance templates, and disks that were kept as evidence. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isGone, orNothing } from '../../client/errors.ts'
import { lastSegment, waitForCompute } from '../../client/operations.ts'
import type { KindContext } from '../../engine/types.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import { templatePrefix } from '../../release/template.ts'
import { stackLabel } from '../../resources/resource.ts'

type Context = KindContext<Clients>

const GROUP_MS = 3_600_000

/** The second group: before what it uses (health checks) goes. In whatever zone it is. */
export async function removeSecondGroup(context: Context, project: string, group: string): Promise<void> {
  const name = `${group}-green`
  await takeFromBalancer(context, project, group, name)
  const { clients, signal } = context
  const compute = await clients.compute()
  const scopes = await aggregated((page) => call(compute.instanceGroupManagers.aggregatedList({ project, filter: `name = ${name}`, ...page }, { signal })))
  for (const [zone, { instanceGroupManagers = [] }] of scopes) {
    if (!instanceGroupManagers.some((manager) => manager.name === name)) continue
    try {
      const operation = await call(compute.instanceGroupManagers.delete({ project, zone, instanceGroupManager: name }, { signal }))
      await waitForCompute(clients, project, operation, { signal, what: `delete the instance group ${name}`, timeoutMs: GROUP_MS })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
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

/** Those that `releaseTemplates` names. One that a group still uses stays. */
export async function removeTemplates(context: Context, projectId: string, stack: string): Promise<void> {
  const fleet = googleFleet(context.clients, { projectId, zone: '', signal: context.signal })
  for (const name of await releaseTemplates(context, projectId, stack)) await fleet.deleteTemplate(name)
}

/** The names of all templates that releases of the stack made: its machines have the stack's label. */
export async function releaseTemplates({ clients, signal }: Context, project: string, stack: string): Promise<readonly string[]> {
  const compute = await clients.compute()
  const named = new RegExp(`^${templatePrefix(stack)}\\d{6,12}-[0-9a-f]{8}$`)
  const names: string[] = []
  let pageToken: string | undefined
  do {
    const page: compute_v1.Schema$InstanceTemplateList | undefined = await orNothing(
      call(compute.instanceTemplates.list({ project, ...(pageToken === undefined ? {} : { pageToken }) }, { signal })),
    )
    for (const { name, properties } of page?.items ?? []) if (name && named.test(name) && properties?.labels?.[stackLabel] === stack) names.push(name)
    pageToken = page?.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return names
}

/** In whatever zone they are. One that somebody has attached to a machine is theirs to delete. */
export async function removeDisks(context: Context, projectId: string, stack: string): Promise<void> {
  const { clients, signal } = context
  const compute = await clients.compute()
  const scopes = await aggregated((page) => call(compute.disks.aggregatedList({ project: projectId, ...page }, { signal })))
  for (const zone of new Set(scopes.flatMap(([scope, { disks = [] }]) => (disks.length > 0 ? [scope] : [])))) {
    const fleet = googleFleet(clients, { projectId, zone, signal })
    for (const disk of await fleet.keptDisks(stack)) if (!disk.isUsed) await fleet.deleteDisk(disk.name)
  }
}

/** All pages of a list over all zones, as pairs of zone and what is there; nothing where nothing can be. What is of a region is none of ours. */
async function aggregated<Scope>(
  read: (page: { readonly pageToken?: string }) => Promise<{ readonly items?: Readonly<Record<string, Scope>> | null; readonly nextPageToken?: string | null }>,
): Promise<readonly (readonly [zone: string, scope: Scope])[]> {
  const scopes: (readonly [string, Scope])[] = []
  let pageToken: string | undefined
  do {
    const page = await orNothing(read(pageToken === undefined ? {} : { pageToken }))
    for (const [scope, there] of Object.entries(page?.items ?? {})) if (scope.startsWith('zones/')) scopes.push([lastSegment(scope), there])
    pageToken = page?.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return scopes
}
