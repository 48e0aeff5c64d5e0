/** Where Debian packages come from: the mirror that this machine's own apt uses, so that a bake works wherever apt works. */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError, describeError, isKilnError } from '../base/errors.ts'
import { removeAll } from '../host/files.ts'
import { run } from '../host/exec.ts'
import type { Suite } from './recipe/packages.ts'

export interface Mirror {
  readonly archive: string
  readonly security: string
}

export const defaultMirror: Mirror = { archive: 'http://deb.debian.org/debian', security: 'http://deb.debian.org/debian-security' }

/** The mirror from `apt-get indextargets`; the public one where this machine's apt does not use Debian's archive (Ubuntu, for example). */
export async function findMirror(): Promise<Mirror> {
  const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)'
  const targets = await run({ program: 'apt-get', args: ['indextargets', '--format', format] }, { okCodes: [0, 100] }).catch((error: unknown) => {
    if (isKilnError(error) && error.code === 'E_TOOL_MISSING') return { stdout: '' }
    throw error
  })
  return parseMirror(targets.stdout)
}

/** Lines "ORIGIN|LABEL|URI" as apt prints them for the configured sources. */
export function parseMirror(targets: string): Mirror {
  const rows = targets.split('\n').map((line) => line.split('|'))
  const find = (label: string): string | undefined =>
    rows.find(([origin, itsLabel, uri]) => origin === 'Debian' && itsLabel === label && /^https?:/.test(uri ?? ''))?.[2]?.replace(/\/+$/, '')
  const archive = find('Debian')
  if (archive === undefined) return defaultMirror
  return { archive, security: find('Debian-Security') ?? (archive === defaultMirror.archive ? defaultMirror.security : archive.replace(/\/debian$/, '/debian-security')) }
}

/** Lines for sources.list: the suite itself, and those of its companions that the mirror has. @throws KilnError E_NETWORK when the suite cannot be fetched. */
export async function aptSources(mirror: Mirror, suite: Suite, temporary: string, signal?: AbortSignal): Promise<string[]> {
  const wanted = [
    { uri: mirror.archive, name: suite },
    { uri: mirror.archive, name: `${suite}-updates` },
    { uri: mirror.security, name: `${suite}-security` },
  ]
  const found = await Promise.all(wanted.map(async ({ uri, name }) => ({ line: `deb ${uri} ${name} main`, error: await fetchRelease(uri, name, temporary, signal) })))
  const [main] = found
  if (main?.error !== undefined) throw networkError(mirror.archive, suite, main.error)
  return found.filter(({ error }) => error === undefined).map(({ line }) => line)
}

/** The error for an archive that does not answer, or does not have the suite. */
export function networkError(uri: string, suite: string, cause: unknown): KilnError {
  return new KilnError('E_NETWORK', `the Debian archive ${uri} could not be reached for ${suite}`, {
    hint: 'check the network and that `apt-get update` works on this machine, then run the same command again',
    detail: isKilnError(cause) ? cause.detail : describeError(cause),
    cause,
  })
}

/** apt's own fetcher, so that proxies and certificates are those of apt. */
async function fetchRelease(uri: string, name: string, temporary: string, signal?: AbortSignal): Promise<unknown> {
  const folder = await mkdtemp(join(temporary, 'release-'))
  try {
    await run(
      {
        program: '/usr/lib/apt/apt-helper',
        args: ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20', 'download-file', `${uri}/dists/${name}/InRelease`, join(folder, 'InRelease')],
      },
      { timeoutMs: 90_000, ...(signal === undefined ? {} : { signal }) },
    )
    return undefined
  } catch (error) {
    if (isKilnError(error) && (error.code === 'E_CANCELLED' || error.code === 'E_TOOL_MISSING')) throw error
    return error
  } finally {
    await removeAll(folder)
  }
}
