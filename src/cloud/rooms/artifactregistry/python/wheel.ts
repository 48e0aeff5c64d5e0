/** Looks into a stored wheel: its core metadata, and whether it is what its file name says. */
import { open } from 'node:fs/promises'
import { invalidArgument } from '../../../kernel/api-error.ts'
import { MIB } from '../../../../base/units.ts'
import type { Distribution } from './filenames.ts'
import { parseMetadata } from './metadata.ts'
import type { CoreMetadata } from './metadata.ts'
import { isValidName, normalizeName } from './names.ts'
import { sameVersion } from './versions.ts'
import { readZipDirectory, readZipMember, ZipError } from './zip.ts'

export interface WheelMetadata {
  /** The METADATA file as it is in the wheel (PEP 658 serves exactly these bytes). */
  readonly bytes: Buffer
  readonly fields: CoreMetadata
}

const MAX_METADATA_BYTES = 8 * MIB

/**
 * Extracts and checks the metadata of a wheel.
 * @throws ApiError 400 when it is no zip file, holds none or several METADATA files, or disagrees with its file name.
 */
export async function readWheel(path: string, filename: string, distribution: Distribution): Promise<WheelMetadata> {
  const bytes = await readMetadataFile(path, filename, distribution)
  const fields = parseMetadata(bytes)
  if (fields.name === undefined || fields.version === undefined) throw invalidArgument(`The METADATA in ${filename} lacks ${fields.name === undefined ? 'Name' : 'Version'}.`)
  if (!isValidName(fields.name) || normalizeName(fields.name) !== normalizeName(distribution.name))
    throw invalidArgument(`The METADATA in ${filename} says Name: ${fields.name}, which disagrees with the file name.`)
  if (!sameVersion(fields.version, distribution.version)) throw invalidArgument(`The METADATA in ${filename} says Version: ${fields.version}, which disagrees with the file name.`)
  return { bytes, fields }
}

async function readMetadataFile(path: string, filename: string, distribution: Distribution): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const entries = await readZipDirectory(file, size)
    const escaping = entries.find((entry) => /^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0/.test(entry.name))
    if (escaping !== undefined) throw new ZipError(`the member ${JSON.stringify(escaping.name)} would be written outside of the target folder`)
    const candidates = entries.filter((entry) => /^[^/]+\.dist-info\/METADATA$/.test(entry.name))
    const [entry] = candidates
    if (entry === undefined || candidates.length > 1) throw new ZipError(`it has ${candidates.length} *.dist-info/METADATA files where exactly one is expected`)
    if (!folderAgrees(entry.name.slice(0, -'.dist-info/METADATA'.length), distribution)) throw new ZipError(`its folder ${entry.name.split('/')[0]} disagrees with its file name`)
    return await readZipMember(file, size, entry, MAX_METADATA_BYTES)
  } catch (error) {
    if (error instanceof ZipError) throw invalidArgument(`${filename} is not a valid wheel: ${error.message}.`)
    throw error
  } finally {
    await file.close()
  }
}

function folderAgrees(stem: string, distribution: Distribution): boolean {
  const dash = stem.indexOf('-')
  return dash > 0 && normalizeName(stem.slice(0, dash)) === normalizeName(distribution.name) && sameVersion(stem.slice(dash + 1), distribution.version)
}
