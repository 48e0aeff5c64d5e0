import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBodyWriter, freedChunks } from './body-writer.ts'
import { createChecksummer } from './checksums.ts'

let folder: string
let file: FileHandle

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-body-'))
  file = await open(join(folder, 'file'), 'w+')
})

afterEach(async () => {
  await file.close()
  await rm(folder, { recursive: true, force: true })
})

/** Bytes that tell their place, so that no two parts are alike. */
function body(sizeBytes: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest()
}

test.each([1, 7, 65_536, 524_288, 524_289, 3_000_000])('bodies in chunks of %d bytes, several at a time, come whole to their files', async (chunkBytes) => {
  const bodies = ['a', 'b', 'c'].map((seed) => body(chunkBytes < 100 ? 2000 : 2_345_678, seed))
  const paths = bodies.map((_, index) => join(folder, String(index)))
  const digests = await Promise.all(
    bodies.map(async (bytes, index) => {
      const own = await open(paths[index] ?? '', 'w')
      const checksums = createChecksummer()
      const writer = createBodyWriter(own, 0, checksums)
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes))
        await writer.add(chunk)
        // A source may use its memory again once the chunk is taken.
        chunk.fill(0)
      }
      await writer.drain()
      await own.close()
      return checksums.digest()
    }),
  )
  for (const [index, bytes] of bodies.entries()) {
    expect((await readFile(paths[index] ?? '')).equals(bytes)).toBe(true)
    expect(digests[index]?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(digests[index]?.md5).toBe(createHash('md5').update(bytes).digest('base64'))
  }
})

test('writing goes on at a position, also after a drain', async () => {
  await file.write('0123456789')
  const writer = createBodyWriter(file, 4, createChecksummer())
  await writer.add(Buffer.from('ab'))
  await writer.drain()
  await writer.add(Buffer.from('cdefgh'))
  await writer.drain()
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('0123abcdefgh')
})

test('a write that fails is told to whoever adds or drains next, and what was not written is forgotten at the end', async () => {
  const readOnly = await open(join(folder, 'file'), 'r')
  const writer = createBodyWriter(readOnly, 0, createChecksummer())
  await writer.add(Buffer.alloc(1_048_576)).catch(() => {})
  await expect(writer.add(Buffer.alloc(1_048_576))).rejects.toThrow('EBADF')
  await expect(writer.drain()).rejects.toThrow('EBADF')
  await writer.close()
  await writer.close()
  await readOnly.close()
})

test('chunks with memory of their own lose it when the next is asked for, parts of other memory do not', async () => {
  const whole = new Uint8Array(100_000).fill(1)
  const part = new Uint8Array(100).fill(2).subarray(0, 50)
  const seen: number[] = []
  for await (const chunk of freedChunks(asyncOf(whole, part, new Uint8Array(3).fill(3)))) {
    seen.push(chunk.length)
    expect(chunk.every((byte) => byte === seen.length)).toBe(true)
  }
  expect(seen).toEqual([100_000, 50, 3])
  expect(whole.byteLength).toBe(0)
  expect(part.byteLength).toBe(50)
})

test('a source is told when nobody wants more', async () => {
  let isClosed = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(10)
    } finally {
      isClosed = true
    }
  }
  for await (const chunk of freedChunks(source())) if (chunk.length > 0) break
  expect(isClosed).toBe(true)
})

async function* asyncOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
