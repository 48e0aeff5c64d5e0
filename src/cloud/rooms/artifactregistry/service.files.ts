/** What happens to uploaded files: publishing with all checks, removal, and the look-ups of the index. */
import { createHash } from 'node:crypto'
import { MIB } from '../../../base/units.ts'
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'
import { FilePart } from '../../kernel/file-part.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { blake2b256Hex } from './python/blake2b.ts'
import { parseFilename } from './python/filenames.ts'
import type { Distribution } from './python/filenames.ts'
import { isValidName, normalizeName } from './python/names.ts'
import type { UploadForm } from './python/upload-form.ts'
import { readWheel } from './python/wheel.ts'
import type { WheelMetadata } from './python/wheel.ts'
import { blobOwner } from './service.repositories.ts'
import type { ArtifactStore, FileRecord, RepositoryRecord } from './store.ts'

export interface FileService {
  /**
   * Checks and keeps an upload; durable when it resolves. `unchanged`: the same bytes were there under this name.
   * Ends the pin of the blob in every case.
   * @throws ApiError 400 for what is wrong with the file or its form, 409 when the name is taken by other bytes
   */
  publish(repository: RepositoryRecord, form: UploadForm): Promise<'created' | 'unchanged'>
  find(repository: RepositoryRecord, filename: string): FileRecord | undefined
  /** @throws ApiError 404 */
  get(repository: RepositoryRecord, filename: string): FileRecord
  /** The bytes, or those of a range with inclusive ends; they stay readable to the end even when the file is deleted meanwhile. */
  open(file: FileRecord, range?: { readonly start: number; readonly end: number }): FilePart
  /** The METADATA bytes of a wheel. @throws ApiError 404 */
  metadata(repository: RepositoryRecord, filename: string): Uint8Array
  /** Inside the caller's transaction: forgets these files; an emptied package goes too. The space is given back by `blobs.collect`. */
  remove(repository: RepositoryRecord, chosen: readonly FileRecord[]): void
}

/** Above this size BLAKE2b, which runs in JavaScript here, is only computed when the form brings no SHA-256. */
const MAX_SLOW_DIGEST_BYTES = 16 * MIB

export function createFileService(kernel: Kernel, store: ArtifactStore): FileService {
  const { database, blobs } = kernel

  async function drop(sha256: string): Promise<void> {
    blobs.unpin(sha256)
    await blobs.collect()
  }

  async function publish(repository: RepositoryRecord, form: UploadForm): Promise<'created' | 'unchanged'> {
    const { blob, filename } = form
    const owner = blobOwner(repository.uid, filename)
    let kept = false
    try {
      const distribution = checkForm(form)
      await checkDigests(form, () => blobs.read(blob.sha256))
      const wheel = distribution.filetype === 'bdist_wheel' ? await readWheel(blobs.path(blob.sha256), filename, distribution) : undefined
      if (wheel === undefined) await checkSdist(filename, blobs.read(blob.sha256, { start: 0, end: 3 }))
      return database.transaction(() => {
        // Both may have changed while the bytes came in.
        if (store.findRepository(repository.projectId, repository.location, repository.repositoryId)?.uid !== repository.uid)
          throw notFound(`Requested entity was not found: the repository ${repository.repositoryId} was deleted.`)
        const present = store.findFile(repository.uid, filename)
        if (present?.sha256 === blob.sha256) return 'unchanged'
        if (present !== undefined) throw taken(filename, present.sha256, blob.sha256)
        const record = toRecord(form, distribution, wheel)
        store.touchPackage(repository.uid, record.package, record.uploadTime)
        store.insertFile(repository.uid, record, wheel?.bytes)
        blobs.retain(owner, blob.sha256)
        kept = true
        return 'created'
      })
    } finally {
      if (!kept) await drop(blob.sha256)
    }
  }

  function get(repository: RepositoryRecord, filename: string): FileRecord {
    const file = store.findFile(repository.uid, filename)
    if (file === undefined) throw notFound(`Requested entity was not found: the repository ${repository.repositoryId} has no file ${JSON.stringify(filename)}.`)
    return file
  }

  return {
    publish,
    find: (repository, filename) => store.findFile(repository.uid, filename),
    get,
    open(file, range) {
      blobs.pin(file.sha256)
      return new FilePart(blobs.path(file.sha256), range ?? { start: 0, end: file.sizeBytes - 1 }, () => {
        drop(file.sha256).catch((error: unknown) => kernel.log.warn({ err: error }, 'a blob could not be collected after a download'))
      })
    },
    metadata(repository, filename) {
      const bytes = store.metadataOf(repository.uid, filename)
      if (bytes === undefined) throw notFound(`Requested entity was not found: there is no metadata file for ${JSON.stringify(filename)}.`)
      return bytes
    },
    remove(repository, chosen) {
      for (const file of chosen) {
        blobs.release(blobOwner(repository.uid, file.filename))
        store.deleteFile(repository.uid, file.filename)
      }
      for (const name of new Set(chosen.map((file) => file.package))) {
        if (store.filesOfPackage(repository.uid, name).length === 0) store.deletePackage(repository.uid, name)
        else store.touchPackage(repository.uid, name, new Date().toISOString())
      }
    },
  }
}

function checkForm(form: UploadForm): Distribution {
  const { fields } = form
  const action = fields.get(':action')
  if (action !== undefined && action !== 'file_upload') throw invalidArgument(`The form's :action is ${JSON.stringify(action)}; only file_upload exists here.`)
  const protocol = fields.get('protocol_version')
  if (protocol !== undefined && protocol !== '1') throw invalidArgument(`The form's protocol_version is ${JSON.stringify(protocol)}; only 1 exists.`)
  const name = fields.get('name') ?? ''
  const version = fields.get('version') ?? ''
  if (name === '' || version === '') throw invalidArgument(`The form lacks the field ${name === '' ? 'name' : 'version'}.`)
  if (!isValidName(name)) throw invalidArgument(`Invalid project name ${JSON.stringify(name.slice(0, 120))}: ASCII letters and digits, and inside also '.', '_' and '-' (PEP 508).`)
  const distribution = parseFilename(form.filename, name, version)
  const filetype = fields.get('filetype')
  if (filetype !== undefined && filetype !== distribution.filetype)
    throw invalidArgument(`The form's filetype is ${JSON.stringify(filetype)}, but ${form.filename} is a ${distribution.filetype}.`)
  return distribution
}

async function checkDigests(form: UploadForm, read: () => AsyncIterable<Uint8Array>): Promise<void> {
  const { blob, fields, filename } = form
  const sha256 = fields.get('sha256_digest')
  if (sha256 !== undefined && sha256 !== '' && sha256.toLowerCase() !== blob.sha256) throw digestDiffers(filename, 'SHA-256', sha256, blob.sha256)
  const md5 = fields.get('md5_digest')
  const ownMd5 = Buffer.from(blob.md5, 'base64').toString('hex')
  if (md5 !== undefined && md5 !== '' && toHexMd5(md5) !== ownMd5) throw digestDiffers(filename, 'MD5', md5, ownMd5)
  const blake2 = fields.get('blake2_256_digest')
  if (blake2 === undefined || blake2 === '' || (sha256 !== undefined && sha256 !== '' && blob.sizeBytes > MAX_SLOW_DIGEST_BYTES)) return
  const ownBlake2 = await blake2b256Hex(read())
  if (blake2.toLowerCase() !== ownBlake2) throw digestDiffers(filename, 'BLAKE2b-256', blake2, ownBlake2)
}

/** Hex, or the url-safe base64 without padding that older clients send. */
function toHexMd5(text: string): string {
  return /^[0-9a-f]{32}$/i.test(text) ? text.toLowerCase() : Buffer.from(text, 'base64url').toString('hex')
}

function digestDiffers(filename: string, kind: string, said: string, own: string): ApiError {
  return invalidArgument(`The ${kind} digest of ${filename} is ${own}, but the form says ${said.slice(0, 128)}: the file was damaged on its way.`)
}

function taken(filename: string, present: string, sent: string): ApiError {
  return new ApiError(
    'ALREADY_EXISTS',
    `File already exists: ${filename} was uploaded before with other bytes (sha256 ${present}, now ${sent}). Published files never change; give the new build a new version.`,
  )
}

/** By the first bytes: the tar inside is the business of whoever unpacks it. */
async function checkSdist(filename: string, head: AsyncIterable<Uint8Array>): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of head) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const isRight = bytes.toString('latin1').startsWith(filename.endsWith('.zip') ? 'PK\x03\x04' : '\x1f\x8b')
  if (!isRight) throw invalidArgument(`${filename} is not a valid source distribution: it is no ${filename.endsWith('.zip') ? 'zip' : 'gzip'} file.`)
}

function toRecord(form: UploadForm, distribution: Distribution, wheel: WheelMetadata | undefined): FileRecord {
  const { blob, fields, filename } = form
  return {
    filename,
    package: normalizeName(distribution.name),
    version: distribution.version,
    filetype: distribution.filetype,
    sha256: blob.sha256,
    md5: Buffer.from(blob.md5, 'base64').toString('hex'),
    sizeBytes: blob.sizeBytes,
    requiresPython: wheel === undefined ? cleanField(fields.get('requires_python')) : wheel.fields.requiresPython,
    summary: wheel === undefined ? cleanField(fields.get('summary')) : wheel.fields.summary,
    metadataSha256: wheel === undefined ? undefined : createHash('sha256').update(wheel.bytes).digest('hex'),
    yanked: undefined,
    uploadTime: new Date().toISOString(),
  }
}

/** twine writes UNKNOWN for what a project does not say. */
function cleanField(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text === 'UNKNOWN' ? undefined : text
}
