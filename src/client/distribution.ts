/**
 * Uploads a Python distribution (wheel or sdist) as twine does: one multipart form, streamed from the file.
 * The form: the legacy upload API of the Python Package Index; metadata fields: PEP 566, PEP 643 and the core metadata specification.
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { KilnError } from '../base/errors.ts'
import { KIB, MIB } from '../base/units.ts'
import { checksumFile } from './checksums.ts'
import { ApiError } from './errors.ts'
import { createTransport } from './transport.ts'
import type { RetryPolicy, Transport } from './transport.ts'
import { readZipEntry } from './zip-entry.ts'

export interface UploadDistributionOptions {
  /** `https://L-python.pkg.dev/P/R/`, as it is reached here: on the pocket cloud give it through `transport.url` first. */
  readonly repositoryUrl: string
  /** Path of a `.whl` or `.tar.gz`. */
  readonly file: string
  readonly accessToken: () => Promise<string>
  readonly version?: string
  readonly signal?: AbortSignal
  readonly retry?: Partial<RetryPolicy>
  readonly fetch?: typeof fetch
}

export interface UploadedDistribution {
  readonly fileName: string
  readonly name: string
  readonly version: string
  /** Hex. */
  readonly sha256: string
}

/** Metadata headers that may come more than once, and twine's name for each. */
const repeatedFields: Readonly<Record<string, string>> = {
  platform: 'platform',
  'supported-platform': 'supported_platform',
  classifier: 'classifiers',
  'requires-dist': 'requires_dist',
  'provides-dist': 'provides_dist',
  'obsoletes-dist': 'obsoletes_dist',
  'requires-external': 'requires_external',
  'project-url': 'project_urls',
  'provides-extra': 'provides_extra',
  'license-file': 'license_file',
  dynamic: 'dynamic',
}

/**
 * Uploads one file. Uploading the same bytes again is fine, also where the registry refuses every repetition.
 * @throws KilnError E_PACKAGE_EXISTS when this version is there with other bytes, E_PACKAGE_INVALID for a file without metadata, else as `Transport.send`.
 * @example await uploadDistribution({ repositoryUrl, file: 'dist/moshi_server-0.1.0-py3-none-any.whl', accessToken })
 */
export async function uploadDistribution(options: UploadDistributionOptions): Promise<UploadedDistribution> {
  const fileName = basename(options.file)
  const wheel = fileName.endsWith('.whl')
  const metadata = parseMetadata(wheel ? await wheelMetadata(options.file) : await sdistMetadata(options.file))
  const name = metadata.find(([field]) => field === 'name')?.[1]
  const version = metadata.find(([field]) => field === 'version')?.[1]
  if (name === undefined || version === undefined) throw new KilnError('E_PACKAGE_INVALID', `the metadata of ${fileName} has no name or no version`)
  const sums = await checksumFile(options.file, options.signal)
  const fields: readonly (readonly [string, string])[] = [
    [':action', 'file_upload'],
    ['protocol_version', '1'],
    ['filetype', wheel ? 'bdist_wheel' : 'sdist'],
    ['pyversion', wheel ? pythonTag(fileName) : 'source'],
    ...metadata,
    ['md5_digest', Buffer.from(sums.md5, 'base64').toString('hex')],
    ['sha256_digest', sums.sha256],
  ]
  const transport = createTransport({
    credentials: async () => ({ authorization: `Basic ${Buffer.from(`oauth2accesstoken:${await options.accessToken()}`).toString('base64')}` }),
    userAgent: `kiln/${options.version ?? 'dev'}`,
    ...(options.retry === undefined ? {} : { retry: options.retry }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  })
  const boundary = `kiln-${sums.sha256}`
  const head = Buffer.from(formHead(boundary, fields, fileName))
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  try {
    await transport.send(options.repositoryUrl, {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: {
        open: () => Readable.from(formBytes(head, options.file, tail)),
        sizeBytes: head.length + sums.sizeBytes + tail.length,
      },
      timeoutMs: 0,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  } catch (error) {
    if (!isTaken(error)) throw error
    // a repetition after a lost answer meets our own file
    if (!(await hasSameBytes(transport, options, name, fileName, sums.sha256))) throw packageExists(error, name, version, fileName)
  }
  return { fileName, name, version, sha256: sums.sha256 }
}

function formHead(boundary: string, fields: readonly (readonly [string, string])[], fileName: string): string {
  const parts = fields.map(([field, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`)
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="${fileName.replaceAll('"', '%22')}"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return parts.join('') + file
}

async function* formBytes(head: Buffer, file: string, tail: Buffer): AsyncGenerator<Buffer> {
  yield head
  yield* createReadStream(file, { highWaterMark: 256 * KIB })
  yield tail
}

/** Registries answer 409, or 400 with "already exists", for a file name that is there. */
function isTaken(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  return error.status === 409 || (error.status === 400 && /already exists|file name has already been used/i.test(error.message))
}

async function hasSameBytes(transport: Transport, options: UploadDistributionOptions, name: string, fileName: string, sha256: string): Promise<boolean> {
  const normalName = name.toLowerCase().replaceAll(/[-_.]+/g, '-')
  const index = await transport.send(`${options.repositoryUrl.replace(/\/*$/, '/')}simple/${normalName}/`, {
    headers: { accept: 'text/html' },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  const html = await index.text()
  return html.split('<a').some((anchor) => anchor.includes(fileName) && anchor.includes(`sha256=${sha256}`))
}

function packageExists(cause: unknown, name: string, version: string, fileName: string): KilnError {
  return new KilnError('E_PACKAGE_EXISTS', `${name} ${version} is already published with other bytes (${fileName})`, {
    hint: 'published versions never change: raise the version in pyproject.toml and publish again',
    cause,
  })
}

/** `moshi_server-0.1.0-py3-none-any.whl` -> `py3`; the optional build number shifts nothing when counted from the end. */
function pythonTag(fileName: string): string {
  return fileName.slice(0, -'.whl'.length).split('-').at(-3) ?? 'py3'
}

async function wheelMetadata(file: string): Promise<string> {
  const entry = await readZipEntry(file, (name) => /^[^/]+\.dist-info\/METADATA$/.test(name))
  if (entry === undefined) throw new KilnError('E_PACKAGE_INVALID', `${file} has no dist-info/METADATA`, { hint: 'build the package again' })
  return entry.toString('utf8')
}

async function sdistMetadata(file: string): Promise<string> {
  let tar: Buffer
  try {
    tar = gunzipSync(await readFile(file), { maxOutputLength: 512 * MIB })
  } catch (error) {
    throw new KilnError('E_PACKAGE_INVALID', `${file} is neither a wheel nor a .tar.gz`, { cause: error })
  }
  for (let at = 0; at + 512 <= tar.length;) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '')
    const sizeBytes = Number.parseInt(tar.toString('ascii', at + 124, at + 136), 8) || 0
    if (/^[^/]+\/PKG-INFO$/.test(name)) return tar.toString('utf8', at + 512, at + 512 + sizeBytes)
    at += 512 + Math.ceil(sizeBytes / 512) * 512
  }
  throw new KilnError('E_PACKAGE_INVALID', `${file} has no PKG-INFO`, { hint: 'build the package again' })
}

/** Core metadata (email headers, then the description) as form fields in twine's names. */
export function parseMetadata(text: string): readonly (readonly [field: string, value: string])[] {
  const normal = text.replaceAll('\r\n', '\n')
  const split = normal.indexOf('\n\n')
  const head = split < 0 ? normal : normal.slice(0, split)
  const body = split < 0 ? '' : normal.slice(split + 2)
  const fields: (readonly [string, string])[] = []
  for (const line of head.replaceAll(/\n[ \t]+/g, '\n\u0000').split('\n')) {
    const last = fields.at(-1)
    if (line.startsWith('\u0000')) {
      if (last !== undefined) fields[fields.length - 1] = [last[0], `${last[1]}\n${line.slice(1)}`]
      continue
    }
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const header = line.slice(0, colon).toLowerCase()
    fields.push([repeatedFields[header] ?? header.replaceAll('-', '_'), line.slice(colon + 1).trim()])
  }
  if (body.trim() !== '' && !fields.some(([field]) => field === 'description')) fields.push(['description', body])
  return fields
}
