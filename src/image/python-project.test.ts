import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { removeAll } from '../host/files.ts'
import { normalizeName, readProject, readWheel, sourceDigest } from './python-project.ts'

const folders: string[] = []
let source = ''

async function files(contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(contents)) {
    await mkdir(dirname(join(source, name)), { recursive: true })
    await writeFile(join(source, name), text)
  }
}

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'kiln-project-'))
  folders.push(source)
})
afterAll(async () => {
  for (const folder of folders) await removeAll(folder)
})

const good = '[build-system]\nrequires = ["setuptools>=61", "wheel"]\n\n[project] # the server\nname = "Moshi.Server"\nversion = "0.1.0"\ndependencies = ["gunicorn"]\n'

describe('source digest', () => {
  test('changes with bytes, names and executable bits, and not with caches or results of builds', async () => {
    await files({ 'pyproject.toml': good, 'src/a.py': 'A = 1\n' })
    const first = await sourceDigest(source)
    await files({ 'src/__pycache__/a.cpython-311.pyc': 'x', '.git/HEAD': 'x', 'build/lib/a.py': 'x', 'src/moshi.egg-info/PKG-INFO': 'x' })
    expect(await sourceDigest(source)).toBe(first)
    await files({ 'src/a.py': 'A = 2\n' })
    expect(await sourceDigest(source)).not.toBe(first)
    await files({ 'src/a.py': 'A = 1\n' })
    expect(await sourceDigest(source)).toBe(first)
    await files({ 'src/b.py': '' })
    expect(await sourceDigest(source)).not.toBe(first)
  })

  test('a folder that is no project is refused', async () => {
    await expect(sourceDigest(source)).rejects.toMatchObject({ code: 'E_PACKAGE_INVALID', message: expect.stringContaining('no pyproject.toml') })
  })
})

describe('pyproject.toml', () => {
  test('name and build backends', async () => {
    await files({ 'pyproject.toml': good.replace('"wheel"', '"hatchling"') })
    expect(await readProject(source)).toEqual({ name: 'Moshi.Server', version: '0.1.0', backends: ['python3-hatchling'] })
  })
  test('a dynamic version is fine', async () => {
    await files({ 'pyproject.toml': good.replace('version = "0.1.0"', 'dynamic = ["version"]') })
    expect((await readProject(source)).name).toBe('Moshi.Server')
  })
  test.each([
    ['a name with a space', good.replace('Moshi.Server', 'moshi server'), 'not valid (PEP 508)'],
    ['a name with a dash at its end', good.replace('Moshi.Server', 'moshi-'), 'not valid (PEP 508)'],
    ['no version', good.replace('version = "0.1.0"\n', ''), 'has no version'],
    ['an unknown backend', good.replace('"wheel"', '"maturin>=1"'), 'needs maturin'],
  ])('%s is refused', async (_what, text, message) => {
    await files({ 'pyproject.toml': text })
    await expect(readProject(source)).rejects.toMatchObject({ code: 'E_PACKAGE_INVALID', message: expect.stringContaining(message) })
  })
})

/** A zip archive of deflated entries. */
function zip(entries: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, text] of Object.entries(entries)) {
    const data = deflateRawSync(text)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(8, 8)
    local.writeUInt16LE(name.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(8, 10)
    central.writeUInt32LE(data.length, 20)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(offset, 42)
    locals.push(local, Buffer.from(name), data)
    directory.push(central, Buffer.from(name))
    offset += 30 + name.length + data.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Object.keys(entries).length, 10)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

describe('wheels', () => {
  const parts = {
    'moshi_server/app.py': '',
    'moshi_server-0.1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: Moshi.Server\nVersion: 0.1.0\n',
    'moshi_server-0.1.0.dist-info/entry_points.txt': '[console_scripts]\nmoshi-server = moshi_server.app:main\n\n[other]\nx = gone:y\n',
  }
  test('name, version and scripts', () => {
    expect(readWheel('w.whl', zip(parts))).toEqual({ name: 'moshi-server', version: '0.1.0', consoleScripts: { 'moshi-server': 'moshi_server.app:main' } })
  })
  test('an entry point without its module is refused', () => {
    const { 'moshi_server/app.py': _gone, ...rest } = parts
    expect(() => readWheel('w.whl', zip(rest))).toThrow('needs the module moshi_server.app')
  })
  test('no metadata, or no archive: refused', () => {
    expect(() => readWheel('w.whl', zip({ 'a.py': '' }))).toThrow('no name or version')
    expect(() => readWheel('w.whl', Buffer.from('not a zip'))).toThrow('not a zip')
  })
})

test('names are compared as PEP 503 says', () => expect(normalizeName('Moshi_.Server')).toBe('moshi-server'))
