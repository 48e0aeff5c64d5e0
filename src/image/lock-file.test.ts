import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeAll } from '../host/files.ts'
import { emptyLock, formatLock, mergeLock, readLock, writeLock } from './lock-file.ts'
import type { LockFile } from './types.ts'

const sha256 = 'a'.repeat(64)
const lock: LockFile = {
  version: 1,
  images: {
    'moshi-srv': { request: 'r2', debian: [], wheels: [{ name: 'moshi-server', version: '0.1.0', fileName: 'moshi_server-0.1.0-py3-none-any.whl', sha256 }] },
    python3: {
      request: 'r1',
      debian: [
        { name: 'zlib1g', version: '1:1.2', architecture: 'amd64', sha256 },
        { name: 'adduser', version: '3.134', architecture: 'all', sha256 },
      ],
      wheels: [],
    },
  },
}

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-lock-'))
})
afterAll(() => removeAll(folder))

describe('kiln.lock', () => {
  test('is JSON with one sorted line per package', () => {
    expect(formatLock(lock)).toBe(`{
  "version": 1,
  "images": {
    "moshi-srv": {
      "request": "r2",
      "debian": [],
      "wheels": [
        { "name": "moshi-server", "version": "0.1.0", "fileName": "moshi_server-0.1.0-py3-none-any.whl", "sha256": "${sha256}" }
      ]
    },
    "python3": {
      "request": "r1",
      "debian": [
        { "name": "adduser", "version": "3.134", "architecture": "all", "sha256": "${sha256}" },
        { "name": "zlib1g", "version": "1:1.2", "architecture": "amd64", "sha256": "${sha256}" }
      ],
      "wheels": []
    }
  }
}
`)
  })

  test('what is written is read again, and the same lock is not written twice', async () => {
    const path = join(folder, 'kiln.lock')
    await writeLock(path, lock)
    const before = await stat(path)
    await writeLock(path, await readLock(path))
    expect((await stat(path)).ino).toBe(before.ino)
    expect(await readFile(path, 'utf8')).toBe(formatLock(lock))
  })

  test('an absent lock is empty', async () => expect(await readLock(join(folder, 'none'))).toEqual(emptyLock))

  test.each([
    '{',
    '{"version":2,"images":{}}',
    '{"version":1,"images":{"a":{"request":"r","debian":[{"name":"x","version":"1","architecture":"all","sha256":"short"}],"wheels":[]}}}',
  ])('%s is refused', async (text) => {
    const path = join(folder, 'broken')
    await writeFile(path, text)
    await expect(readLock(path)).rejects.toMatchObject({ code: 'E_LOCK_STALE' })
  })

  test('additions replace entries of the same name only', () => {
    const merged = mergeLock(lock, { python3: { request: 'r3', debian: [], wheels: [] } })
    expect(merged.images['python3']?.request).toBe('r3')
    expect(merged.images['moshi-srv']).toEqual(lock.images['moshi-srv'])
  })
})
