/** The driver against recordings of a real terraform. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../base/wait.ts'
import { ApplyError } from '../engine/apply.ts'
import type { EngineEvent } from '../engine/types.ts'
import { exists } from '../host/files.ts'
import { identifyProcess } from '../host/process.ts'
import { createTerraform } from './driver.ts'
import type { RootModule, Terraform } from './driver.ts'
import { answerOnce, fakeTerraform, recording } from './testing/fake-terraform.ts'
import type { FakeTerraform } from './testing/fake-terraform.ts'

let folder: string
let fake: FakeTerraform
let events: EngineEvent[]
let notes: string[]
let aborter: AbortController
let module: RootModule

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-terraform-'))
  fake = await fakeTerraform(join(folder, 'bin'))
  events = []
  notes = []
  aborter = new AbortController()
  module = { name: 'storage', dir: folder, backend: { bucket: 'state', prefix: 'storage' }, variables: { project: 'p' } }
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function driver(): Terraform {
  return createTerraform({
    program: fake.program,
    workDir: join(folder, 'work'),
    pluginCache: join(folder, 'plugins'),
    signal: aborter.signal,
    note: (text) => void notes.push(text),
    onEvent: (event) => void events.push(event),
    env: fake.env,
  })
}

const told = (): string[] => events.map((event) => `${event.type} ${event.address}${event.type === 'note' ? `: ${event.text}` : ''}`)

test('init gets the backend, and keeps its data out of the folder of the files', async () => {
  await driver().init(module)
  expect(await fake.calls()).toEqual(['init -json -input=false -reconfigure -backend-config=bucket=state -backend-config=prefix=storage'])
})

test('a plan shows actions, reasons and differences', async () => {
  await fake.answer('plan', await recording('plan-replace.jsonl'), 2)
  await fake.answer('show', await recording('show-replace.json'))
  const terraform = driver()
  await terraform.init(module)
  const plan = await terraform.plan(module)
  expect(plan.empty).toBe(false)
  expect(plan.nodes).toMatchObject([
    { address: 'storage/terraform_data.a', kind: 'terraform_data', action: 'update', reasons: ['input: "one" -> "two"'], drifted: false },
    { address: 'storage/terraform_data.b', action: 'replace', reasons: ['triggers_replace.0: "one" -> "(known after apply)"'] },
    { address: 'storage/terraform_data.c["x.y/z"]', action: 'update' },
  ])
  expect((await stat(plan.file)).mode & 0o777).toBe(0o600)
})

test('exactly the plan that was made is applied; a replacement is done when both of its steps are', async () => {
  await fake.answer('plan', await recording('plan-replace.jsonl'), 2)
  await fake.answer('show', await recording('show-replace.json'))
  await fake.answer('apply', await recording('apply-replace.jsonl'))
  const terraform = driver()
  await terraform.init(module)
  const plan = await terraform.plan(module)
  const result = await terraform.apply(plan)
  expect((await fake.calls()).at(-1)).toBe(`apply -json -input=false ${plan.file}`)
  expect(result.changes).toBe(3)
  expect(told()).toEqual([
    'start storage/terraform_data.b',
    'note storage/terraform_data.b: the old one is gone',
    'start storage/terraform_data.a',
    'done storage/terraform_data.a',
    'done storage/terraform_data.b',
    'start storage/terraform_data.c["x.y/z"]',
    'done storage/terraform_data.c["x.y/z"]',
  ])
  expect(await exists(plan.file)).toBe(false)
})

test('a plan that somebody changed after it was shown is refused', async () => {
  await fake.answer('plan', await recording('plan-create.jsonl'), 2)
  await fake.answer('show', await recording('show-create.json'))
  const terraform = driver()
  await terraform.init(module)
  const plan = await terraform.plan(module)
  await writeFile(plan.file, 'another plan')
  await expect(terraform.apply(plan)).rejects.toMatchObject({ code: 'E_PLAN_STALE' })
  expect((await fake.calls()).filter((call) => call.startsWith('apply'))).toEqual([])
})

test('a state that changed between plan and apply is told as such', async () => {
  await fake.answer('plan', await recording('plan-create.jsonl'), 2)
  await fake.answer('show', await recording('show-create.json'))
  await fake.answer('apply', await recording('apply-stale.jsonl'), 1)
  const terraform = driver()
  await terraform.init(module)
  await expect(terraform.apply(await terraform.plan(module))).rejects.toMatchObject({ code: 'E_PLAN_STALE', message: expect.stringContaining('stale') })
})

test('a part is planned to a file of its own; resources of modules go by the name of their module', async () => {
  await fake.answer('plan', '', 2)
  await fake.answer('show', (await recording('show-create.json')).replaceAll('"terraform_data.', '"module.pypi.terraform_data.'))
  const terraform = driver()
  await terraform.init(module)
  const [part, whole] = [await terraform.plan(module, { targets: ['module.pypi'] }), await terraform.plan(module)]
  expect(part.file).not.toBe(whole.file)
  expect((await fake.calls()).find((call) => call.startsWith('plan'))).toBe(`plan -json -input=false -detailed-exitcode -out=${part.file} -target=module.pypi`)
  expect(part.nodes.map((node) => node.address)).toEqual(['pypi/terraform_data.a', 'pypi/terraform_data.b', 'pypi/terraform_data.c["x.y/z"]'])
})

test('nothing to change: no apply is run', async () => {
  await fake.answer('show', JSON.stringify({ terraform_version: '1.11.4' }))
  const terraform = driver()
  await terraform.init(module)
  const plan = await terraform.plan(module)
  expect(plan).toMatchObject({ empty: true, nodes: [] })
  expect(await terraform.apply(plan)).toEqual({ applied: [], changes: 0 })
  expect((await fake.calls()).some((call) => call.startsWith('apply'))).toBe(false)
})

test('a failure names its resource and cause, and what was not tried', async () => {
  await fake.answer('plan', await recording('plan-create.jsonl'), 2)
  await fake.answer('show', await recording('show-create.json'))
  await fake.answer('apply', await recording('apply-fails.jsonl'), 1)
  const terraform = driver()
  await terraform.init(module)
  const plan = await terraform.plan(module)
  const error: unknown = await terraform.apply(plan).catch((reason: unknown) => reason)
  if (!(error instanceof ApplyError)) throw new Error(`not an ApplyError: ${String(error)}`)
  expect(error).toMatchObject({ code: 'E_APPLY', message: expect.stringContaining('storage/terraform_data.b: local-exec provisioner error (main.tf:') })
  expect(error.failures.map((failure) => failure.address)).toEqual(['storage/terraform_data.b'])
  expect(error.skipped).toEqual(['storage/terraform_data.c["x.y/z"]'])
  expect(told()).toEqual([
    'start storage/terraform_data.a',
    'done storage/terraform_data.a',
    'start storage/terraform_data.b',
    'failed storage/terraform_data.b',
    'skipped storage/terraform_data.c["x.y/z"]',
  ])
})

test('what an earlier run left half made is replaced, and the plan says why', async () => {
  await fake.answer('plan', '', 2)
  await fake.answer('show', await recording('show-tainted.json'))
  const terraform = driver()
  await terraform.init(module)
  const { nodes } = await terraform.plan(module)
  expect(nodes.find((node) => node.address === 'storage/terraform_data.b')).toMatchObject({ action: 'replace', reasons: ['an earlier run left it half made'] })
  expect(nodes.find((node) => node.address === 'storage/terraform_data.a')).toMatchObject({ action: 'noop', reasons: [] })
})

test('the lock of another run is told: who, since when, how to unlock', async () => {
  await fake.answer('plan', await recording('plan-locked.jsonl'), 1)
  const terraform = driver()
  await terraform.init(module)
  const id = /ID: +([\w-]+)/.exec(await recording('plan-locked.jsonl'))?.[1]
  await expect(terraform.plan(module)).rejects.toMatchObject({
    code: 'E_STATE_LOCKED',
    message: expect.stringMatching(/is locked by ops@build-7 \(apply\) since 2026-/),
    hint: expect.stringContaining(`terraform force-unlock ${id}`),
  })
  expect((await fake.calls()).some((call) => call.startsWith('force-unlock'))).toBe(false)
})

/** The recorded lock, as this user's on this machine since now. */
async function ownLock(): Promise<string> {
  const now = new Date().toISOString().replace('T', ' ').replace('Z', '000000 +0000 UTC')
  return (await recording('plan-locked.jsonl')).replace('ops@build-7', `${userInfo().username}@${hostname()}`).replace(/(Created: +)[^\\]+/, `$1${now}`)
}

test('a lock that a dead run of this data folder left is taken away', async () => {
  await fake.answer('show', JSON.stringify({ terraform_version: '1.11.4' }))
  const terraform = driver()
  await terraform.init(module)
  await writeFile(join(folder, 'work', 'storage', 'running.json'), JSON.stringify({ process: { pid: 1, startTime: 'long ago' }, since: new Date().toISOString() }))
  await terraform.init(module)
  await answerOnce(fake, 'plan', await ownLock(), 1)
  expect((await terraform.plan(module)).empty).toBe(true)
  const calls = await fake.calls()
  expect(calls.filter((call) => /^(plan|force)/.test(call)).map((call) => call.split(' ')[0])).toEqual(['plan', 'force-unlock', 'plan'])
  expect(notes.join()).toContain('taking the lock away')
})

test('a lock of this user that no dead run explains stays', async () => {
  const terraform = driver()
  await terraform.init(module)
  await fake.answer('plan', await ownLock(), 1)
  await expect(terraform.plan(module)).rejects.toMatchObject({ code: 'E_STATE_LOCKED' })
})

test('Ctrl-C reaches terraform once, and its end is waited for', async () => {
  await fake.answer('show', JSON.stringify({ terraform_version: '1.11.4' }))
  await fake.hang('plan')
  const terraform = driver()
  await terraform.init(module)
  const running = terraform.plan(module)
  running.catch(() => {})
  await waitFor({ what: 'the start', timeoutMs: 30_000, intervalMs: 20 }, async () =>
    (await exists(join(fake.folder, 'plan.started'))) ? { done: true, value: undefined } : { done: false, status: 'not yet' },
  )
  aborter.abort()
  await expect(running).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect(await readFile(join(fake.folder, 'interrupts'), 'utf8')).toBe('interrupted\n')
})

test('a terraform that outlived its command is waited for', async () => {
  const terraform = driver()
  await terraform.init(module)
  const outlived = spawn('sleep', ['600'])
  const process = await identifyProcess(outlived.pid ?? 0)
  await writeFile(join(folder, 'work', 'storage', 'running.json'), JSON.stringify({ process, since: '2026-01-01T00:00:00Z' }))
  const second = terraform.init(module)
  await waitFor({ what: 'the note', timeoutMs: 30_000, intervalMs: 20 }, async () => (notes.length > 0 ? { done: true, value: undefined } : { done: false, status: 'no note' }))
  expect(notes).toEqual([`Terraform of an earlier run still works (pid ${outlived.pid}, since 2026-01-01T00:00:00Z); waiting for its end`])
  expect(await fake.calls()).toHaveLength(1)
  outlived.kill()
  await second
  expect(await fake.calls()).toHaveLength(2)
})

test('a state that an earlier run could not save is brought to the bucket first', async () => {
  await writeFile(join(folder, 'errored.tfstate'), '{}')
  await driver().init(module)
  expect((await fake.calls()).at(-1)).toBe('state push errored.tfstate')
  expect(await exists(join(folder, 'errored.tfstate'))).toBe(false)
})

test('a program that only prints text and fails is quoted', async () => {
  await fake.answer('init', 'panic: runtime error\ngoroutine 1\n', 2)
  await expect(driver().init(module)).rejects.toMatchObject({ code: 'E_TERRAFORM', detail: 'panic: runtime error\ngoroutine 1', hint: expect.stringContaining('init.log') })
})
