/**
 * Small texts in a bucket, each write under a precondition on the generation, so that two writers never undo each other's work.
 * https://cloud.google.com/storage/docs/request-preconditions
 */
import type { Clients } from '../client/clients.ts'
import { ApiError, call, isNotFound } from '../client/errors.ts'

/** A text and the generation that it was read at. */
export interface StoredText {
  readonly text: string
  readonly generation: string
}

/** A folder-like view of one bucket. */
export interface ObjectStore {
  readonly bucket: string
  read(name: string): Promise<StoredText | undefined>
  /**
   * Writes over exactly this generation (`'0'`: only when nothing is there; undefined: over anything).
   * Gives the new generation, or undefined when the precondition did not hold.
   */
  write(name: string, text: string, generation?: string): Promise<string | undefined>
  /** Names with this prefix; those with a further `/` behind it only when `deep`. */
  list(prefix: string, deep?: boolean): Promise<readonly string[]>
  /** Gone is success. With a generation: only that one, and false when another is there. */
  remove(name: string, generation?: string): Promise<boolean>
}

const apiRoot = 'https://storage.googleapis.com'

/** The objects of a bucket through Google's JSON API. Errors are those of `Transport.send`. */
export function bucketObjects(clients: Clients, bucket: string, signal?: AbortSignal): ObjectStore {
  const options = signal === undefined ? {} : { signal }
  const at = (name: string): string => `${apiRoot}/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}`
  const condition = (generation: string | undefined): Record<string, string> => (generation === undefined ? {} : { ifGenerationMatch: generation })
  return {
    bucket,
    async read(name) {
      try {
        const response = await clients.transport.send(`${at(name)}?alt=media`, options)
        return { text: await response.text(), generation: response.headers.get('x-goog-generation') ?? '' }
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    async write(name, text, generation) {
      const query = new URLSearchParams({ uploadType: 'media', name, ...condition(generation) })
      const type = name.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8'
      try {
        const response = await clients.transport.send(`${apiRoot}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`, {
          method: 'POST',
          headers: { 'content-type': type },
          body: text,
          ...options,
        })
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Google's object resource
        return ((await response.json()) as { generation?: string }).generation ?? ''
      } catch (error) {
        if (isStale(error)) return undefined
        throw error
      }
    },
    async list(prefix, deep = false) {
      const storage = await clients.storage()
      const names: string[] = []
      let pageToken: string | undefined
      do {
        const page = await call(
          storage.objects.list(
            { bucket, prefix, fields: 'items(name),nextPageToken', ...(deep ? {} : { delimiter: '/' }), ...(pageToken === undefined ? {} : { pageToken }) },
            options,
          ),
        )
        names.push(...(page.items ?? []).map((item) => item.name ?? ''))
        pageToken = page.nextPageToken ?? undefined
      } while (pageToken !== undefined)
      return names
    },
    async remove(name, generation) {
      try {
        const query = new URLSearchParams(condition(generation)).toString()
        await clients.transport.send(`${at(name)}${query === '' ? '' : `?${query}`}`, { method: 'DELETE', ...options })
        return true
      } catch (error) {
        if (isNotFound(error)) return true
        if (isStale(error)) return false
        throw error
      }
    },
  }
}

/** The generation is another one: 412, or 409 when two writers meet. */
function isStale(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 412 || error.status === 409)
}
