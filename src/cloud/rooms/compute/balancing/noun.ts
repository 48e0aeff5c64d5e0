/**
 * What all global resources of load balancing have in common: insert, update (PUT), patch, delete as operations that end when the data path has
 * taken them over; fingerprints; links that must lead somewhere; no deletion of what another resource names.
 */
import type { Operation } from '../../../kernel/operations.ts'
import { fingerprintMismatch, resourceInUse } from '../errors.ts'
import { parseLink, resourcePath, selfLink } from '../links.ts'
import { requireName } from '../service.ts'
import type { Caller, Compute } from '../service.ts'
import { fingerprint, head, sameFingerprint } from '../shapes.ts'
import type { Key, Resource } from '../store.ts'

export interface Built<Record extends object, Hidden extends object = object> {
  readonly record: Record
  readonly hidden?: Hidden
}

export interface BuildContext<Record extends object> {
  readonly projectId: string
  /** The link that the resource has, or will have. */
  readonly selfLink: string
  /** What it was before, for changes. */
  readonly before?: Record
}

export interface NounSpec<Body extends object, Record extends object, Hidden extends object = object> {
  /** `backendServices` */
  readonly collection: string
  /** `backendService` */
  readonly kind: string
  /** The resource shows a fingerprint: changes that send one must send the current one. */
  readonly fingerprinted: boolean
  /** The record's own fields, checked, with Google's defaults filled in. @throws ApiError */
  build(body: Body, context: BuildContext<Record>): Built<Record, Hidden>
  /** Inside the transaction of an insert, once the row has its id. */
  onInserted?(resource: Resource<Record, Hidden>): void
  /** Inside the transaction of a delete. */
  onRemoved?(resource: Resource<Record, Hidden>): void
  /** Work of the insert before the data path is told; when it, or the data path, fails, the resource is removed again. Must be repeatable. */
  settle?(resource: Resource<Record, Hidden>): Promise<void>
}

export interface Noun<Body extends object, Record extends object, Hidden extends object = object> {
  insert(caller: Caller, projectId: string, body: Body): Operation
  get(projectId: string, name: string): Resource<Record, Hidden>
  /** PUT: what is left out gets its default. @throws ApiError 412 */
  update(caller: Caller, projectId: string, name: string, body: Body): Operation
  /** PATCH: what is left out stays; null removes. @throws ApiError 412 */
  patch(caller: Caller, projectId: string, name: string, body: Body, verb?: string): Operation
  remove(caller: Caller, projectId: string, name: string): Operation
  /** A change of its own kind, such as setUrlMap; `verb` must be among `verbs`. */
  change(caller: Caller, resource: Resource<Record, Hidden>, verb: string, record: Record): Operation
}

/** Collections whose records may name other resources. */
const referring = ['backendServices', 'urlMaps', 'targetHttpProxies', 'targetHttpsProxies', 'forwardingRules', 'instanceGroupManagers', 'instanceGroups'] as const

/** The first resource of load balancing or instance groups that names this one, if any. */
export function userOf(compute: Compute, resource: Resource): Resource | undefined {
  const link = selfLink(resource)
  for (const collection of referring) {
    const user = compute.store.list(collection).find((other) => other.id !== resource.id && mentions(other.record, link))
    if (user !== undefined) return user
  }
  return undefined
}

function mentions(value: unknown, link: string): boolean {
  if (typeof value === 'string') return value === link
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some((each) => mentions(each, link))
}

/** Google's form of a link to a resource that exists. @throws ApiError 400 for a bad link, 404 when it leads nowhere. */
export function requireLink(compute: Compute, projectId: string, link: string, collection: string, scope = 'global'): string {
  const reference = parseLink(link, { projectId, scope, collection })
  const project = compute.kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId
  return selfLink(compute.get({ ...reference, projectId: project }))
}

/** RFC 7396: null removes, objects merge, all else replaces. */
export function mergePatch(before: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof before === 'object' && before !== null && !Array.isArray(before) ? (before as Record<string, unknown>) : {}
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(base[key], value)
  }
  return merged
}

/** `apply` brings the data path in line with the rows; `verbs` are further changes that the noun knows. */
export function createNoun<Body extends object, Record extends object, Hidden extends object = object>(
  compute: Compute,
  spec: NounSpec<Body, Record, Hidden>,
  apply: () => Promise<void>,
  verbs: readonly string[] = [],
): Noun<Body, Record, Hidden> {
  const { store } = compute
  const { collection } = spec

  function key(projectId: string, name: string): Key {
    return { projectId, scope: 'global', collection, name }
  }

  function get(projectId: string, name: string): Resource<Record, Hidden> {
    return compute.get<Resource<Record, Hidden>>(key(projectId, name))
  }

  function finish(resource: Resource, record: object, hidden: object): Resource<Record, Hidden> {
    const { kind, id, name, selfLink: link, creationTimestamp } = { ...head(spec.kind, resource, resource.id), ...(resource.record as object) } as ReturnType<typeof head>
    const kept = { ...record, kind, id, name, selfLink: link, creationTimestamp }
    const { fingerprint: _old, ...content } = kept as typeof kept & { fingerprint?: string }
    return { ...resource, record: (spec.fingerprinted ? { ...content, fingerprint: fingerprint(content) } : content) as Record, hidden: hidden as Hidden }
  }

  function requireFingerprint(resource: Resource<Record, Hidden>, body: Body): void {
    if (!spec.fingerprinted) return
    const sent = (body as { fingerprint?: string | null }).fingerprint
    const current = (resource.record as { fingerprint?: string }).fingerprint
    if (sent && !sameFingerprint(sent, current)) throw fingerprintMismatch(`Invalid fingerprint for '${resourcePath(resource)}'.`)
  }

  function change(caller: Caller, resource: Resource<Record, Hidden>, verb: string, record: Record, hidden: Hidden = resource.hidden): Operation {
    return compute.begin(caller, { type: `${collection}.${verb}`, key: resource, targetId: resource.id }, () => {
      store.update(finish(resource, record, hidden))
    })
  }

  compute.handle<{ id: string }>(`${collection}.insert`, async ({ id }) => {
    const resource = store.byId(id) as Resource<Record, Hidden> | undefined
    if (resource === undefined) return
    try {
      await spec.settle?.(resource)
      await apply()
    } catch (error) {
      const made = store.byId(id) as Resource<Record, Hidden> | undefined
      if (made !== undefined && spec.settle !== undefined) {
        compute.kernel.database.transaction(() => {
          spec.onRemoved?.(made)
          store.remove(id)
        })
      }
      throw error
    }
  })
  for (const verb of ['update', 'patch', 'delete', ...verbs]) compute.handle(`${collection}.${verb}`, apply)

  return {
    insert(caller, projectId, body) {
      const target = key(projectId, requireName((body as { name?: unknown }).name))
      const built = spec.build(body, { projectId, selfLink: selfLink(target) })
      return compute.begin(caller, { type: `${collection}.insert`, key: target }, () => {
        const made = compute.insert({ ...target, record: {}, hidden: {} })
        const complete = finish(made, built.record, built.hidden ?? {})
        store.update(complete)
        spec.onInserted?.(complete)
        return made.id
      })
    },
    get,
    update(caller, projectId, name, body) {
      const resource = get(projectId, name)
      requireFingerprint(resource, body)
      const built = spec.build(body, { projectId, selfLink: selfLink(resource), before: resource.record })
      return change(caller, resource, 'update', built.record, built.hidden)
    },
    patch(caller, projectId, name, body, verb = 'patch') {
      const resource = get(projectId, name)
      requireFingerprint(resource, body)
      const built = spec.build(mergePatch(resource.record, body) as Body, { projectId, selfLink: selfLink(resource), before: resource.record })
      return change(caller, resource, verb, built.record, built.hidden)
    },
    remove(caller, projectId, name) {
      const resource = get(projectId, name)
      const user = userOf(compute, resource)
      if (user !== undefined) throw resourceInUse(resource, resourcePath(user))
      return compute.begin(caller, { type: `${collection}.delete`, key: resource, targetId: resource.id }, () => {
        spec.onRemoved?.(resource)
        store.remove(resource.id)
      })
    },
    change: (caller, resource, verb, record) => change(caller, resource, verb, record),
  }
}

/** A copy without keys whose value is undefined or null. */
export function compact<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as T
}
