/**
 * The form in which twine, uv and flit upload: multipart/form-data with text fields and one file part named `content`, in any order.
 * This is the upload API of the Python Package Index. The file goes straight into the blob store; nothing of it is held in memory.
 */
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import type { BusboyHeaders } from '@fastify/busboy'
import { describeError } from '../../../../base/errors.ts'
import { MIB } from '../../../../base/units.ts'
import { BlobTooLargeError } from '../../../../store/blobs.ts'
import type { Blob, BlobStore } from '../../../../store/blobs.ts'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import { checkFilename } from './filenames.ts'

export interface UploadForm {
  /** The last value of each field; twine repeats `classifiers` and the like, which nobody here reads. */
  readonly fields: ReadonlyMap<string, string>
  readonly filename: string
  /** Pinned: the caller retains or unpins it. */
  readonly blob: Blob
}

const MAX_FIELDS = 5000
const MAX_FIELD_BYTES = 4 * MIB
const MAX_FORM_BYTES = 32 * MIB
/** How much of a refused body is still read, so that the client gets to see the answer and not a broken pipe. */
const MAX_DRAIN_BYTES = 256 * MIB

/**
 * Reads the whole form.
 * @throws ApiError 400 (no such form, cut off, no or several files, bad file name), 413; nothing is kept then.
 */
export async function readUploadForm(body: Readable, contentType: string | undefined, blobs: BlobStore, maxFileBytes: number): Promise<UploadForm> {
  try {
    return await parse(body, contentType, blobs, maxFileBytes)
  } catch (error) {
    await drain(body)
    if (error instanceof ApiError) throw error
    if (error instanceof BlobTooLargeError) throw new ApiError('PAYLOAD_TOO_LARGE', `The file is larger than the limit of ${error.maxBytes} bytes.`)
    if (isMachineError(error)) throw error
    throw invalidArgument(`The upload was cut off or is no valid multipart/form-data: ${describeError(error)}.`)
  }
}

async function parse(body: Readable, contentType: string | undefined, blobs: BlobStore, maxFileBytes: number): Promise<UploadForm> {
  if (contentType === undefined || !/^multipart\/form-data\b/i.test(contentType)) throw invalidArgument('An upload must be multipart/form-data.')
  const form = openForm(contentType)
  const fields = new Map<string, string>()
  let formBytes = 0
  let filename: string | undefined
  let written: Promise<Blob> | undefined
  let part: Readable | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      form.on('field', (name, value, _nameTruncated, valueTruncated) => {
        formBytes += name.length + value.length
        if (valueTruncated || formBytes > MAX_FORM_BYTES) reject(invalidArgument(`The form field ${JSON.stringify(name.slice(0, 100))} is too large.`))
        else fields.set(name, value)
      })
      form.on('file', (name, stream, sentName) => {
        part = stream
        // The parser reports a cut-off part by an event only; the writer must see it as the end of its source.
        stream.on('error', (error: Error) => stream.destroy(error))
        try {
          filename = checkPart(name, sentName)
        } catch (error) {
          reject(error)
          return
        }
        written = blobs.write(stream, { maxBytes: maxFileBytes })
        written.catch(reject)
      })
      form.on('filesLimit', () => reject(invalidArgument('The form has more than one file; upload one file per request.')))
      form.on('fieldsLimit', () => reject(invalidArgument(`The form has more than ${MAX_FIELDS} fields.`)))
      form.once('finish', resolve)
      form.on('error', reject)
      body.once('error', reject)
      body.once('close', () => {
        if (!body.readableEnded) reject(new Error('the connection closed before the end'))
      })
      body.pipe(form)
    })
    if (filename === undefined || written === undefined) throw invalidArgument('The form has no file: the part "content" is missing.')
    return { fields, filename, blob: await written }
  } catch (error) {
    // Destroying the body itself would cut the connection before the answer.
    body.unpipe(form)
    part?.destroy(error instanceof Error ? error : new Error('the upload ended early'))
    await discard(written, blobs)
    throw error
  }
}

function checkPart(name: string, filename: string | undefined): string {
  if (name !== 'content') throw invalidArgument(`The form has a file part named ${JSON.stringify(name.slice(0, 100))}; the file must be in the part "content".`)
  if (filename === undefined || filename === '') throw invalidArgument('The part "content" has no file name.')
  checkFilename(filename)
  return filename
}

function openForm(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { 'content-type': contentType } satisfies BusboyHeaders,
      preservePath: true,
      fileHwm: MIB,
      limits: { files: 1, fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES, parts: MAX_FIELDS + 2 },
    })
  } catch (error) {
    throw invalidArgument(`An upload must be multipart/form-data with a boundary: ${describeError(error)}.`)
  }
}

async function discard(written: Promise<Blob> | undefined, blobs: BlobStore): Promise<void> {
  const blob = await written?.catch(() => undefined)
  if (blob === undefined) return
  blobs.unpin(blob.sha256)
  await blobs.collect()
}

async function drain(body: Readable): Promise<void> {
  if (body.destroyed || body.readableEnded) return
  let sizeBytes = 0
  await new Promise<void>((resolve) => {
    body.on('data', (chunk: Uint8Array) => {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_DRAIN_BYTES) resolve()
    })
    for (const event of ['end', 'error', 'close']) body.once(event, () => resolve())
    body.resume()
  })
}

function isMachineError(error: unknown): boolean {
  return error instanceof Error && error.name === 'KilnError'
}
