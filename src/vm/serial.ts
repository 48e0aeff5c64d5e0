/** Reading a serial log by byte offsets, the way Compute Engine's getSerialPortOutput does. */
import { open } from 'node:fs/promises'
import { systemErrorCode } from '../base/errors.ts'
import { MIB } from '../base/units.ts'
import type { SerialChunk } from './driver.ts'

/**
 * The text of the file from byte `startOffset` on, at most `maxBytes` (default 1 MiB). A negative offset counts from the end.
 * A start past the end gives an empty text there; a UTF-8 character that is cut off at the end is left for the next read.
 */
export async function readSerialFile(path: string, startOffset: number, maxBytes = MIB): Promise<SerialChunk> {
  let file
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { text: '', startOffset: 0, nextOffset: 0 }
    throw error
  }
  try {
    const { size } = await file.stat()
    const start = Math.min(startOffset < 0 ? Math.max(0, size + startOffset) : startOffset, size)
    const buffer = Buffer.alloc(Math.min(maxBytes, size - start))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    const whole = wholeCharacters(buffer.subarray(0, bytesRead))
    return { text: whole.toString('utf8'), startOffset: start, nextOffset: start + whole.length }
  } finally {
    await file.close()
  }
}

/** Drops an unfinished UTF-8 sequence (at most three bytes) from the end, unless nothing would be left. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, bytes.length - 1); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0b1100_0000) === 0b1000_0000) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needed > back ? bytes.subarray(0, bytes.length - back) : bytes
  }
  return bytes
}
