/** A data folder, a server whose version changes, and a clone with two commits of the example, for tests of triggers. */
import { execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { waitFor } from '../../../base/wait.ts'
import { removeAll } from '../../../host/files.ts'
import { kilnHome } from '../../../host/home.ts'
import type { KilnHome } from '../../../host/home.ts'
import { openPipelines } from '../../../pipeline/pipelines.ts'
import type { Pipelines } from '../../../pipeline/pipelines.ts'
import type { Pipeline } from '../../../pipeline/types.ts'
import { isEnded } from '../../../pipeline/types.ts'
import { deliveryPaths } from '../paths.ts'
import { addRemote } from '../remote.ts'
import { hasWorker } from '../wake.ts'

const execute = promisify(execFile)

export const fakeWorkerScript = fileURLToPath(new URL('worker.ts', import.meta.url))
const fakeReceiver = fileURLToPath(new URL('receive.ts', import.meta.url))

export interface Place {
  readonly home: KilnHome
  readonly clone: string
  /** The stack's folder in the clone. */
  readonly stack: string
  readonly serverUrl: string
  /** What the server was told at deploys. */
  readonly deploys: readonly Record<string, unknown>[]
  pipelines(): Pipelines
  git(...args: readonly string[]): Promise<string>
  /** Commits files (text by path below the stack's folder; undefined removes) and gives the commit. */
  commit(message: string, files: Readonly<Record<string, string | undefined>>): Promise<string>
  /** Commits a new version of the server. */
  version(version: string): Promise<string>
  setUpRemote(): Promise<void>
  /** Pushes and gives all that git showed, and the child's pid as soon as it runs. */
  push(ref: string, onStart?: (pid: number) => void): Promise<{ readonly code: number | null; readonly text: string }>
  ended(id: number): Promise<Pipeline>
  served(): Promise<string>
  close(): Promise<void>
}

const config = `export default {
  project: { id: 'moshi-3' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  images: {
    python3: { debian: 'bookworm' },
    'moshi-srv': { from: 'python3', python: ['moshi-server'], files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' } },
  },
  dev: { image: 'moshi-srv' },
  github: { repository: 'moshi/moshi', branch: 'main' },
}
`

/** @param folder of the stack in the repository; empty for its root */
export async function createPlace(folder = 'deploy/moshi'): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'kiln-triggers-'))
  const home = kilnHome({ KILN_HOME: join(root, 'home') })
  const clone = join(root, 'clone')
  const stack = join(clone, folder)
  await mkdir(home.root, { recursive: true })
  await mkdir(stack, { recursive: true })
  const deploys: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        deploys.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
        response.end()
      })
    } else response.end(request.url === '/version' ? JSON.stringify({ name: 'moshi-server', version: deploys.at(-1)?.['version'] ?? '0.0.0' }) : 'ok')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const serverUrl = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`
  await writeFile(join(home.root, 'server-url'), serverUrl)
  let opened: Pipelines | undefined

  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  }
  const git = async (...args: readonly string[]): Promise<string> => (await execute('git', [...args], { cwd: clone, env })).stdout.trim()

  const place: Place = {
    home,
    clone,
    stack,
    serverUrl,
    deploys,
    pipelines: () => (opened ??= openPipelines(deliveryPaths(home).database)),
    git,
    async commit(message, files) {
      for (const [path, text] of Object.entries(files)) {
        if (text === undefined) await removeAll(join(stack, path))
        else await writeFile(join(stack, path), text)
      }
      await git('add', '-A')
      await git('commit', '-q', '-m', message)
      return git('rev-parse', 'HEAD')
    },
    version: async (version) =>
      place.commit(`Version ${version}`, {
        'server/pyproject.toml': (await readFile(join(stack, 'server/pyproject.toml'), 'utf8')).replace(/version = ".*"/, `version = "${version}"`),
      }),
    async setUpRemote() {
      await addRemote({ home, dir: stack, name: 'kiln', receiver: fakeReceiver })
    },
    push: (ref, onStart) =>
      new Promise((resolve, reject) => {
        // In a group of its own, so that a Ctrl-C can be sent to it as a terminal does.
        const child = spawn('git', ['push', 'kiln', ref], { cwd: clone, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
        let text = ''
        const add = (chunk: Buffer): void => {
          text += chunk.toString()
        }
        child.stdout.on('data', add)
        child.stderr.on('data', add)
        child.once('spawn', () => onStart?.(child.pid ?? 0))
        child.once('error', reject)
        child.once('close', (code) => resolve({ code, text }))
      }),
    ended: (id) =>
      waitFor({ what: `the end of pipeline ${id}`, timeoutMs: 60_000, intervalMs: 50 }, async () => {
        const now = place.pipelines().get(id)
        return now !== undefined && isEnded(now.state) ? { done: true, value: now } : { done: false, status: JSON.stringify(now) }
      }),
    served: async () => (await fetch(`${serverUrl}/version`)).text(),
    async close() {
      opened?.close()
      await waitFor({ what: 'the end of the worker', timeoutMs: 60_000, intervalMs: 50 }, async () =>
        (await hasWorker(home, 'moshi-3')) ? { done: false, status: 'it runs' } : { done: true, value: undefined },
      )
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await removeAll(root)
    },
  }

  await git('init', '-q', '--initial-branch=main')
  await cp(fileURLToPath(new URL('../../../../examples/moshi/server', import.meta.url)), join(stack, 'server'), { recursive: true })
  await place.commit('The server', { 'kiln.config.ts': config, 'entrypoint.sh': '#!/bin/sh\n' })
  await place.version('0.2.0')
  return place
}
