/** What makes an image of Packer another one, and how Packer is called for it. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentProgress } from '../../base/progress.ts'
import { loadStack } from '../../config/load.ts'
import { kilnHome } from '../../host/home.ts'
import { emptyLock } from '../../image/lock-file.ts'
import { requestDigest } from '../../image/key.ts'
import type { LockFile, LockedWheel } from '../../image/types.ts'
import type { PackerParts } from '../kinds/image-packer.ts'
import { readImageSpecs } from '../stack/image-specs.ts'
import { createPackerParts } from './packer-parts.ts'

let folder: string
let lock: LockFile = emptyLock
const wheel: LockedWheel = { name: 'moshi-server', version: '0.2.0', fileName: 'moshi_server-0.2.0-py3-none-any.whl', sha256: 'a'.repeat(64) }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-packer-parts-'))
  lock = emptyLock
  await mkdir(join(folder, 'bin'))
  await mkdir(join(folder, 'stack', 'node_modules'), { recursive: true })
  await symlink(join(import.meta.dirname, '../../..'), join(folder, 'stack', 'node_modules', 'kiln'))
  await mkdir(join(folder, 'stack', 'server'))
  await writeFile(join(folder, 'stack', 'server', 'pyproject.toml'), '[project]\nname = "moshi-server"\nversion = "0.2.0"\n')
  await writeFile(join(folder, 'stack', 'run.sh'), '#!/bin/sh\n')
  await writeConfig('offline')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

async function writeConfig(base: 'offline' | 'packer', user = 'app'): Promise<void> {
  const images = {
    python3: { debian: 'bookworm', packages: ['python3'], engine: base },
    srv: { from: 'python3', python: ['moshi-server'], files: { './run.sh': '/opt/run.sh' }, entrypoint: '/opt/run.sh', user, engine: 'packer' },
  }
  const config = { project: { id: 'moshi-3' }, location: { region: 'us-central1', zone: 'us-central1-c' }, images }
  await writeFile(join(folder, 'stack', 'kiln.config.ts'), `export default ${JSON.stringify(config)}\n`)
}

async function parts(recipeVersion = '4'): Promise<PackerParts> {
  const stack = await loadStack(join(folder, 'stack'))
  const options = {
    home: kilnHome({ KILN_HOME: join(folder, 'home') }),
    stack,
    specs: await readImageSpecs(stack),
    queue: { lock: () => lock },
    signal: new AbortController().signal,
    health: () => undefined,
    recipeVersion,
  }
  return createPackerParts(options)
}

const key = async (family = 'srv', wheels = [wheel]): Promise<string> => (await parts()).keyOf(family, wheels).key

function lockedPython(version: string): LockFile {
  const request = requestDigest({ type: 'base', name: 'python3', suite: 'bookworm', packages: ['python3'] })
  return { ...emptyLock, images: { python3: { request, debian: [{ name: 'python3', version, architecture: 'amd64', sha256: 'b'.repeat(64) }], wheels: [] } } }
}

test('the key is that of wheels, files and config', async () => {
  const first = await key()
  expect(await key()).toBe(first)
  expect(await key('srv', [{ ...wheel, sha256: 'c'.repeat(64) }])).not.toBe(first)
  await writeFile(join(folder, 'stack', 'run.sh'), '#!/bin/sh\necho other\n')
  const other = await key()
  expect(other).not.toBe(first)
  await writeConfig('offline', 'moshi')
  expect(await key()).not.toBe(other)
})

test('what the lock says of an image that Packer makes is no input; of a baked one below it, it is', async () => {
  const baked = await key()
  lock = lockedPython('3.11.2-1')
  expect(await key()).not.toBe(baked)
  await writeConfig('packer')
  const [base, server] = [await key('python3'), await key()]
  lock = emptyLock
  expect([await key('python3'), await key()]).toEqual([base, server])
})

test('a newer recipe makes another image of what is baked, and not of what Packer makes', async () => {
  const keys = async (recipe: string) => {
    const made = await parts(recipe)
    return [made.keyOf('python3', []).key, made.keyOf('srv', [wheel]).key]
  }
  const onBaked = await keys('4')
  expect((await keys('5'))[1]).not.toBe(onBaked[1])
  await writeConfig('packer')
  expect(await keys('5')).toEqual(await keys('4'))
})

test('Packer gets the name, no family, and the versions of this image’s wheels', async () => {
  await writeFile(
    join(folder, 'bin', 'packer'),
    `#!/bin/sh\n[ "$1" != version ] || echo 'Packer v1.11.2'\nprintf '%s\\n' "$@" >>${join(folder, 'calls')}\npwd >>${join(folder, 'calls')}\n`,
  )
  await chmod(join(folder, 'bin', 'packer'), 0o755)
  vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`)
  const other = { ...wheel, name: 'other' }
  const image = { family: 'srv', name: 'srv-0123456789abcdef', description: 'Kiln image; made by Packer', labels: { 'kiln-family': 'srv' }, wheels: [wheel, other] }
  await (await parts()).build(image, silentProgress, new AbortController().signal)
  const calls = (await readFile(join(folder, 'calls'), 'utf8')).split('\n')
  expect(calls.slice(calls.indexOf('build'), -1)).toEqual([
    'build',
    '-color=false',
    '-only=srv.*',
    ...[
      'image_name=srv-0123456789abcdef',
      'image_description=Kiln image; made by Packer',
      'image_labels={"kiln-family":"srv"}',
      'srv_family=',
      'moshi_server_version=0.2.0',
    ].flatMap((value) => ['-var', value]),
    '.',
    join(folder, 'stack', 'ops', 'packer'),
  ])
  expect(await readFile(join(folder, 'stack', 'ops', 'packer', 'srv.pkr.hcl'), 'utf8')).toContain('var.image_name')
})
