/** Rows of resumable upload sessions. The bytes so far are in a file of the same id. */
import type { Database } from '../../../store/database.ts'
import type { ExpectedHashes } from './media/hashes.ts'
import type { ObjectBody } from './schema.ts'
import type { Conditions } from './service.conditions.ts'

/** What was said when the session was started. */
export interface UploadRequest {
  readonly body: ObjectBody
  readonly contentType: string | undefined
  readonly conditions: Conditions
  readonly hashes: ExpectedHashes
  /** Whether who started the session may replace a live object. */
  readonly mayReplace: boolean
}

export interface Upload {
  readonly id: string
  readonly bucket: string
  readonly name: string
  readonly request: UploadRequest
  /** Undefined until the sender says it. */
  readonly totalBytes: number | undefined
  /** Bytes that are known to be on the disk. */
  readonly receivedBytes: number
  readonly timeCreated: string
  /** The object that came of it. */
  readonly resultGeneration: number | undefined
}

interface UploadRow {
  id: string
  bucket: string
  name: string
  request: string
  total_bytes: number | null
  received_bytes: number
  time_created: string
  result_generation: number | null
}

export interface UploadStore {
  find(id: string): Upload | undefined
  insert(upload: Upload): void
  setProgress(id: string, receivedBytes: number, totalBytes: number | undefined): void
  setResult(id: string, generation: number): void
  remove(id: string): void
  /** Ids of sessions that take bytes: of a bucket, or of all. */
  openIds(bucket?: string): readonly string[]
  removeOlderThan(timeCreated: string): void
}

export function createUploadStore(database: Database): UploadStore {
  return {
    find(id) {
      const row = database.get<UploadRow>('SELECT * FROM storage_uploads WHERE id = ?', id)
      return row === undefined ? undefined : toUpload(row)
    },
    insert(upload) {
      database.run(
        'INSERT INTO storage_uploads VALUES (?, ?, ?, ?, ?, ?, ?, NULL)',
        upload.id,
        upload.bucket,
        upload.name,
        JSON.stringify(upload.request),
        upload.totalBytes ?? null,
        upload.receivedBytes,
        upload.timeCreated,
      )
    },
    setProgress: (id, receivedBytes, totalBytes) =>
      void database.run('UPDATE storage_uploads SET received_bytes = ?, total_bytes = ? WHERE id = ?', receivedBytes, totalBytes ?? null, id),
    setResult: (id, generation) => void database.run('UPDATE storage_uploads SET result_generation = ? WHERE id = ?', generation, id),
    remove: (id) => void database.run('DELETE FROM storage_uploads WHERE id = ?', id),
    openIds: (bucket) =>
      (bucket === undefined
        ? database.all<{ id: string }>('SELECT id FROM storage_uploads WHERE result_generation IS NULL')
        : database.all<{ id: string }>('SELECT id FROM storage_uploads WHERE result_generation IS NULL AND bucket = ?', bucket)
      ).map((row) => row.id),
    removeOlderThan: (timeCreated) => void database.run('DELETE FROM storage_uploads WHERE time_created < ?', timeCreated),
  }
}

function toUpload(row: UploadRow): Upload {
  return {
    id: row.id,
    bucket: row.bucket,
    name: row.name,
    request: JSON.parse(row.request) as UploadRequest,
    totalBytes: row.total_bytes ?? undefined,
    receivedBytes: row.received_bytes,
    timeCreated: row.time_created,
    resultGeneration: row.result_generation ?? undefined,
  }
}
