/**
 * The ledger: numbered releases as objects `releases/NNNNNN.json` of a bucket. A number is taken by creating its object, which only one deployer can do;
 * every later write names the generation that it read.
 */
import { KilnError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import { timestamp } from './clock.ts'
import type { Clock } from './clock.ts'
import { Release, ledgerFormat } from './ledger.schema.ts'
import type { ObjectStore } from './objects.ts'

export const ledgerFolder = 'releases/'

/** An object in the ledger's folder that is no release: torn, foreign, or of a newer Kiln. */
export interface LedgerProblem {
  readonly object: string
  readonly problem: string
}

export interface LedgerView {
  /** Newest first. */
  readonly releases: readonly Release[]
  readonly problems: readonly LedgerProblem[]
}

/** What a new release says of itself; the ledger adds number, state and times. `template` gets the number that was taken. */
export type NewRelease = Omit<Release, 'format' | 'number' | 'attempt' | 'state' | 'createdAt' | 'updatedAt' | 'evidence' | 'template'> & {
  readonly template: (number: number) => string
}

export interface Ledger {
  /** Takes the next number. Two deployers never get the same one. */
  create(content: NewRelease): Promise<Release>
  /** @throws KilnError E_DATA_BROKEN for a torn record */
  get(number: number): Promise<Release | undefined>
  list(): Promise<LedgerView>
  /** Reads, edits and writes, again when somebody was faster: `edit` must be a function of the record alone. @throws KilnError E_NOT_FOUND, E_DATA_BROKEN, E_DATA_NEWER */
  update(number: number, edit: (release: Release) => Release): Promise<Release>
}

const mostTries = 20
const readersAtOnce = 8

/** `7` -> `releases/000007.json` */
export function releaseObject(number: number): string {
  return `${ledgerFolder}${String(number).padStart(6, '0')}.json`
}

/** Where the failure capsule of a release lies. */
export function capsuleFolder(number: number): string {
  return `${ledgerFolder}${String(number).padStart(6, '0')}/`
}

export function createLedger(store: ObjectStore, clock: Clock): Ledger {
  async function numbers(): Promise<{ readonly numbered: readonly { number: number; object: string }[]; readonly foreign: readonly string[] }> {
    const objects = (await store.list(ledgerFolder)).filter((object) => object !== ledgerFolder)
    const numbered = objects.flatMap((object) => {
      const number = numberOf(object)
      return number === undefined ? [] : [{ number, object }]
    })
    return { numbered: numbered.toSorted((left, right) => right.number - left.number), foreign: objects.filter((object) => numberOf(object) === undefined) }
  }

  async function readAll(object: string): Promise<{ readonly release: Release } | LedgerProblem | undefined> {
    const stored = await store.read(object)
    return stored === undefined ? undefined : parse(object, stored.text)
  }

  return {
    async create(content) {
      const attempt = shortId(16)
      for (let tries = 0; tries < mostTries; tries += 1) {
        const { numbered } = await numbers()
        const number = (numbered[0]?.number ?? 0) + 1
        const now = timestamp(clock)
        const { template, ...rest } = content
        const release = Release.parse({
          ...rest,
          format: ledgerFormat,
          number,
          attempt,
          template: template(number),
          state: 'pending',
          createdAt: now,
          updatedAt: now,
          evidence: [],
        })
        const object = releaseObject(number)
        if ((await store.write(object, textOf(release), '0')) !== undefined) return release
        // Taken. By us, when the answer to our own write was lost and the write was repeated.
        const there = await readAll(object)
        if (there !== undefined && 'release' in there && there.release.attempt === attempt) return there.release
      }
      throw new KilnError('E_LOCKED', `${mostTries} times another deployer took the next release number of gs://${store.bucket}/${ledgerFolder}`, {
        hint: 'run the same command again when the others have ended',
      })
    },
    async get(number) {
      const found = await readAll(releaseObject(number))
      if (found === undefined) return undefined
      if ('problem' in found) throw broken(store, found)
      return found.release
    },
    async list() {
      const { numbered, foreign } = await numbers()
      const releases: Release[] = []
      const problems: LedgerProblem[] = foreign.map((object) => ({ object, problem: 'its name is not that of a release' }))
      for (let start = 0; start < numbered.length; start += readersAtOnce) {
        const found = await Promise.all(numbered.slice(start, start + readersAtOnce).map(({ object }) => readAll(object)))
        for (const each of found) {
          if (each === undefined) continue
          if ('problem' in each) problems.push(each)
          else releases.push(each.release)
        }
      }
      return { releases, problems }
    },
    async update(number, edit) {
      const object = releaseObject(number)
      for (let tries = 0; tries < mostTries; tries += 1) {
        const stored = await store.read(object)
        if (stored === undefined) throw new KilnError('E_NOT_FOUND', `release ${number} is not in gs://${store.bucket}/${ledgerFolder}`)
        const found = parse(object, stored.text)
        if ('problem' in found) throw broken(store, found)
        const edited = Release.parse({ ...edit(found.release), updatedAt: timestamp(clock) })
        if ((await store.write(object, textOf(edited), stored.generation)) !== undefined) return edited
      }
      throw new KilnError('E_LOCKED', `release ${number} was changed by others ${mostTries} times while it was written`, { hint: 'run the same command again' })
    },
  }
}

/** The release that serves: the newest live one. */
export function currentRelease(releases: readonly Release[]): Release | undefined {
  return newestFirst(releases).find((release) => release.state === 'live')
}

/** The release that `rollback` without a number brings back: the newest before the current one that served well and gave way to a newer one. */
export function previousGood(releases: readonly Release[]): Release | undefined {
  const current = currentRelease(releases)
  const before = current?.rollbackOf ?? current?.number ?? Infinity
  return newestFirst(releases).find(
    (release) => release.state === 'superseded' && release.liveAt !== undefined && release.number < before && release.template !== current?.template,
  )
}

/** The newest release that was begun and not ended; a process that deployed it died, or still works. */
export function unfinishedRelease(releases: readonly Release[]): Release | undefined {
  const newest = newestFirst(releases)[0]
  if (newest === undefined) return undefined
  if (['pending', 'rolling', 'baking'].includes(newest.state)) return newest
  return newest.state === 'failed' && (newest.restore === undefined || newest.restore === 'pending') ? newest : undefined
}

function newestFirst(releases: readonly Release[]): readonly Release[] {
  return releases.toSorted((left, right) => right.number - left.number)
}

function numberOf(object: string): number | undefined {
  const digits = /^releases\/(\d{6,12})\.json$/.exec(object)?.[1]
  return digits === undefined || Number(digits) === 0 ? undefined : Number(digits)
}

function textOf(release: Release): string {
  return `${JSON.stringify(release, undefined, 2)}\n`
}

function parse(object: string, text: string): { readonly release: Release } | LedgerProblem {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { object, problem: 'it is not JSON' }
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  if (typeof format === 'number' && format > ledgerFormat) return { object, problem: `it was written by a newer Kiln (format ${format})` }
  const parsed = Release.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return { object, problem: `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is not a release'}` }
  }
  if (parsed.data.number !== numberOf(object)) return { object, problem: `it says that it is release ${parsed.data.number}` }
  return { release: parsed.data }
}

function broken(store: ObjectStore, found: LedgerProblem): KilnError {
  const isNewer = found.problem.includes('newer Kiln')
  return new KilnError(isNewer ? 'E_DATA_NEWER' : 'E_DATA_BROKEN', `gs://${store.bucket}/${found.object} is no release that can be used: ${found.problem}`, {
    hint: isNewer ? 'use that Kiln' : 'restore the object from an older generation, or delete it',
  })
}
