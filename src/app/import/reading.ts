/** What the readers of a project share: calls, and what each gives back. */
import type { Clients } from '../../client/clients.ts'
import { isAbsent } from '../../client/errors.ts'
import type { StackInput } from '../../config/schema.ts'

export interface Reading {
  readonly clients: Clients
  readonly projectId: string
  readonly projectNumber: string
  readonly signal: AbortSignal
}

/** Something of the project that the draft does not say, and why. */
export interface Foreign {
  /** What it is, as gcloud's words name it: `compute firewall-rules allow-db`. */
  readonly what: string
  readonly why: string
}

/** What one reader found. */
export interface Part {
  readonly section: Partial<StackInput>
  readonly foreign?: readonly Foreign[]
  /** By key path (`images.python3`): what a person has to look at there. */
  readonly comments?: Readonly<Record<string, string>>
  /** Files beside the config, by path. */
  readonly files?: Readonly<Record<string, string>>
}

/** Reads one part of a project. `soFar` has what the readers before found. Reads only. */
export type Reader = (reading: Reading, soFar: Partial<StackInput>) => Promise<Part>

/** A thing, or undefined when it is not there or its API is off. */
export async function one<T>(reading: Reading, url: string, method: 'GET' | 'POST' = 'GET', body?: unknown): Promise<T | undefined> {
  try {
    const options = { signal: reading.signal, quotaProject: reading.projectId, ...(body === undefined ? {} : { body }) }
    return await reading.clients.transport.json<T>(method, url, options)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** All items of a list (all pages); none when its API is off. */
export async function all<T>(reading: Reading, url: string, key: string): Promise<readonly T[]> {
  const items: T[] = []
  let pageToken = ''
  do {
    const separator = url.includes('?') ? '&' : '?'
    const page: Readonly<Record<string, unknown>> = (await one(reading, pageToken === '' ? url : `${url}${separator}pageToken=${encodeURIComponent(pageToken)}`)) ?? {}
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shape is Google's contract; the callers name only the fields that they use
    items.push(...((page[key] ?? []) as T[]))
    pageToken = typeof page['nextPageToken'] === 'string' ? page['nextPageToken'] : ''
  } while (pageToken !== '')
  return items
}

export interface Binding {
  readonly role?: string
  readonly members?: readonly string[]
  readonly condition?: { readonly title?: string }
}

/** `a/b/c` -> `c` */
export function lastPart(name: string | undefined): string {
  return (name ?? '').slice((name ?? '').lastIndexOf('/') + 1)
}

/** The account's name when a policy's member is an account of this project. */
export function accountOfMember(reading: Reading, member: string): string | undefined {
  const match = /^serviceAccount:([^@]+)@(.+)\.iam\.gserviceaccount\.com$/.exec(member)
  return match?.[2] === reading.projectId ? match[1] : undefined
}

/** Google's own accounts, which are in the policies of every project. */
export function isGooglesOwn(member: string): boolean {
  return /^serviceAccount:(\d+(-compute)?@|service-\d+@|[^@]+@(gcp-sa-|cloudservices|appspot))/.test(member) || member.startsWith('deleted:')
}

/** Said by labels, or by the description of things without labels. */
export function isMadeByKiln(thing: { readonly labels?: Readonly<Record<string, string>>; readonly description?: string }): boolean {
  return thing.labels?.['managed-by'] === 'kiln' || (thing.description ?? '').startsWith('Managed by Kiln')
}

export interface Repository {
  /** `projects/P/locations/L/repositories/R` */
  readonly name?: string
  readonly format?: string
}

const repositories = new WeakMap<Reading, Promise<readonly Repository[]>>()

/** Artifact Registry's repositories of all places; the API lists one place at a time. */
export function allRepositories(reading: Reading): Promise<readonly Repository[]> {
  const known = repositories.get(reading) ?? readRepositories(reading)
  repositories.set(reading, known)
  return known
}

async function readRepositories(reading: Reading): Promise<readonly Repository[]> {
  const base = `https://artifactregistry.googleapis.com/v1/projects/${reading.projectId}/locations`
  const locations = await all<{ readonly locationId?: string }>(reading, base, 'locations')
  const found = await Promise.all(locations.map(({ locationId = '' }) => all<Repository>(reading, `${base}/${locationId}/repositories`, 'repositories')))
  return found.flat()
}
