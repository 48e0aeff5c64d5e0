/** How long a commit takes until it serves everywhere, and how long the way back takes, with somebody who asks all the while. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Progress } from '../../src/base/progress.ts'
import { sleep } from '../../src/base/wait.ts'
import { run } from '../../src/host/exec.ts'
import { loadNow } from '../machine.ts'
import type { BenchStack } from './stack.ts'

/** One change of what serves. Times count from the commit, or from the start of the verb that has none. */
export interface Rollout {
  readonly what: string
  /** The first answer of the new version at the load balancer. */
  readonly firstNewMs: number
  /** The last answer of the old one. */
  readonly lastOldMs: number
  /** The verb's own figure: from the start of the rollout until all instances of it served, without the watch after it. */
  readonly rolloutMs: number | undefined
  /** The verb ended: the watch is over too. */
  readonly verbMs: number
  readonly requests: number
  readonly failed: number
  /** Load average when it began. */
  readonly load: number
}

const Report = z.looseObject({ url: z.string(), version: z.string().nullish(), servingMs: z.number().nullish() })
const Up = z.looseObject({ url: z.string() })
/** Between two requests of whoever asks. */
const ASK_EVERY_MS = 50

/** @throws KilnError when a release fails */
export async function measureReleases(stack: BenchStack, progress: Progress, signal: AbortSignal): Promise<readonly Rollout[]> {
  await git(stack, signal, 'init', '-q')
  await commit(stack, 'first', signal)
  progress.note('the first release: kiln up')
  const { url } = Up.parse(await stack.kiln(['up']))
  const rollouts: Rollout[] = []
  const note = (rollout: Rollout): void => {
    rollouts.push(rollout)
    progress.note(
      `${rollout.what}: first ${rollout.firstNewMs} ms, last old ${rollout.lastOldMs} ms, verb ${rollout.verbMs} ms, ${rollout.failed} of ${rollout.requests} requests failed`,
    )
  }
  for (const [version, args, what] of [
    ['0.1.1', ['deploy', '--cold'], 'commit, new machines boot'],
    ['0.1.2', ['deploy'], 'commit, new machines as usual'],
  ] as const) {
    await setVersion(stack, version)
    await commit(stack, version, signal)
    note(await watched(stack, url, what, version, args, signal))
  }
  note(await watched(stack, url, 'kiln rollback', '0.1.1', ['rollback'], signal))
  return rollouts
}

async function watched(stack: BenchStack, url: string, what: string, version: string, args: readonly string[], signal: AbortSignal): Promise<Rollout> {
  const load = loadNow()
  const over = new AbortController()
  const begun = performance.now()
  const since = (): number => Math.round(performance.now() - begun)
  const seen = { firstNew: Number.NaN, lastOld: 0, requests: 0, failed: 0 }
  const asking = (async () => {
    while (!over.signal.aborted) {
      const answer = await versionAt(url, signal)
      seen.requests += 1
      if (answer === undefined) seen.failed += 1
      else if (answer !== version) seen.lastOld = since()
      else if (Number.isNaN(seen.firstNew)) seen.firstNew = since()
      await sleep(ASK_EVERY_MS)
    }
  })()
  try {
    const report = Report.parse(await stack.kiln(args))
    const verbMs = since()
    // What came last was asked for before the end of the verb.
    over.abort()
    await asking
    if (Number.isNaN(seen.firstNew)) throw new Error(`${what}: the version ${version} never answered at ${url}`)
    return { what, firstNewMs: seen.firstNew, lastOldMs: seen.lastOld, rolloutMs: report.servingMs ?? undefined, verbMs, requests: seen.requests, failed: seen.failed, load }
  } finally {
    over.abort()
    await asking
  }
}

/** Over a connection of its own, since one that is kept could stay with one machine. Undefined: no good answer. */
async function versionAt(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/version`, { headers: { connection: 'close' }, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) })
    const body = (await answer.json()) as { readonly version?: string }
    return answer.status === 200 ? body.version : undefined
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

async function setVersion(stack: BenchStack, version: string): Promise<void> {
  const file = join(stack.folder, 'server/pyproject.toml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/^version = ".*"$/m, `version = "${version}"`))
}

async function commit(stack: BenchStack, message: string, signal: AbortSignal): Promise<void> {
  await git(stack, signal, 'add', '-A')
  await git(stack, signal, '-c', 'user.name=bench', '-c', 'user.email=bench@example.com', 'commit', '-qm', message)
}

async function git(stack: BenchStack, signal: AbortSignal, ...args: readonly string[]): Promise<void> {
  await run({ program: 'git', args, cwd: stack.folder }, { what: `git ${args[0] ?? ''}`, signal })
}
