/**
 * Bytes of a file as an answer. They go through a few buffers that are used again and again: a stream takes new ones for everything it reads, and
 * collecting those costs more than half of a large download.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { KIB } from '../../base/units.ts'

const BUFFER_BYTES = 256 * KIB
const MAX_SPARE_BUFFERS = 16
const spareBuffers: Buffer[] = []

/** What a handler returns to answer with bytes `start`..`end` (inclusive) of a file. Status and headers, with `content-length`, are on the reply. */
export class FilePart {
  readonly path: string
  readonly start: number
  readonly end: number
  /** Called once, when the file is no longer needed. */
  readonly release: () => void
  constructor(path: string, range: { readonly start: number; readonly end: number }, release: () => void) {
    this.path = path
    this.start = range.start
    this.end = range.end
    this.release = release
  }
}

/**
 * Sends the answer and resolves when it is sent or the caller is gone. A file that cannot be read to its end cuts the connection, and `onCut` is told.
 * @throws the error of opening the file, while another answer is still possible
 */
export async function sendFilePart(reply: FastifyReply, part: FilePart, onCut: (error: unknown) => void): Promise<void> {
  try {
    const file = await open(part.path)
    try {
      reply.hijack()
      reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string | number | string[]>)
      await pump(file, part, reply.raw)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!reply.sent) throw error
    reply.raw.destroy()
    onCut(error)
  } finally {
    part.release()
  }
}

async function pump(file: FileHandle, part: FilePart, response: ServerResponse): Promise<void> {
  const buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
  for (let position = part.start; position <= part.end;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(BUFFER_BYTES, part.end - position + 1), position)
    if (bytesRead === 0) throw new Error(`${part.path} ends at byte ${position}, and ${part.end + 1} are wanted`)
    // A connection that broke may still hold the buffer, which is then not used again.
    if (!(await isWritten(response, buffer.subarray(0, bytesRead)))) return
    position += bytesRead
  }
  if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer)
  response.end()
}

/** True when the kernel has the bytes, false when the caller is gone. */
async function isWritten(response: ServerResponse, bytes: Uint8Array): Promise<boolean> {
  if (response.destroyed) return false
  return new Promise((resolve) => {
    const onClose = (): void => resolve(false)
    response.once('close', onClose)
    response.write(bytes, (error) => {
      response.off('close', onClose)
      resolve(error === null || error === undefined)
    })
  })
}
