/**
 * Git, run so that nothing of whoever started this process leaks in: a hook's GIT_DIR, a terminal to ask for passwords, helpers behind odd URLs. Secrets go
 * through the environment, never through arguments that other users could read.
 */
import { KilnError } from '../../base/errors.ts'
import { run } from '../../host/exec.ts'

export interface GitOptions {
  readonly cwd?: string
  /** The bare repository to work on. */
  readonly repository?: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly what?: string
}

/** Output of a git command without the newline at its end. @throws KilnError E_TOOL_MISSING, E_TOOL_FAILED with git's words */
export async function git(args: readonly string[], options: GitOptions = {}): Promise<string> {
  const { stdout } = await run(
    {
      program: 'git',
      args: options.repository === undefined ? args : [`--git-dir=${options.repository}`, ...args],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      cleanEnv: true,
      env: { ...inherited(), GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'https:http:ssh:file', LC_ALL: 'C.UTF-8', ...options.env },
    },
    { ...(options.signal === undefined ? {} : { signal: options.signal }), ...(options.what === undefined ? {} : { what: options.what }) },
  )
  return stdout.replace(/\n$/, '')
}

/** The same; undefined when git says no. @throws KilnError E_TOOL_MISSING, E_CANCELLED */
export async function tryGit(args: readonly string[], options: GitOptions = {}): Promise<string | undefined> {
  try {
    return await git(args, options)
  } catch (error) {
    if (error instanceof KilnError && error.code === 'E_TOOL_FAILED') return undefined
    throw error
  }
}

/** For one URL only: what git sends as a header there. */
export function authorizationFor(url: string, token: string | undefined): Record<string, string> {
  if (token === undefined || !url.startsWith('https://')) return {}
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraheader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`,
  }
}

function inherited(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('GIT_')))
}
