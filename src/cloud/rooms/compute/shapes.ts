/** Google's JSON shapes that all compute resources share: operations, lists, fingerprints, the head of a resource. */
import { createHash } from 'node:crypto'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { canonicalJson } from '../../../base/json.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { page } from '../../kernel/paging.ts'
import { operationCode } from './errors.ts'
import { linkTo, selfLink } from './links.ts'
import { parseFilter } from './service.filter.ts'
import type { Key } from './store.ts'

/** compute#operation. https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations */
export function toComputeOperation(operation: Operation): compute_v1.Schema$Operation {
  const project = `projects/${operation.projectId}`
  const [kind, place] = operation.scope.split('/')
  const error = operation.error
  return {
    kind: 'compute#operation',
    id: operation.id,
    name: operation.name,
    ...(kind === 'zones' ? { zone: linkTo(`${project}/zones/${place}`) } : {}),
    ...(kind === 'regions' ? { region: linkTo(`${project}/regions/${place}`) } : {}),
    operationType: operation.type.slice(operation.type.indexOf('.') + 1),
    targetLink: linkTo(operation.target.startsWith('projects/') ? project : `${project}/${operation.target}`),
    targetId: operation.targetId,
    status: operation.status,
    user: operation.user,
    progress: operation.progress,
    insertTime: operation.insertTime,
    startTime: operation.startTime ?? operation.insertTime,
    ...(operation.endTime === undefined ? {} : { endTime: operation.endTime }),
    selfLink: linkTo(`${project}/${operation.scope}/operations/${operation.name}`),
    ...(error === undefined
      ? {}
      : {
          error: { errors: [{ code: operationCode(error.reason), message: error.message }] },
          httpErrorStatusCode: error.httpStatus,
          httpErrorMessage: error.status.replaceAll('_', ' '),
        }),
  }
}

/** The first fields of every resource. */
export function head(kind: string, key: Key, id: string): { kind: string; id: string; name: string; selfLink: string; creationTimestamp: string } {
  return { kind: `compute#${kind}`, id, name: key.name, selfLink: selfLink(key), creationTimestamp: new Date().toISOString() }
}

/** A fingerprint that depends on the content alone, as Google's do: base64 of eight bytes. */
export function fingerprint(content: unknown): string {
  return createHash('sha256').update(canonicalJson(content)).digest().subarray(0, 8).toString('base64')
}

/** True for the fingerprint that was read. gcloud sends it back in URL-safe base64, since its client library decodes and encodes it anew. */
export function sameFingerprint(sent: string | null | undefined, current: string | null | undefined): boolean {
  if (!sent || !current) return false
  return Buffer.from(sent, 'base64').equals(Buffer.from(current, 'base64'))
}

export interface ListQuery {
  readonly maxResults?: string | undefined
  readonly pageToken?: string | undefined
  readonly filter?: string | undefined
  readonly orderBy?: string | undefined
}

/** Lists that have no selfLink on Google. */
const unlinked: ReadonlySet<string> = new Set(['securityPolicyList', 'firewallPolicyList'])

/** `compute#imageList` and the like. @throws ApiError 400 for a bad filter, page token or order. */
export function toList(kind: string, path: string, items: readonly object[], query: ListQuery): object {
  const chosen = select(items, query)
  const { items: shown, nextPageToken } = page(chosen.items, { pageSize: query.maxResults, pageToken: query.pageToken }, chosen.key, { size: 500, max: 500 })
  return {
    kind: `compute#${kind}`,
    id: path,
    ...(shown.length === 0 ? {} : { items: shown }),
    ...(unlinked.has(kind) ? {} : { selfLink: linkTo(path) }),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  }
}

/** The aggregated form: items by scope, `{'zones/Z': {instances: [...]}}`. Scopes without items are left out, as with returnPartialSuccess and gcloud. */
export function toAggregatedList(kind: string, path: string, member: string, resources: readonly { readonly scope: string; readonly record: object }[], query: ListQuery): object {
  const byScope: Record<string, Record<string, object[]>> = {}
  const keyed = resources.map(({ scope, record }) => ({ scope, record, name: `${scope}/${nameOf(record)}` })).toSorted((left, right) => (left.name < right.name ? -1 : 1))
  const matches = parseFilter(query.filter)
  const { items, nextPageToken } = page(
    keyed.filter((item) => matches(item.record)),
    { pageSize: query.maxResults, pageToken: query.pageToken },
    (item) => item.name,
    { size: 500, max: 500 },
  )
  for (const { scope, record } of items) ((byScope[scope] ??= {})[member] ??= []).push(record)
  return { kind: `compute#${kind}`, id: path, items: byScope, selfLink: linkTo(path), ...(nextPageToken === undefined ? {} : { nextPageToken }) }
}

function select(items: readonly object[], query: ListQuery): { items: readonly object[]; key: (item: object) => string } {
  const matches = parseFilter(query.filter)
  const kept = items.filter(matches)
  const key = keyFor(query.orderBy)
  return { items: kept.toSorted((left, right) => (key(left) < key(right) ? -1 : 1)), key }
}

function keyFor(orderBy: string | undefined): (item: object) => string {
  if (orderBy === undefined || orderBy === '' || orderBy === 'name') return nameOf
  if (/^creationTimestamp desc$/.test(orderBy)) return (item) => `${String(9e15 - createdMs(item)).padStart(16, '0')}/${nameOf(item)}`
  throw invalidArgument(`Invalid value for field 'orderBy': '${orderBy}'. Use name or creationTimestamp desc.`)
}

function nameOf(item: object): string {
  return 'name' in item ? String(item.name) : ''
}

function createdMs(item: object): number {
  return 'creationTimestamp' in item ? Date.parse(String(item.creationTimestamp)) : 0
}
