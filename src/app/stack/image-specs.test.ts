import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseStack } from '../../config/checks.ts'
import type { LoadedStack } from '../../config/load.ts'
import { removeAll } from '../../host/files.ts'
import { readImageSpecs } from './image-specs.ts'

let dir: string
let stack: LoadedStack

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kiln-specs-'))
  await mkdir(join(dir, 'server'))
  await writeFile(join(dir, 'entrypoint.sh'), '#!/bin/sh\n', { mode: 0o700 })
  await writeFile(join(dir, 'settings.toml'), 'a = 1\n', { mode: 0o600 })
  const config = parseStack(
    {
      project: { id: 'moshi-3' },
      location: { region: 'us-central1' },
      package: { source: './server' },
      images: {
        tools: { debian: 'trixie' },
        python3: { debian: 'bookworm', packages: ['python3', 'gunicorn'] },
        'moshi-srv': {
          from: 'python3',
          python: ['moshi-server'],
          files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh', './settings.toml': '/etc/moshi.toml' },
          user: 'moshi',
          environment: { LEVEL: 'info' },
          health: { path: '/healthz', port: 9000 },
        },
        debug: { from: 'moshi-srv', packages: ['strace'], entrypoint: '/opt/moshi/entrypoint.sh' },
      },
    },
    'kiln.config.ts',
  )
  stack = { dir, file: join(dir, 'kiln.config.ts'), config }
})
afterAll(() => removeAll(dir))

const wheel = { name: 'moshi-server', version: '0.1.0', fileName: 'moshi_server-0.1.0-py3-none-any.whl', sha256: 'a'.repeat(64) }
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

test('a server image takes its base, its own wheels, and the bytes of its files', async () => {
  const specs = await readImageSpecs(stack)
  expect(specs.families).toEqual(['tools', 'python3', 'moshi-srv', 'debug'])
  const base = { type: 'base', name: 'python3', suite: 'bookworm', packages: ['python3', 'gunicorn'] }
  expect(specs.spec('python3', [wheel])).toEqual(base)
  expect(specs.spec('moshi-srv', [wheel, { ...wheel, name: 'other' }])).toEqual({
    type: 'server',
    name: 'moshi-srv',
    from: base,
    packages: [],
    wheels: [wheel],
    files: [
      { path: '/opt/moshi/entrypoint.sh', source: join(dir, 'entrypoint.sh'), sha256: sha256('#!/bin/sh\n'), mode: 0o755 },
      { path: '/etc/moshi.toml', source: join(dir, 'settings.toml'), sha256: sha256('a = 1\n'), mode: 0o644 },
    ],
    user: 'moshi',
    entrypoint: '/opt/moshi/entrypoint.sh',
    port: 9000,
    environment: { LEVEL: 'info' },
  })
  expect(specs.spec('debug', [wheel])).toMatchObject({ from: { name: 'moshi-srv', wheels: [wheel] }, wheels: [] })
})

test('the Debian image under an image, and the one that wheels are built in', async () => {
  const specs = await readImageSpecs(stack)
  expect(['python3', 'moshi-srv', 'debug'].map((family) => specs.base(family).name)).toEqual(['python3', 'python3', 'python3'])
  expect(specs.builder().name).toBe('python3')
  const { tools } = stack.config.images
  if (tools === undefined) throw new Error('the config has no image tools')
  const bare = await readImageSpecs({ ...stack, config: { ...stack.config, images: { tools } } })
  expect(bare.builder().name).toBe('tools')
})

test('an image that is not in the config is named with those that are', async () => {
  const specs = await readImageSpecs(stack)
  expect(() => specs.spec('moshi', [])).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND', hint: 'it has: tools, python3, moshi-srv, debug' }) as Error)
})

test('only the bytes and the executable bit of a file count', async () => {
  const digest = async (): Promise<unknown> => (await readImageSpecs(stack)).spec('moshi-srv', [])
  const before = await digest()
  await chmod(join(dir, 'settings.toml'), 0o664)
  expect(await digest()).toEqual(before)
  await chmod(join(dir, 'settings.toml'), 0o744)
  expect(await digest()).not.toEqual(before)
})

test('a file that went away since the config was read is named', async () => {
  await rm(join(dir, 'settings.toml'))
  const error = await readImageSpecs(stack).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'E_CONFIG_INVALID' })
  expect(String(error)).toContain(join(dir, 'settings.toml'))
})
