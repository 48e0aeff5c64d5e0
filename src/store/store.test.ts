import { createHash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openBlobStore, BlobTooLargeError } from './blobs.ts'
import { openDatabase } from './database.ts'
import { tryProcessLock } from './process-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-store-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function* bytes(...parts: string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

const first = { namespace: 'n', steps: ['CREATE TABLE t (a TEXT)'] }

test('migrations run once, and a file with more steps than known is refused', () => {
  const path = join(folder, 'x.db')
  const newer = openDatabase(path, [{ namespace: 'n', steps: [...first.steps, 'ALTER TABLE t ADD COLUMN b TEXT'] }])
  newer.run('INSERT INTO t VALUES (?, ?)', '1', '2')
  newer.close()
  expect(() => openDatabase(path, [first])).toThrow(expect.objectContaining({ code: 'E_DATA_NEWER' }))
})

test('a transaction that throws leaves nothing, a nested one only undoes itself', () => {
  const database = openDatabase(':memory:', [first])
  database.transaction(() => {
    database.run("INSERT INTO t VALUES ('outer')")
    expect(() =>
      database.transaction(() => {
        database.run("INSERT INTO t VALUES ('inner')")
        throw new Error('no')
      }),
    ).toThrow('no')
  })
  expect(database.all('SELECT a FROM t')).toEqual([{ a: 'outer' }])
})

test('what is remembered is read again after every write, also one that was undone', () => {
  const database = openDatabase(':memory:', [first])
  let reads = 0
  const count = database.remember((a) => {
    reads += 1
    return database.all('SELECT a FROM t WHERE a = ?', a).length
  })
  expect([count('x'), count('x'), reads]).toEqual([0, 0, 1])
  database.run('INSERT INTO t VALUES (?)', 'x')
  expect([count('x'), count('y'), count('x'), reads]).toEqual([1, 0, 1, 3])
  expect(() =>
    database.transaction(() => {
      database.run('INSERT INTO t VALUES (?)', 'x')
      expect(count('x')).toBe(2)
      throw new Error('no')
    }),
  ).toThrow('no')
  expect(count('x')).toBe(1)
  database.get('INSERT INTO t VALUES (?) RETURNING a', 'x')
  expect(count('x')).toBe(2)
  for (let index = 0; index < 3000; index += 1) count(String(index))
  expect(count('x')).toBe(2)
})

test('a blob of many chunks is whole, and gives its parts', async () => {
  const database = openDatabase(':memory:')
  const blobs = openBlobStore(join(folder, 'blobs'), database)
  const body = Buffer.alloc(1_000_003, 'The quick brown fox. ')
  async function* chunks(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536)
    yield new Uint8Array()
  }
  const blob = await blobs.write(chunks())
  expect(blob.sha256).toBe(createHash('sha256').update(body).digest('hex'))
  expect((await readFile(blobs.path(blob.sha256))).equals(body)).toBe(true)
  expect(Buffer.concat(await blobs.read(blob.sha256, { start: 17, end: 900_000 }).toArray()).equals(body.subarray(17, 900_001))).toBe(true)
})

test('a blob has the checksums that Cloud Storage shows', async () => {
  const database = openDatabase(':memory:')
  const blobs = openBlobStore(join(folder, 'blobs'), database)
  const blob = await blobs.write(bytes('123', '456789'))
  expect(blob).toEqual({ sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225', sizeBytes: 9, md5: 'JfnnlDI7RTiF9RgfG2JNCw==', crc32c: '4waSgw==' })
  expect(await readFile(blobs.path(blob.sha256), 'utf8')).toBe('123456789')
})

test('blobs live as long as an owner or a pin, and no longer', async () => {
  const database = openDatabase(':memory:')
  const blobs = openBlobStore(join(folder, 'blobs'), database)
  const blob = await blobs.write(bytes('same'))
  blobs.retain('a', blob.sha256)
  const again = await blobs.write(bytes('same'))
  blobs.release('a')
  await blobs.collect()
  expect(await readFile(blobs.path(again.sha256), 'utf8')).toBe('same')
  blobs.unpin(again.sha256)
  await blobs.collect()
  await expect(readFile(blobs.path(blob.sha256))).rejects.toThrow('ENOENT')
})

test('a body over its limit, or one that breaks, leaves no file', async () => {
  const database = openDatabase(':memory:')
  const blobs = openBlobStore(join(folder, 'blobs'), database)
  await expect(blobs.write(bytes('12345', '6'), { maxBytes: 5 })).rejects.toThrow(BlobTooLargeError)
  async function* broken(): AsyncIterable<Uint8Array> {
    yield Buffer.from('x')
    throw new Error('cut')
  }
  await expect(blobs.write(broken())).rejects.toThrow('cut')
  expect(await readdir(join(folder, 'blobs', 'tmp'))).toEqual([])
})

test('a process lock is held once and free after release', () => {
  const path = join(folder, 'lock.db')
  const lock = tryProcessLock(path)
  expect(lock).toBeDefined()
  expect(tryProcessLock(path)).toBeUndefined()
  lock?.release()
  const again = tryProcessLock(path)
  expect(again).toBeDefined()
  again?.release()
})
