import { describe, expect, test } from 'vitest'
import { explainKeyChange, imageKey, isResolved, lockedImage, requestDigest } from './key.ts'
import type { BaseImageSpec, LockFile, ServerImageSpec } from './types.ts'

const hash = (digit: string): string => digit.repeat(64)
const base: BaseImageSpec = { type: 'base', name: 'python3', suite: 'bookworm', packages: ['python3'] }
const server: ServerImageSpec = {
  type: 'server',
  name: 'moshi-srv',
  from: base,
  packages: [],
  wheels: [{ name: 'moshi-server', version: '0.1.0', fileName: 'moshi_server-0.1.0-py3-none-any.whl', sha256: hash('a') }],
  files: [{ path: '/opt/moshi/entrypoint.sh', source: '/here/entrypoint.sh', sha256: hash('b'), mode: 0o755 }],
  user: 'moshi',
  entrypoint: '/opt/moshi/entrypoint.sh',
  port: 8080,
  environment: { MODE: 'live' },
}
const lockWith = (version: string): LockFile => ({
  version: 1,
  images: { python3: { request: requestDigest(base), debian: [{ name: 'openssl', version, architecture: 'amd64', sha256: hash(version.slice(-1)) }], wheels: [] } },
})

describe('image keys', () => {
  test('the same spec and lock give the same key, whatever the order of members', () => {
    const reordered = Object.fromEntries(Object.entries(server).reverse()) as unknown as ServerImageSpec
    expect(imageKey(reordered, lockWith('3.0.1')).key).toBe(imageKey(server, lockWith('3.0.1')).key)
  })

  test('where a file lies on this machine is not part of the key', () => {
    const moved = { ...server, files: server.files.map((file) => ({ ...file, source: '/elsewhere/entrypoint.sh' })) }
    expect(imageKey(moved, lockWith('3.0.1')).key).toBe(imageKey(server, lockWith('3.0.1')).key)
  })

  test('without pins the key is preliminary', () => {
    expect(isResolved(imageKey(base, undefined).inputs)).toBe(false)
    expect(isResolved(imageKey(server, undefined).inputs)).toBe(false)
    expect(isResolved(imageKey(server, lockWith('3.0.1')).inputs)).toBe(true)
    const withPackages = { ...server, packages: ['ffmpeg'] }
    expect(isResolved(imageKey(withPackages, lockWith('3.0.1')).inputs)).toBe(false)
  })

  test('a lock entry for another request is not used', () => {
    const more = { ...base, packages: ['python3', 'gunicorn'] }
    expect(lockedImage(more, lockWith('3.0.1'))).toBeUndefined()
    expect(lockedImage({ ...base, packages: ['python3', 'python3'] }, lockWith('3.0.1'))).toBeDefined()
  })
})

const changesOf = (next: Partial<ServerImageSpec>, version = '3.0.1', recipe?: string): readonly string[] =>
  explainKeyChange(imageKey(server, lockWith('3.0.1')).inputs, imageKey({ ...server, ...next }, lockWith(version), recipe).inputs)

describe('explanations of a new key', () => {
  test('same inputs: nothing to say', () => expect(changesOf({})).toEqual([]))
  test('a new version of the wheel', () =>
    expect(changesOf({ wheels: [{ ...server.wheels[0]!, version: '0.2.0', sha256: hash('c') }] })).toEqual(['wheel moshi-server 0.1.0 -> 0.2.0']))
  test('the same version with other bytes', () => expect(changesOf({ wheels: [{ ...server.wheels[0]!, sha256: hash('c') }] })).toEqual(['wheel moshi-server has other bytes']))
  test('a changed file', () => expect(changesOf({ files: [{ ...server.files[0]!, sha256: hash('d') }] })).toEqual(['file /opt/moshi/entrypoint.sh changed']))
  test('a changed mode', () => expect(changesOf({ files: [{ ...server.files[0]!, mode: 0o700 }] })).toEqual(['file /opt/moshi/entrypoint.sh 755 -> 700']))
  test('a file that is gone', () => expect(changesOf({ files: [] })).toEqual(['file /opt/moshi/entrypoint.sh removed']))
  test('another port also changes the unit', () => expect(changesOf({ port: 9000 })).toEqual(['port 8080 -> 9000', 'system unit changed']))
  test('a Debian package of the base image', () => expect(changesOf({}, '3.0.2')).toEqual(['python3: Debian package openssl 3.0.1 -> 3.0.2']))
  test('another recipe', () => expect(changesOf({}, '3.0.1', '99')).toEqual([expect.stringMatching(/^python3: recipe .+ -> 99$/), expect.stringMatching(/^recipe .+ -> 99$/)]))
})
