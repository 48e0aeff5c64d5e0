/** `kiln import`: reads a project through Google's API into the draft of a config, and says what it did not understand. Reads only. */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { KilnError, describeError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { apisOf } from '../../compile/compile.ts'
import { parseStack } from '../../config/checks.ts'
import { configFileName } from '../../config/load.ts'
import type { StackInput } from '../../config/schema.ts'
import { draftText } from './draft.ts'
import { readAccounts, readPackage } from './read-access.ts'
import { readAuth, readFirestore } from './read-firebase.ts'
import { readGithub } from './read-github.ts'
import { readImages } from './read-images.ts'
import { readDev, readServer } from './read-machines.ts'
import { readDns, readNetwork } from './read-network.ts'
import { findProject, readLocation, readProject } from './read-project.ts'
import { readBuckets, readSecrets } from './read-storage.ts'
import { all, lastPart } from './reading.ts'
import type { Foreign, Reader, Reading } from './reading.ts'

export interface ImportOptions {
  readonly clients: Clients
  readonly projectId: string
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

export interface ImportResult {
  readonly project: string
  /** The text of kiln.config.ts. */
  readonly config: string
  /** The same as a value. */
  readonly stack: StackInput
  /** Texts of other files, by path beside the config. */
  readonly files: Readonly<Record<string, string>>
  /** What the draft does not say. */
  readonly foreign: readonly Foreign[]
}

/** One reader for each section, in the order in which the draft has them; a reader sees what those before it found. */
const readers: readonly (readonly [what: string, read: Reader])[] = [
  ['the project', readProject],
  ['places', readLocation],
  ['the Python repository', readPackage],
  ['the production group', readServer],
  ['machines', readDev],
  ['images', readImages],
  ['service accounts and roles', readAccounts],
  ['buckets', readBuckets],
  ['the GitHub repository', readGithub],
  ['the database', readFirestore],
  ['sign-in', readAuth],
  ['secrets', readSecrets],
  ['the DNS zone', readDns],
  ['networks', readNetwork],
]

/** The order of keys in the draft. */
const keys = ['project', 'location', 'apis', 'package', 'images', 'serviceAccounts', 'buckets', 'secrets', 'firestore', 'auth', 'dev', 'server', 'dns', 'github'] as const

/** @throws KilnError E_NOT_FOUND without the project; what the API answers, with the role that is missing */
export async function importProject(options: ImportOptions): Promise<ImportResult> {
  const { clients, projectId, signal } = options
  const project = await findProject({ clients, projectId, signal })
  const reading: Reading = { clients, projectId, projectNumber: project.projectNumber ?? '', signal }
  let found: Partial<StackInput> = {}
  const foreign: Foreign[] = []
  const comments: Record<string, string> = {}
  const files: Record<string, string> = {}
  for (const [what, read] of readers) {
    options.note(`reading ${what}`)
    const part = await read(reading, found)
    found = { ...found, ...part.section }
    foreign.push(...(part.foreign ?? []))
    Object.assign(comments, part.comments)
    Object.assign(files, part.files)
  }
  const apis = await extraApis(reading, found)
  const all: Partial<StackInput> = { ...found, ...(apis.length === 0 ? {} : { apis: [...apis] }) }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the readers give every required key; what is wrong in one is said below
  const stack = Object.fromEntries(keys.flatMap((key) => (all[key] === undefined ? [] : [[key, all[key]]]))) as unknown as StackInput
  try {
    parseStack(stack)
  } catch (error) {
    foreign.push({ what: 'the draft', why: `it is not a valid config yet: ${describeError(error)}` })
  }
  const heading = [`A draft of the project ${projectId} as it is now. Look at it before \`kiln plan\`; Kiln adopts what exists, and \`kiln destroy\` deletes only what Kiln made.`]
  return { project: projectId, config: draftText(stack, heading, comments), stack, files, foreign }
}

/** What Google turns on in every new project. https://cloud.google.com/service-usage/docs/enabled-service#default */
const onByDefault: readonly string[] = [
  'analyticshub',
  'bigquery',
  'bigqueryconnection',
  'bigquerydatapolicy',
  'bigquerydatatransfer',
  'bigquerymigration',
  'bigqueryreservation',
  'bigquerystorage',
  'cloudapis',
  'cloudtrace',
  'dataform',
  'dataplex',
  'datastore',
  'logging',
  'monitoring',
  'oslogin',
  'servicemanagement',
  'sql-component',
  'storage-api',
  'storage-component',
].map((name) => `${name}.googleapis.com`)

/** APIs that are on, beside those that are on without being asked for and those that the sections turn on. */
async function extraApis(reading: Reading, found: Partial<StackInput>): Promise<readonly string[]> {
  const url = `https://serviceusage.googleapis.com/v1/projects/${reading.projectId}/services?filter=state:ENABLED&pageSize=200`
  const enabled = (await all<{ readonly name?: string }>(reading, url, 'services')).map((service) => lastPart(service.name))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only whether a section is there counts
  const known = apisOf({ secrets: {}, ...found } as unknown as Parameters<typeof apisOf>[0])
  return enabled.filter((api) => !known.includes(api) && !onByDefault.includes(api)).toSorted()
}

/**
 * Writes the draft and its files into a folder, which is made when it is not there. Nothing is written over.
 * @throws KilnError E_USAGE when one of the files exists; then nothing is written
 */
export async function writeDraft(result: ImportResult, folder: string): Promise<readonly string[]> {
  const texts = [...Object.entries(result.files), [configFileName, result.config] as const].map(([name, text]) => ({ path: resolve(folder, name), text }))
  for (const { path } of texts) {
    if (await exists(path)) throw new KilnError('E_USAGE', `${path} exists, and is not written over`, { hint: 'name another folder with --out, or leave it out to see the draft' })
  }
  for (const { path, text } of texts) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { flag: 'wx' })
  }
  return texts.map(({ path }) => path)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
