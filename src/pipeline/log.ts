/** A pipeline's log: a text file that the worker appends to and that anybody follows while it grows. */
import { appendFileSync, mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemErrorCode } from '../base/errors.ts'
import { sleep } from '../base/wait.ts'

export interface PipelineLog {
  /** Appends a text, each of its lines with the stage before it. */
  write(stage: string, text: string): void
}

const CHUNK_BYTES = 64 * 1024
const POLL_MS = 200

/** The worker's end. Readable by the owner only: what tools print can hold anything. */
export function openLog(path: string): PipelineLog {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return {
    write(stage, text) {
      const lines = text.trimEnd().split('\n')
      appendFileSync(path, lines.map((line) => `[${stage}] ${line}\n`).join(''), { mode: 0o600 })
    },
  }
}

/**
 * The lines of a log, from the first one. With `isDone` it waits for more until that says so, and what was written by then has been read.
 * A log that is not there yet has no lines.
 */
export async function* readLog(path: string, options: { readonly isDone?: () => Promise<boolean>; readonly signal?: AbortSignal } = {}): AsyncGenerator<string> {
  let position = 0
  let rest = ''
  for (;;) {
    // Asked first: what is written before the end is then in what is read after.
    const done = (await options.isDone?.()) ?? true
    for (;;) {
      const chunk = await readFrom(path, position)
      if (chunk.length === 0) break
      position += chunk.length
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield Buffer.from(line, 'latin1').toString()
    }
    if (done) break
    await sleep(POLL_MS, options.signal)
  }
  if (rest !== '') yield Buffer.from(rest, 'latin1').toString()
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      const buffer = Buffer.alloc(CHUNK_BYTES)
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
