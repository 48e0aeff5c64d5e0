/**
 * File names of distributions: wheels (https://packaging.python.org/en/latest/specifications/binary-distribution-format/, PEP 427) and
 * sdists (PEP 625, and the older names with hyphens, which only the form's project name makes unambiguous).
 */
import { invalidArgument } from '../../../kernel/api-error.ts'
import { normalizeName } from './names.ts'
import { normalizeVersion, sameVersion } from './versions.ts'

export interface Distribution {
  readonly filetype: 'bdist_wheel' | 'sdist'
  /** As in the file name. */
  readonly name: string
  /** Normalised. */
  readonly version: string
}

const MAX_FILENAME_CHARACTERS = 255

/** Without separators, control characters or a leading dot: safe as the last part of a path and of a URL. @throws ApiError 400 */
export function checkFilename(filename: string): void {
  if (filename.length > MAX_FILENAME_CHARACTERS) throw invalidArgument(`The file name has more than ${MAX_FILENAME_CHARACTERS} characters.`)
  if (/^[A-Za-z0-9][A-Za-z0-9._+!-]*$/.test(filename)) return
  throw invalidArgument(`Invalid file name ${JSON.stringify(filename.slice(0, 120))}: it may hold letters, digits, '.', '_', '+', '!' and '-' only, and no folders.`)
}

/**
 * Reads a file name, and checks that it agrees with the name and version that the uploader gave.
 * @throws ApiError 400 that says what is wrong with it
 */
export function parseFilename(filename: string, project: string, version: string): Distribution {
  checkFilename(filename)
  if (normalizeVersion(version) === undefined) throw invalidArgument(`Invalid version ${JSON.stringify(version.slice(0, 120))}: it does not follow PEP 440.`)
  const found = filename.endsWith('.whl') ? parseWheel(filename) : parseSdist(filename, project, version)
  if (normalizeName(found.name) !== normalizeName(project))
    throw invalidArgument(`The file ${filename} belongs to the project ${normalizeName(found.name)}, but the upload says ${normalizeName(project)}.`)
  if (!sameVersion(found.version, version)) throw invalidArgument(`The file ${filename} is of version ${found.version}, but the upload says ${version}.`)
  return found
}

function parseWheel(filename: string): Distribution {
  const parts = filename.slice(0, -'.whl'.length).split('-')
  const [name = '', version = ''] = parts
  const build = parts.length === 6 ? parts[2] : undefined
  const tags = parts.slice(-3)
  if (parts.length !== 5 && parts.length !== 6) throw invalidArgument(`Invalid wheel file name ${filename}: expected NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl.`)
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?$/.test(name)) throw invalidArgument(`Invalid wheel file name ${filename}: ${JSON.stringify(name)} is no project name.`)
  const normal = normalizeVersion(version)
  if (normal === undefined) throw invalidArgument(`Invalid wheel file name ${filename}: the version ${JSON.stringify(version)} does not follow PEP 440.`)
  if (build !== undefined && !/^\d[A-Za-z0-9._]*$/.test(build))
    throw invalidArgument(`Invalid wheel file name ${filename}: the build tag ${JSON.stringify(build)} must start with a digit.`)
  for (const tag of tags) {
    if (!/^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/.test(tag)) throw invalidArgument(`Invalid wheel file name ${filename}: ${JSON.stringify(tag)} is no compatibility tag.`)
  }
  return { filetype: 'bdist_wheel', name, version: normal }
}

function parseSdist(filename: string, project: string, version: string): Distribution {
  const stem = /^(.*)\.(?:tar\.gz|zip)$/.exec(filename)?.[1]
  if (stem === undefined) throw invalidArgument(`Invalid file name ${filename}: only wheels (.whl) and source distributions (.tar.gz, .zip) are stored here.`)
  const splits = [...stem.matchAll(/-/g)].map((match) => ({ name: stem.slice(0, match.index), version: stem.slice(match.index + 1) }))
  const known = splits.filter((split) => normalizeVersion(split.version) !== undefined)
  const agreeing = known.find((split) => normalizeName(split.name) === normalizeName(project) && sameVersion(split.version, version))
  const chosen = agreeing ?? known.at(-1)
  if (chosen === undefined) throw invalidArgument(`Invalid sdist file name ${filename}: expected NAME-VERSION.tar.gz with a version as in PEP 440.`)
  return { filetype: 'sdist', name: chosen.name, version: normalizeVersion(chosen.version) ?? chosen.version }
}
