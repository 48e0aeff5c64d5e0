/** Files on a disk: what is written, kept, removed and refused. */
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseStack } from '../../config/checks.ts'
import type { StackInput } from '../../config/schema.ts'
import { example } from '../../synth/testing.ts'
import { isInSync, synthStack } from './synth.ts'
import type { SynthOptions } from './synth.ts'

let dir: string
/** The stack without the sections that need more than this folder; tests change it. */
let config: StackInput

beforeEach(async () => {
  const { firestore: _firestore, auth: _auth, dns: _dns, server: _server, ...rest } = example
  config = rest
  dir = await mkdtemp(join(tmpdir(), 'kiln-synth-'))
  await cp(resolve(import.meta.dirname, '../../../examples/moshi'), dir, { recursive: true })
})
afterEach(() => rm(dir, { recursive: true }))

const run = (options: Partial<SynthOptions> = {}) =>
  synthStack({ dir, file: join(dir, 'kiln.config.ts'), config: parseStack(config) }, { signal: new AbortController().signal, ...options })
const read = (path: string): Promise<string> => readFile(join(dir, path), 'utf8')
const listing = async (): Promise<readonly string[]> => (await readdir(dir, { recursive: true })).sort()

test('the example: everything is written, and a second run writes nothing', async () => {
  const first = await run()
  expect(first.created).toEqual(expect.arrayContaining(['Makefile', 'ops/terraform/main.tf', 'ops/packer/moshi-srv.pkr.hcl', 'ops/bootstrap.sh']))
  expect((await stat(join(dir, 'ops/bootstrap.sh'))).mode & 0o777).toBe(0o755)
  const before = await stat(join(dir, 'Makefile'))
  const second = await run()
  expect(second).toMatchObject({ created: [], updated: [], removed: [], adopted: [], unchanged: first.created.length })
  expect((await stat(join(dir, 'Makefile'))).mtimeMs).toBe(before.mtimeMs)
})

test('the unit in ops/packer is the one that the baker writes', async () => {
  await run()
  const unit = await read('ops/packer/moshi-srv/moshi-srv.service')
  expect(unit).toContain('ExecStart=/opt/moshi/entrypoint.sh\n')
  expect(unit).toContain('Environment="MOSHI_STATE_DIR=/var/lib/moshi"\n')
})

test('a check writes nothing and tells what a changed config would change', async () => {
  expect(isInSync(await run({ check: true }))).toBe(false)
  expect(await listing()).not.toContain('ops')
  await run()
  expect(isInSync(await run({ check: true }))).toBe(true)
  config = { ...config, dev: { image: 'moshi-srv', name: 'moshi-other' } }
  const before = await read('ops/terraform/dev/main.tf')
  expect(await run({ check: true })).toMatchObject({ updated: expect.arrayContaining(['ops/terraform/dev/main.tf']) as unknown, created: [] })
  expect(await read('ops/terraform/dev/main.tf')).toBe(before)
  await run()
  expect(isInSync(await run({ check: true }))).toBe(true)
  expect(await read('ops/terraform/dev/main.tf')).toContain('"moshi-other"')
})

test('what somebody changed in a generated file, or made not executable, is put right', async () => {
  await run()
  await writeFile(join(dir, 'Makefile'), `${await read('Makefile')}\nmine:\n`)
  await chmod(join(dir, 'ops/bootstrap.sh'), 0o644)
  expect((await run({ check: true })).updated).toEqual(['Makefile', 'ops/bootstrap.sh'])
  await run()
  expect(await read('Makefile')).not.toContain('mine:')
  expect((await stat(join(dir, 'ops/bootstrap.sh'))).mode & 0o777).toBe(0o755)
})

test('files that the config no longer wants go; files of people stay', async () => {
  await run()
  await writeFile(join(dir, 'ops/terraform/own.tf'), '# by hand\n')
  await writeFile(join(dir, 'ops/terraform/dev/notes.md'), 'by hand\n')
  await mkdir(join(dir, 'ops/terraform/.terraform'))
  await writeFile(join(dir, 'ops/terraform/.terraform/copy.tf'), await read('ops/terraform/dev/main.tf'))
  config = { ...config, dev: undefined }
  const { removed } = await run()
  expect(removed).toEqual(['ops/terraform/dev/main.tf', 'ops/terraform/dev/outputs.tf', 'ops/terraform/dev/variables.tf', 'ops/terraform/dev/versions.tf'])
  expect(await listing()).toEqual(expect.arrayContaining(['ops/terraform/own.tf', 'ops/terraform/dev/notes.md', 'ops/terraform/.terraform/copy.tf']))
  expect(await listing()).not.toContain('ops/terraform/dev/main.tf')
})

test('files of people are never overwritten: all are named, and nothing at all is written', async () => {
  await mkdir(join(dir, 'ops/terraform'), { recursive: true })
  await writeFile(join(dir, 'Makefile'), 'all:\n')
  await writeFile(join(dir, 'ops/terraform/main.tf'), '# ours\n')
  const before = await listing()
  await expect(run()).rejects.toMatchObject({
    code: 'E_FILE_FOREIGN',
    message: expect.stringContaining('Makefile and 1 more') as unknown,
    detail: 'Makefile\nops/terraform/main.tf',
  })
  expect(await listing()).toEqual(before)
  expect(await run({ check: true })).toMatchObject({ adopted: ['Makefile', 'ops/terraform/main.tf'] })
})

test('--adopt keeps what was there', async () => {
  await writeFile(join(dir, 'Makefile'), 'all:\n')
  expect((await run({ adopt: true })).adopted).toEqual(['Makefile'])
  expect(await read('Makefile.before-kiln')).toBe('all:\n')
  expect(await read('Makefile')).toContain('kiln synth')
  expect(isInSync(await run({ check: true }))).toBe(true)
})

test('a link or a folder where a file should be is not ours to replace', async () => {
  await writeFile(join(dir, 'elsewhere'), '# Made by `kiln synth` from kiln.config.ts.\n')
  await symlink('elsewhere', join(dir, 'Makefile'))
  await mkdir(join(dir, 'ops/bootstrap.sh'), { recursive: true })
  await expect(run()).rejects.toMatchObject({ detail: 'Makefile\nops/bootstrap.sh' })
  expect(await read('elsewhere')).toBe('# Made by `kiln synth` from kiln.config.ts.\n')
})

test('imports are written when asked for, kept up to date, and gone when the file is deleted', async () => {
  await run()
  expect((await run({ imports: true })).created).toEqual(['ops/terraform/imports.tf'])
  config = { ...config, dev: { image: 'moshi-srv', name: 'moshi-other' } }
  await run()
  expect(await read('ops/terraform/imports.tf')).toContain('instances/moshi-other')
  await rm(join(dir, 'ops/terraform/imports.tf'))
  expect(isInSync(await run({ check: true }))).toBe(true)
})

test('versions come from kiln.lock', async () => {
  const locked = { name: 'python3', version: '3.11.2-1+b1', architecture: 'amd64', sha256: '0'.repeat(64) }
  await writeFile(join(dir, 'kiln.lock'), JSON.stringify({ version: 1, images: { python3: { request: 'x', debian: [locked], wheels: [] } } }))
  await run()
  expect(await read('ops/packer/python3/provision.sh')).toContain('  python3=3.11.2-1+b1 \\\n')
})
