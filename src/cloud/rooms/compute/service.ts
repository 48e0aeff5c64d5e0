/** What all nouns of the room share: look-ups in Google's words, changes as operations, one piece of work at a time per resource. */
import { cpus } from 'node:os'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { numericId } from '../../../base/ids.ts'
import { GIB } from '../../../base/units.ts'
import type { MetadataServer, MetadataSource } from '../../../vm/metadata.ts'
import type { VmDriver } from '../../../vm/driver.ts'
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation, OperationContext } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Project } from '../../kernel/projects.ts'
import type { CertificateSigner } from './balancing/service.proxies.ts'
import { resourceExists, resourceNotFound } from './errors.ts'
import { groupTiming } from './groups/timing.ts'
import type { GroupTiming } from './groups/timing.ts'
import { zones, regions } from './data/regions.ts'
import { noPublicImages } from './service.public-images.ts'
import type { PublicImages } from './service.public-images.ts'
import { createComputeStore } from './store.ts'
import type { ComputeStore, Key, Resource } from './store.ts'

/** How machines reach the hosts of Google that this cloud serves. */
export interface GuestAccess {
  /** Unix socket that takes TLS connections for these hosts; the same one after a restart of the daemon. */
  readonly socket: string
  /** Every host name that leads there. */
  readonly hosts: () => readonly string[]
  /** PEM of the authority that signs the certificates shown there. */
  readonly authority: string
}

export interface ComputeDeps {
  readonly driver: VmDriver
  /** Listens on a Unix socket for one VM. */
  readonly serveMetadata: (socketPath: string, source: MetadataSource) => Promise<MetadataServer>
  /** Memory that a new machine may take now, in MiB. Default: MemAvailable of /proc/meminfo. */
  readonly availableMemoryMib?: () => Promise<number>
  /** Virtual CPUs that one machine may have. Default: those of the host. */
  readonly hostCpus?: number
  /** How often managed instance groups are looked at. */
  readonly groupTiming?: GroupTiming
  /** Default: machines reach none of this cloud's hosts. */
  readonly guestAccess?: GuestAccess
  /** Signs managed certificates with the cloud's own authority. Default: none can be issued. */
  readonly signCertificate?: CertificateSigner
  /** Images of Google's public projects. Default: none. */
  readonly publicImages?: PublicImages
  /** What memory snapshots may take on disk together. Default: 2 GiB, about seven of a small server. */
  readonly warmLimitBytes?: number
  /** Time that all processors together had nothing to do, in milliseconds since some moment. Default: unknown, and nothing waits for it. */
  readonly idleMs?: () => Promise<number>
}

/** Who asks for a change, as the routes know it. */
export interface Caller {
  readonly principal: Principal
  readonly requestId?: string | undefined
  require(permission: string, target: { readonly projectId?: string; readonly resource?: string }): void
}

export interface Change {
  /** `images.insert`: what the handler is registered as; the part after the dot is Google's operationType. */
  readonly type: string
  readonly key: Key
  /** Where the operation is listed, when it is not where its target is. */
  readonly scope?: string
  /** Left out when `work` makes the resource and returns its id. */
  readonly targetId?: string
  readonly args?: object
}

type WithoutDefault = 'guestAccess' | 'signCertificate' | 'idleMs'

export interface Compute {
  readonly kernel: Kernel
  readonly store: ComputeStore
  readonly deps: Required<Omit<ComputeDeps, WithoutDefault>> & Pick<ComputeDeps, WithoutDefault>
  readonly folders: { readonly images: string; readonly disks: string; readonly vms: string; readonly warm: string }
  /** An active project. @throws ApiError 404 */
  project(idOrNumber: string): Project
  /** @throws ApiError 404 in Google's words. */
  get<R extends Resource = Resource>(key: Key): R
  /** A row with a new id. @throws ApiError 409 */
  insert<R extends Resource>(resource: Omit<R, 'id'> & { readonly id?: string }): R
  /** Runs `work` and writes the operation in one transaction. A repeated requestId gives the first call's operation and runs nothing. */
  begin(caller: Caller, change: Change, work?: () => string | void): Operation
  /** The repeatable work of one type of change; without one, the change was complete when it was accepted. */
  handle<Args>(type: string, handler?: (args: Args, context: OperationContext) => Promise<void>): void
  /** One at a time for each key. */
  exclusive<T>(key: string, work: () => Promise<T>): Promise<T>
}

export function createCompute(kernel: Kernel, deps: ComputeDeps): Compute {
  const store = createComputeStore(kernel.database)
  const queues = new Map<string, Promise<unknown>>()
  const { cloud } = kernel.home

  return {
    kernel,
    store,
    deps: { availableMemoryMib, hostCpus: cpus().length, groupTiming, publicImages: noPublicImages, warmLimitBytes: 2 * GIB, ...deps },
    folders: { images: join(cloud, 'images'), disks: join(cloud, 'disks'), vms: join(cloud, 'vms'), warm: join(cloud, 'warm') },
    project(idOrNumber) {
      const project = kernel.projects.find(idOrNumber)
      if (project === undefined) throw new ApiError('NOT_FOUND', `The resource 'projects/${idOrNumber}' was not found`)
      return project
    },
    get<R extends Resource>(key: Key): R {
      const found = store.get(key)
      if (found === undefined) throw resourceNotFound(key)
      return found as R
    },
    insert<R extends Resource>(resource: Omit<R, 'id'> & { readonly id?: string }): R {
      if (store.get(resource) !== undefined) throw resourceExists(resource)
      const complete = { ...resource, id: resource.id ?? numericId() } as R
      store.insert(complete)
      return complete
    },
    begin(caller, change, work) {
      return kernel.database.transaction(() => {
        const { projectId } = change.key
        const known = caller.requestId === undefined ? undefined : store.findRequest(projectId, caller.requestId)
        const earlier = known === undefined ? undefined : kernel.operations.get(known)
        if (earlier !== undefined) return earlier
        const targetId = work?.() ?? change.targetId ?? numericId()
        const operation = kernel.operations.start({
          room: 'compute',
          type: change.type,
          projectId,
          scope: change.scope ?? change.key.scope,
          target: `${change.key.scope === '' ? '' : `${change.key.scope}/`}${change.key.collection}/${change.key.name}`,
          targetId,
          principal: caller.principal,
          args: { id: targetId, ...change.args },
        })
        if (caller.requestId !== undefined) store.saveRequest(projectId, caller.requestId, operation.name)
        return operation
      })
    },
    handle(type, handler) {
      kernel.operations.register('compute', type, async (args: never, context) => {
        await handler?.(args, context)
      })
    },
    async exclusive(key, work) {
      const before = queues.get(key) ?? Promise.resolve()
      const mine = before.then(work, work)
      const settled = mine.catch(() => {})
      queues.set(key, settled)
      try {
        return await mine
      } finally {
        if (queues.get(key) === settled) queues.delete(key)
      }
    },
  }
}

async function availableMemoryMib(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8')
  return Math.floor(Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024)
}

const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/

/** @throws ApiError 400 in Compute Engine's words. */
export function requireName(name: unknown, field = 'resource.name'): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw invalidArgument(
    `Invalid value for field '${field}': '${typeof name === 'string' ? name.slice(0, 100) : ''}'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'`,
  )
}

const LABEL_KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u
const LABEL_VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u

/** Labels as they will be kept. @throws ApiError 400 */
export function requireLabels(labels: Readonly<Record<string, string>> | null | undefined): Record<string, string> {
  const entries = Object.entries(labels ?? {})
  if (entries.length > 64) throw invalidArgument(`Invalid value for field 'resource.labels': ${entries.length} labels, and at most 64 are allowed.`)
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key))
      throw invalidArgument(
        `Invalid value for field 'resource.labels': '${key}'. Label key '${key}' violates format constraints: lower-case letters, digits, _ and -, starting with a letter, at most 63 characters.`,
      )
    if (!LABEL_VALUE.test(value))
      throw invalidArgument(
        `Invalid value for field 'resource.labels': '${value}'. Label value '${value}' violates format constraints: lower-case letters, digits, _ and -, at most 63 characters.`,
      )
  }
  return Object.fromEntries(entries)
}

/** @throws ApiError 404 */
export function requireZone(projectId: string, zone: string): string {
  if (zones.has(zone)) return zone
  throw notFound(`The resource 'projects/${projectId}/zones/${zone}' was not found`)
}

/** @throws ApiError 404 */
export function requireRegion(projectId: string, region: string): string {
  if (Object.hasOwn(regions, region)) return region
  throw notFound(`The resource 'projects/${projectId}/regions/${region}' was not found`)
}
