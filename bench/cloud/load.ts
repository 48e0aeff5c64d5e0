/** One measurement: `wrk` with keep-alive connections, each with one request at a time, against one server for some seconds. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { run } from '../../src/host/exec.ts'
import type { ServerProcess } from './server-process.ts'
import type { Program } from './tools.ts'

/** What a client asks of one side, over and over. */
export interface Load {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** By turns. */
  readonly paths?: readonly string[]
  /** In place of `paths`: a path with `%d`, for a number that never comes back. */
  readonly sequence?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: { readonly file: string; readonly sizeBytes: number }
}

export interface Measurement {
  readonly requests: number
  readonly seconds: number
  /** Of answers, with their headers. */
  readonly receivedBytes: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** User and system time of all of the server's processes. */
  readonly cpuMs: number
}

export interface LoadOptions {
  readonly wrk: Program
  /** For the plan of the run. */
  readonly folder: string
  readonly connections: number
  readonly seconds: number
  readonly signal: AbortSignal
}

const Summary = z.object({
  requests: z.number(),
  durationUs: z.number(),
  bytes: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
  failed: z.number(),
  dropped: z.number(),
})

/** @throws Error when a request was answered with an error, or not at all: there is nothing to compare then */
export async function measure(server: ServerProcess, load: Load, options: LoadOptions): Promise<Measurement> {
  const plan = join(options.folder, 'plan.lua')
  await writeFile(plan, planText(load))
  const before = await server.cpuMs()
  const args = ['-t1', `-c${options.connections}`, `-d${options.seconds}s`, '--timeout', '60s', '-s', join(import.meta.dirname, 'load.lua'), server.url]
  const { stdout } = await run(
    { ...options.wrk, args, env: { ...options.wrk.env, PLAN: plan } },
    { what: 'measuring', signal: options.signal, timeoutMs: (options.seconds + 90) * 1000 },
  )
  const summary = Summary.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''))
  const cpuMs = (await server.cpuMs()) - before
  if (summary.failed > 0 || summary.dropped > 0)
    throw new Error(
      `${server.name}: of ${summary.requests} requests ${summary.failed} were answered with an error and ${summary.dropped} not at all (${load.method} ${load.paths?.[0] ?? load.sequence})`,
    )
  return {
    requests: summary.requests,
    seconds: summary.durationUs / 1e6,
    receivedBytes: summary.bytes,
    p50Ms: summary.p50Us / 1000,
    p99Ms: summary.p99Us / 1000,
    cpuMs,
  }
}

function planText(load: Load): string {
  const fields = [
    `method = ${lua(load.method)}`,
    `headers = { ${Object.entries(load.headers)
      .map(([name, value]) => `[${lua(name)}] = ${lua(value)}`)
      .join(', ')} }`,
    ...(load.paths === undefined ? [] : [`paths = { ${load.paths.map(lua).join(', ')} }`]),
    ...(load.sequence === undefined ? [] : [`sequence = ${lua(load.sequence)}`]),
    ...(load.body === undefined ? [] : [`body = ${lua(load.body.file)}`, `distinct = ${load.body.sizeBytes >= 16 && load.paths !== undefined}`]),
  ]
  return `return { ${fields.join(', ')} }\n`
}

/** A Lua string: of the characters that JSON escapes only these two come here. */
function lua(text: string): string {
  if (/[\n\r\0]/.test(text)) throw new TypeError(`not for a plan: ${JSON.stringify(text)}`)
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`
}
