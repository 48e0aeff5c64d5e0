/**
 * The bytes of a body on their way into a file. A stream takes new memory for everything it reads, 64 KiB at a time, and collecting it took a third of a
 * large upload's processor time: the chunks are copied into buffers that are used again and again, and `freedChunks` gives their memory back at once.
 */
import type { FileHandle } from 'node:fs/promises'
import { KIB } from '../base/units.ts'
import type { Checksummer } from './checksums.ts'

/** What one write takes: few turns of the thread pool, and hashing it keeps the event loop for about a millisecond. */
const BUFFER_BYTES = 512 * KIB
const MAX_SPARE_BUFFERS = 16
const spareBuffers: Buffer[] = []

export interface BodyWriter {
  /** Copies the chunk. Waits while the disk is behind. @throws the error of an earlier write */
  add(chunk: Uint8Array): Promise<void>
  /** Everything that was added is written (not flushed to the disk) and in the checksums. @throws the error of a write */
  drain(): Promise<void>
  /** Waits for the write that is under way and forgets what was not written. Closing twice is fine. */
  close(): Promise<void>
}

/** Writes to `file` from `position` on, which has the bytes that are in `checksums`. One buffer is on its way to the disk while the next is filled. */
export function createBodyWriter(file: FileHandle, position: number, checksums: Checksummer): BodyWriter {
  let end = position
  let buffer: Buffer | undefined
  let filledBytes = 0
  let writing: Promise<void> = Promise.resolve()

  async function turn(): Promise<void> {
    await writing
    if (buffer === undefined) return
    const full = buffer
    const bytes = full.subarray(0, filledBytes)
    buffer = undefined
    writing = writeAll(file, bytes, end).finally(() => giveBack(full))
    // Whoever awaits it next is told; until then it is no news.
    writing.catch(() => {})
    end += bytes.length
    filledBytes = 0
    checksums.update(bytes)
  }

  return {
    async add(chunk) {
      for (let at = 0; at < chunk.length;) {
        buffer ??= spareBuffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
        const part = chunk.subarray(at, at + BUFFER_BYTES - filledBytes)
        buffer.set(part, filledBytes)
        filledBytes += part.length
        at += part.length
        if (filledBytes === BUFFER_BYTES) await turn()
      }
    },
    async drain() {
      await turn()
      await writing
    },
    async close() {
      await writing.catch(() => {})
      if (buffer !== undefined) giveBack(buffer)
      buffer = undefined
      filledBytes = 0
    },
  }
}

/**
 * The chunks of a source that keeps none of them, such as the body of a request: the memory of each is given back when the next one is asked for.
 * Until then it may be used, and no longer.
 */
export async function* freedChunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    yield chunk
    // Small chunks may be parts of a pool.
    if (chunk.buffer instanceof ArrayBuffer && chunk.byteLength === chunk.buffer.byteLength) chunk.buffer.transfer(0)
  }
}

function giveBack(buffer: Buffer): void {
  if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer)
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let offset = 0
  while (offset < bytes.length) offset += (await file.write(bytes, offset, bytes.length - offset, position + offset)).bytesWritten
}
