/**
 * A push and a signed webhook with everything real: git, the daemon, bakes, boot tests, and a group behind the load balancer whose version changes. One story,
 * in order, with as few boots as it takes: the group has one VM.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../src/base/wait.ts'
import { signBody } from '../src/github/signature.ts'
import { pushPayload } from '../src/github/testing.ts'
import { createWorkplace } from './support/kiln.ts'
import type { Workplace } from './support/kiln.ts'

const execute = promisify(execFile)
let place: Workplace
/** The folder above the stack is the repository. */
let clone: string

async function git(...args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  }
  const { stdout, stderr } = await execute('git', [...args], { cwd: clone, env, maxBuffer: 64 * 1024 * 1024 })
  return `${stdout}${stderr}`.trim()
}

async function release(version: string): Promise<string> {
  const path = join(place.stack, 'server/pyproject.toml')
  await writeFile(path, (await readFile(path, 'utf8')).replace(/^version = ".*"$/m, `version = "${version}"`))
  await git('commit', '-q', '-a', '-m', `Version ${version}`)
  return git('rev-parse', 'HEAD')
}

/** `NUMBER STATE VERSION COMMIT` of every release, the newest first. */
async function releases(): Promise<readonly string[]> {
  const { json } = await place.kiln(['releases', '--json'])
  return json.releases.map((row: { number: number; state: string; version: string; commit?: string }) => `${row.number} ${row.state} ${row.version} ${row.commit ?? ''}`)
}

async function served(url: string): Promise<unknown> {
  const response = await fetch(`${url}/version`, { signal: AbortSignal.timeout(30_000) })
  return ((await response.json()) as { readonly version?: unknown }).version
}

beforeAll(async () => {
  place = await createWorkplace({ sharedCache: true, group: true })
  clone = dirname(place.stack)
  const config = join(place.stack, 'kiln.config.ts')
  const text = await readFile(config, 'utf8')
  const small = text.replace('\n    size: 2,', '\n    size: 1,')
  if (small === text) throw new Error('the example has no group of two that could be made smaller')
  await writeFile(config, small.replace(/\}\)\s*$/, "  github: { repository: 'moshi/moshi' },\n})\n"))
  await writeFile(join(clone, '.gitignore'), '/home\n')
  await git('init', '-q', '--initial-branch=main')
  await git('add', '-A')
  await git('commit', '-q', '-m', 'The server')
  await release('0.1.1')
})
afterAll(async () => {
  // After a failure one may still run, and its worker would start the cloud again while the folder is removed.
  const { pipelines } = (await place.kiln(['pipelines', '--json'])).json as { readonly pipelines?: readonly { readonly id: number; readonly state: string }[] }
  for (const { id } of pipelines?.filter(({ state }) => state === 'queued' || state === 'running') ?? []) {
    await place.kiln(['pipelines', 'cancel', String(id)])
    await place.kiln(['pipelines', 'logs', String(id), '--follow', '--json'])
  }
  await place.remove()
})

test('git push: the stages are shown, the group is made, and serves the version of the commit as release 1', async () => {
  expect((await place.kiln(['remote', 'add', '--json'])).json).toMatchObject({ name: 'kiln', branch: 'main', folder: 'moshi', added: true })
  const shown = await git('push', 'kiln', 'main')
  expect(shown).toContain('boot test passed')
  const [, url = ''] = /remote: kiln: pipeline 1 \([0-9a-f]{7}\) passed: (http:\S+) serves 0\.1\.1/.exec(shown) ?? []
  expect(url, shown).toMatch(/^http:\/\/127\./)
  expect(await served(url)).toBe('0.1.1')
  const { json } = await place.kiln(['pipelines', '--json'])
  expect(json.pipelines[0].stages.map((stage: { state: string }) => stage.state)).toEqual(['passed', 'passed', 'passed', 'passed', 'passed'])
  expect(await releases()).toEqual([`1 live 0.1.1 ${await git('rev-parse', 'HEAD')}`])
  expect(await place.instances(), 'that of the group, and no dev VM').toHaveLength(1)
})

test('a signed webhook does the same over the group that is there, though the daemon is killed in the middle; an unsigned one does nothing', async () => {
  const [before = ''] = await releases()
  const { json } = await place.kiln(['webhook', 'setup', '--fetch-url', clone, '--json'])
  const { secret } = (await place.kiln(['webhook', 'secret', '--json'])).json as { readonly secret: string }
  const commit = await release('0.1.2')
  const body = JSON.stringify(pushPayload({ after: commit }))
  const send = async (signature: string): Promise<Response> =>
    fetch(json.localUrl, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'x-github-event': 'push', 'x-github-delivery': randomUUID(), 'x-hub-signature-256': signature },
    })
  expect((await send(signBody('guess', body))).status).toBe(401)
  expect(await (await send(signBody(secret, body))).json()).toMatchObject({ outcome: 'queued', pipeline: 2 })
  const { pid } = (await place.kiln(['cloud', 'status', '--json'])).json as { readonly pid: number }
  await waitFor({ what: 'the bake of pipeline 2', timeoutMs: 300_000, intervalMs: 1000 }, async () => {
    const shown = (await place.kiln(['pipelines', 'show', '2', '--json'])).json as { readonly stages: readonly { readonly name: string; readonly state: string }[] }
    return shown.stages.some((stage) => stage.name === 'bake' && stage.state === 'running')
      ? { done: true, value: undefined }
      : { done: false, status: JSON.stringify(shown.stages) }
  })
  process.kill(pid, 'SIGKILL')
  const followed = await place.kiln(['pipelines', 'logs', '2', '--follow', '--json'])
  expect(followed.exitCode, followed.stderr).toBe(0)
  expect(followed.json).toMatchObject({ id: 2, state: 'passed' })
  const ended = (await place.kiln(['pipelines', 'show', '2', '--json'])).json
  expect(await served(ended.stages.find((stage: { name: string }) => stage.name === 'deploy').result.url)).toBe('0.1.2')
  expect(await releases()).toEqual([`2 live 0.1.2 ${commit}`, before.replace(' live ', ' superseded ')])
  const { deliveries } = (await place.kiln(['webhook', 'deliveries', '--json'])).json
  expect(deliveries.map((each: { outcome: string }) => each.outcome)).toEqual(['queued', 'refused'])
})
