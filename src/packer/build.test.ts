/** Packer as it is called, and what becomes of what it says: a program that plays it. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { waitFor } from '../base/wait.ts'
import { exists } from '../host/files.ts'
import { buildWithPacker, stepOf } from './build.ts'
import { findPacker } from './program.ts'

let folder: string
let notes: string[]
let stop: AbortController

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-packer-'))
  notes = []
  stop = new AbortController()
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

/** A `packer` that writes down its calls; `build` and `init` are lines of shell. */
async function install({ build = 'true', init = 'true', version = '1.11.2' } = {}): Promise<void> {
  const text = `#!/bin/sh
cd "$(dirname "$0")"
case $1 in
  version) echo 'Packer v${version}' ;;
  init) echo "$*" >>calls; ${init} ;;
  build) echo "$*" >>calls; env | grep -E '^(PACKER_LOG|PKR_VAR_x)=' >>calls; ${build} ;;
esac
`
  await writeFile(join(folder, 'packer'), text)
  await chmod(join(folder, 'packer'), 0o755)
}

async function build(): Promise<void> {
  await buildWithPacker({
    program: await findPacker(),
    dir: folder,
    workDir: join(folder, 'work'),
    only: 'moshi-srv.*',
    variables: { image_name: 'moshi-srv-0123', moshi_srv_family: '' },
    signal: stop.signal,
    note: (text) => void notes.push(text),
  })
}

const calls = async (): Promise<readonly string[]> => (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')

test('plugins first, then one build with its variables; steps are progress, what scripts print is not', async () => {
  vi.stubEnv('PACKER_LOG', '1')
  vi.stubEnv('PKR_VAR_x', 'y')
  await install({ build: `echo '==> moshi-srv.googlecompute.moshi_srv: Creating instance...'; echo '    moshi-srv.googlecompute.moshi_srv: Reading package lists...'` })
  await build()
  expect(await calls()).toEqual(['init .', 'build -color=false -only=moshi-srv.* -var image_name=moshi-srv-0123 -var moshi_srv_family= .'])
  expect(notes).toEqual(['Packer: Creating instance...'])
})

test('a build that fails says why, and where the whole output is', async () => {
  await install({ build: `echo '==> moshi-srv.googlecompute.moshi_srv: Error creating instance: googleapi: Error 403: no permission, forbidden'; exit 1` })
  await expect(build()).rejects.toMatchObject({
    code: 'E_BAKE',
    message: 'Packer could not make moshi-srv.*: Error creating instance: googleapi: Error 403: no permission, forbidden',
    hint: expect.stringContaining(join(folder, 'work', 'build.log')),
  })
})

test('plugins that cannot be had are said before anything is built', async () => {
  await install({ init: 'echo "could not download"; exit 1' })
  await expect(build()).rejects.toMatchObject({ code: 'E_TOOL_FAILED', detail: 'could not download', hint: expect.stringContaining('packer plugins install') })
  expect(await calls()).toEqual(['init .'])
})

test('Ctrl-C reaches Packer, which takes its machine down before Kiln ends', async () => {
  await install({ build: `trap 'echo cleaned >>calls; exit 1' INT; : >started; while :; do sleep 0.05; done` })
  const running = build()
  await waitFor({ what: 'the build runs', timeoutMs: 60_000, intervalMs: 20 }, async () =>
    (await exists(join(folder, 'started'))) ? { done: true, value: undefined } : { done: false, status: 'not yet' },
  )
  stop.abort(new Error('Ctrl-C'))
  await expect(running).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect((await calls()).at(-1)).toBe('cleaned')
})

test('none, or one without plugins, is refused with what to do', async () => {
  vi.stubEnv('PATH', folder)
  await expect(findPacker()).rejects.toMatchObject({ code: 'E_TOOL_MISSING', hint: expect.stringContaining('https://') })
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
  await install({ version: '1.6.6' })
  await expect(findPacker()).rejects.toMatchObject({ code: 'E_TOOL_MISSING', message: expect.stringContaining('1.6.6; 1.7.0 or newer') })
})

test('a step', () => {
  expect(stepOf('==> python3.googlecompute.python3: Waiting for SSH to become available...')).toBe('Packer: Waiting for SSH to become available...')
  expect(stepOf('    python3.googlecompute.python3: ==> x: not a step')).toBeUndefined()
  expect(stepOf('Build finished after 3 minutes.')).toBeUndefined()
})
