/** List paging in Google's form. The token is the position after which to go on, opaque to clients. */
import { invalidArgument } from './api-error.ts'

export interface PageRequest {
  readonly pageSize?: number | string | undefined
  readonly pageToken?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextPageToken?: string
}

/**
 * One page of a list that is sorted by `key`. Stable while items come and go, since the token names the last key seen.
 * @throws ApiError 400 for a token that this server did not make, or a negative page size.
 */
export function page<T>(items: readonly T[], request: PageRequest, key: (item: T) => string, defaults = { size: 500, max: 1000 }): Page<T> {
  const asked = Number(request.pageSize ?? 0)
  if (!Number.isInteger(asked) || asked < 0) throw invalidArgument(`Invalid page size: ${request.pageSize}`)
  const size = asked === 0 ? defaults.size : Math.min(asked, defaults.max)
  const after = request.pageToken === undefined || request.pageToken === '' ? undefined : decodeToken(request.pageToken)
  const rest = after === undefined ? items : items.filter((item) => key(item) > after)
  const chosen = rest.slice(0, size)
  const last = chosen.at(-1)
  return rest.length > chosen.length && last !== undefined ? { items: chosen, nextPageToken: encodeToken(key(last)) } : { items: chosen }
}

function encodeToken(key: string): string {
  return Buffer.from(`k1:${key}`).toString('base64url')
}

function decodeToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString()
  if (!text.startsWith('k1:')) throw invalidArgument('Invalid page token.')
  return text.slice(3)
}
