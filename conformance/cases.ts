/** The cases of conformance/: one folder per client, one shell script per case. What a case is stands in conformance/README.md. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from '../tools/imports.ts'

export interface Case {
  /** Folder name: `gcloud`. */
  readonly client: string
  /** File name without number and ending: `projects`. */
  readonly name: string
  readonly path: string
  /** The first comment of the script. */
  readonly what: string
}

export interface Client {
  readonly name: string
  /** What the client comes from; `make test` runs those from npm and Debian. */
  readonly source: 'machine' | 'debian' | 'npm' | 'pypi' | 'go'
  readonly what: string
  readonly cases: readonly Case[]
}

export type Outcome =
  | { readonly result: 'passed' | 'failed'; readonly seconds: number; readonly output: string }
  | { readonly result: 'skipped'; readonly reason: string; readonly seconds: number }

const folder = join(root, 'conformance')
/** As automake's test driver has it: this cannot run here. */
const SKIPPED = 77
/** The runbook takes six minutes on two quiet cores without KVM, and several times that beside other work. */
const CASE_TIMEOUT_MS = 3_600_000

/** All clients, in the order of their names. @throws Error for a client without a `client.sh` that says where it is from */
export function listClients(): readonly Client[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'client.sh')))
    .map((entry) => readClient(entry.name))
}

function readClient(name: string): Client {
  const head = readFileSync(join(folder, name, 'client.sh'), 'utf8')
  const source = /^# from: (machine|debian|npm|pypi|go)$/m.exec(head)?.[1] as Client['source'] | undefined
  if (source === undefined) throw new Error(`conformance/${name}/client.sh needs a line "# from: machine|debian|npm|pypi|go"`)
  const cases = readdirSync(join(folder, name, 'cases'))
    .filter((file) => file.endsWith('.sh'))
    .sort()
    .map((file): Case => {
      const path = join(folder, name, 'cases', file)
      return { client: name, name: file.replace(/^\d+-/, '').replace(/\.sh$/, ''), path, what: firstComment(readFileSync(path, 'utf8')) }
    })
  return { name, source, what: firstComment(head), cases }
}

function firstComment(text: string): string {
  return /^# (?!from:)(.+)$/m.exec(text.replace(/^#!.*\n/, ''))?.[1] ?? ''
}

/** A pocket cloud of its own, and the folder where cases work. */
export interface Bench {
  readonly home: string
  readonly work: string
  /** Version of a client, after its `client.sh` has made it ready; or why it cannot be had. */
  prepare(client: Client): Promise<{ readonly version: string } | { readonly skipped: string }>
  run(each: Case): Promise<Outcome>
  /** Stops the cloud with its VMs and removes its data. Where cases failed, their folders and logs stay, and this says where. */
  close(): Promise<string | undefined>
}

/** What clients install is kept between runs in the user's cache folder. When `signal` fires, whatever runs is ended, with all that it has begun. */
export async function openBench(signal: AbortSignal = new AbortController().signal): Promise<Bench> {
  const work = mkdtempSync(join(tmpdir(), 'kiln-conformance-'))
  const home = join(work, 'home')
  const tools = join(process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? work, '.cache'), 'kiln', 'conformance')
  mkdirSync(tools, { recursive: true })
  const logs = join(work, 'logs')
  mkdirSync(logs)
  const kiln = join(work, 'kiln')
  // The launcher would look for Node again; this one is known to fit.
  writeFileSync(kiln, `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${join(root, 'src/cli/main.ts')}" "$@"\n`, { mode: 0o755 })
  const env = {
    ...process.env,
    KILN_HOME: home,
    KILN: kiln,
    HOME: join(work, 'user'),
    XDG_CACHE_HOME: dirname(dirname(tools)),
    TOOLS: tools,
    LIB: join(folder, 'lib.sh'),
    ROOT: root,
    NODE: process.execPath,
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    TF_PLUGIN_MIRROR: join(process.env['HOME'] ?? '', '.terraform.d', 'plugins'),
  }
  mkdirSync(env.HOME)

  async function shell(
    args: readonly string[],
    cwd: string,
    more: Record<string, string> = {},
  ): Promise<{ readonly code: number; readonly output: string; readonly seconds: number }> {
    const started = performance.now()
    return new Promise((resolve, reject) => {
      const child = spawn(args[0] ?? '', args.slice(1), { cwd, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
      // The whole group: a case is a shell with children of its own.
      const kill = (): void => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      }
      const timer = setTimeout(kill, CASE_TIMEOUT_MS)
      signal.addEventListener('abort', kill)
      child.once('error', reject)
      child.once('close', (code, endedBy) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', kill)
        resolve({ code: code ?? 1, output: endedBy === 'SIGKILL' ? `${output}\nended after ${CASE_TIMEOUT_MS / 1000} s` : output, seconds: (performance.now() - started) / 1000 })
      })
    })
  }

  let failures = 0
  const started = await shell([kiln, 'cloud', 'start'], work)
  if (started.code !== 0) throw new Error(`the pocket cloud did not start:\n${started.output}`)

  return {
    home,
    work,
    async prepare(client) {
      const { code, output } = await shell(['bash', join(folder, client.name, 'client.sh')], work)
      const last = output.trim().split('\n').at(-1) ?? ''
      if (code === 0) return { version: last }
      if (code === SKIPPED) return { skipped: last }
      throw new Error(`conformance/${client.name}/client.sh ended with ${code}:\n${output}`)
    },
    async run(each) {
      const cwd = join(work, each.client, each.name)
      mkdirSync(cwd, { recursive: true })
      // Project ids have 6 to 30 characters.
      const project = `c-${each.client}-${each.name}`.slice(0, 30).replace(/-+$/, '')
      const { code, output, seconds } = await shell([kiln, 'cloud', 'exec', '--project', project, '--', 'bash', each.path], cwd, {
        PROJECT: project,
        CASE: dirname(each.path),
        CLIENT: join(folder, each.client),
      })
      writeFileSync(join(logs, `${each.client}-${each.name}.log`), output)
      if (code === SKIPPED) return { result: 'skipped', reason: output.trim().split('\n').at(-1) ?? '', seconds }
      if (code !== 0) failures += 1
      return { result: code === 0 ? 'passed' : 'failed', seconds, output }
    },
    async close() {
      const { code, output } = await shell([kiln, 'cloud', 'reset', '--yes'], root)
      if (code !== 0) throw new Error(`the pocket cloud could not be emptied:\n${output}`)
      if (failures > 0) return work
      rmSync(work, { recursive: true, force: true })
      return undefined
    },
  }
}
