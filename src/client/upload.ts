/**
 * Objects in Cloud Storage, streamed from a file: one multipart request up to 5 MiB, else a resumable session that goes on where it broke.
 * https://cloud.google.com/storage/docs/uploads-downloads, https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
import { createReadStream, openAsBlob } from 'node:fs'
import { KilnError } from '../base/errors.ts'
import { KIB, MIB } from '../base/units.ts'
import { sleep } from '../base/wait.ts'
import { checksumFile } from './checksums.ts'
import type { FileChecksums } from './checksums.ts'
import type { Clients } from './clients.ts'
import { ApiError } from './errors.ts'

export interface UploadObjectOptions {
  readonly bucket: string
  readonly name: string
  /** Path of the file on this machine. */
  readonly file: string
  /** Default: application/octet-stream. */
  readonly contentType?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** `0`: only when no such object is there. Another number: only over this generation. */
  readonly ifGenerationMatch?: string
  /** Checksums when the caller has them; else the file is read once more. */
  readonly checksums?: FileChecksums
  readonly signal?: AbortSignal
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void
  /** Above this many bytes the upload is resumable. Default 5 MiB. */
  readonly resumableAboveBytes?: number
}

/** The fields of an object's reply that Kiln reads. */
export interface UploadedObject {
  readonly bucket: string
  readonly name: string
  readonly generation: string
  readonly size: string
  readonly md5Hash?: string
  readonly crc32c?: string
  readonly metadata?: Readonly<Record<string, string>>
}

const mostResumes = 8

/**
 * Uploads a file as an object and checks that what arrived is what was read.
 * @throws KilnError E_API (status 412 when the generation differs), E_NETWORK …, as `Transport.send`; E_API when a checksum of the reply differs.
 */
export async function uploadObject(clients: Clients, options: UploadObjectOptions): Promise<UploadedObject> {
  const sums = options.checksums ?? (await checksumFile(options.file, options.signal))
  const content = await openAsBlob(options.file, { type: options.contentType ?? 'application/octet-stream' })
  if (content.size !== sums.sizeBytes) throw changedMeanwhile(options.file)
  const large = sums.sizeBytes > (options.resumableAboveBytes ?? 5 * MIB)
  const response = large ? await uploadResumable(clients, options, sums) : await uploadMultipart(clients, options, content, sums)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Google's object resource; the checksums below are compared before it is trusted
  const object = (await response.json()) as UploadedObject
  if ((object.md5Hash !== undefined && object.md5Hash !== sums.md5) || (object.crc32c !== undefined && object.crc32c !== sums.crc32c)) {
    throw new KilnError('E_API', `gs://${options.bucket}/${options.name} arrived with other bytes than ${options.file} has`, { hint: 'run the same command again' })
  }
  options.onProgress?.(sums.sizeBytes, sums.sizeBytes)
  return object
}

function changedMeanwhile(file: string): KilnError {
  return new KilnError('E_API', `${file} changed while it was uploaded`, { hint: 'run the same command again' })
}

function uploadUrl(options: UploadObjectOptions, uploadType: string): string {
  const query = new URLSearchParams({ uploadType, name: options.name })
  if (options.ifGenerationMatch !== undefined) query.set('ifGenerationMatch', options.ifGenerationMatch)
  return `https://storage.googleapis.com/upload/storage/v1/b/${encodeURIComponent(options.bucket)}/o?${query}`
}

function objectResource(options: UploadObjectOptions, sums: FileChecksums): string {
  return JSON.stringify({
    name: options.name,
    contentType: options.contentType ?? 'application/octet-stream',
    md5Hash: sums.md5,
    crc32c: sums.crc32c,
    ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
  })
}

async function uploadMultipart(clients: Clients, options: UploadObjectOptions, content: Blob, sums: FileChecksums): Promise<Response> {
  const boundary = `kiln-${sums.sha256}`
  const type = options.contentType ?? 'application/octet-stream'
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${objectResource(options, sums)}\r\n--${boundary}\r\ncontent-type: ${type}\r\n\r\n`
  return await clients.transport.send(uploadUrl(options, 'multipart'), {
    method: 'POST',
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: new Blob([head, content, `\r\n--${boundary}--\r\n`]),
    timeoutMs: 0,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
}

async function uploadResumable(clients: Clients, options: UploadObjectOptions, sums: FileChecksums): Promise<Response> {
  const { sizeBytes } = sums
  const signal = options.signal === undefined ? {} : { signal: options.signal }
  const session = await clients.transport.send(uploadUrl(options, 'resumable'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json; charset=UTF-8',
      'x-upload-content-type': options.contentType ?? 'application/octet-stream',
      'x-upload-content-length': String(sizeBytes),
    },
    body: objectResource(options, sums),
    ...signal,
  })
  const location = session.headers.get('location')
  if (location === null) throw new KilnError('E_API', 'Cloud Storage opened an upload without a session URL')
  const url = new URL(location, clients.transport.url('https://storage.googleapis.com/')).href
  let offset = 0
  for (let resumes = 0; ; resumes += 1) {
    try {
      // The session knows how much arrived: a blind repetition would send bytes twice.
      const response = await clients.transport.send(url, {
        method: 'PUT',
        headers: { 'content-range': `bytes ${offset}-${sizeBytes - 1}/${sizeBytes}` },
        body: { open: () => createReadStream(options.file, { start: offset, end: sizeBytes - 1, highWaterMark: 256 * KIB }), sizeBytes: sizeBytes - offset },
        timeoutMs: 0,
        repeatable: false,
        accept: [308],
        ...signal,
      })
      if (response.status !== 308) return response
      offset = receivedBytes(response)
    } catch (error) {
      if (!isBroken(error) || resumes >= mostResumes) throw error
      await sleep(Math.min(100 * 2 ** resumes, 10_000), options.signal)
      const state = await clients.transport.send(url, { method: 'PUT', headers: { 'content-range': `bytes */${sizeBytes}`, 'content-length': '0' }, accept: [308], ...signal })
      if (state.status !== 308) return state
      offset = receivedBytes(state)
    }
    if (resumes >= mostResumes) throw new KilnError('E_NETWORK', `the upload of ${options.file} broke off ${mostResumes} times`, { hint: 'run the same command again' })
    options.onProgress?.(offset, sizeBytes)
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof ApiError && (error.status === undefined || error.status >= 500)
}

/** `Range: bytes=0-41` -> 42; without the header nothing arrived. */
function receivedBytes(response: Response): number {
  const match = /^bytes=0-(\d+)$/.exec(response.headers.get('range') ?? '')
  return match === null ? 0 : Number(match[1]) + 1
}
