/** One probe of one endpoint, as Google's probers do it. https://cloud.google.com/load-balancing/docs/health-check-concepts */
import { request as httpRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { KIB } from '../../../../base/units.ts'
import type { ProbePlan } from './service.checks.ts'

/** How much of an answer is kept as evidence. */
const MAX_BODY_BYTES = 2 * KIB
/** How much of an answer an expected text may begin in (Google: the first 1,024 bytes). */
const MATCHED_BYTES = KIB

export interface ProbeResult {
  readonly isSuccess: boolean
  readonly atMs: number
  readonly durationMs: number
  /** HTTP status. */
  readonly status?: number
  /** First 2 KiB of the answer. */
  readonly body?: string
  readonly error?: string
}

interface Answer {
  readonly status?: number
  readonly body: Buffer
}

/** Never throws: what goes wrong is the result. */
export async function probe(plan: ProbePlan, host: string, port: number): Promise<ProbeResult> {
  const atMs = Date.now()
  const signal = AbortSignal.timeout(plan.timeoutSec * 1000)
  try {
    const answer = await ask(plan, host, port, signal)
    const body = answer.body.subarray(0, MAX_BODY_BYTES).toString()
    const seen = { atMs, durationMs: Date.now() - atMs, body, ...(answer.status === undefined ? {} : { status: answer.status }) }
    if (answer.status !== undefined && answer.status !== 200) return { ...seen, isSuccess: false, error: `HTTP status ${answer.status}, and 200 is expected` }
    if (plan.response !== undefined && !answer.body.subarray(0, MATCHED_BYTES).toString().startsWith(plan.response))
      return { ...seen, isSuccess: false, error: `the answer does not begin with '${plan.response}'` }
    return { ...seen, isSuccess: true }
  } catch (error) {
    const text = signal.aborted ? `no answer within ${plan.timeoutSec} s` : error instanceof Error ? error.message || error.name : String(error)
    return { isSuccess: false, atMs, durationMs: Date.now() - atMs, error: text }
  }
}

function ask(plan: ProbePlan, host: string, port: number, signal: AbortSignal): Promise<Answer> {
  if (plan.type === 'HTTP' || plan.type === 'HTTPS') return askHttp(plan, host, port, signal)
  if (plan.type === 'HTTP2') return askHttp2(plan, host, port, signal)
  return askStream(plan, host, port, signal)
}

/** The connection of a check with proxyHeader PROXY_V1. Nobody stands behind a probe: its header is that of an unknown source (PROXY protocol, 2.1). */
function openProxied(plan: ProbePlan, host: string, port: number): Socket {
  const socket = connect({ host, port })
  socket.write('PROXY UNKNOWN\r\n')
  if (plan.type === 'HTTP' || plan.type === 'TCP') return socket
  const secure = connectTls({ socket, rejectUnauthorized: false, ...(plan.type === 'HTTP2' ? { ALPNProtocols: ['h2'] } : {}) })
  socket.on('error', (error) => secure.destroy(error))
  return secure
}

function headersOf(plan: ProbePlan, host: string): Record<string, string> {
  return { host: plan.host ?? host, 'user-agent': 'GoogleHC/1.0', connection: 'close' }
}

function askHttp(plan: ProbePlan, host: string, port: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host, port, path: plan.path, method: 'GET', headers: headersOf(plan, host), signal, rejectUnauthorized: false } as const
    const request = plan.proxyHeader
      ? httpRequest({ ...options, createConnection: () => openProxied(plan, host, port) })
      : plan.type === 'HTTP'
        ? httpRequest({ ...options, agent: false })
        : httpsRequest({ ...options, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      const done = (): void => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) })
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size < MAX_BODY_BYTES) return
        done()
        request.destroy()
      })
      response.on('end', done)
      response.on('error', reject)
    })
    request.end()
  })
}

function askHttp2(plan: ProbePlan, host: string, port: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const proxied = plan.proxyHeader ? { createConnection: () => openProxied(plan, host, port) } : {}
    const session = connectHttp2(`https://${host}:${port}`, { rejectUnauthorized: false, ALPNProtocols: ['h2'], ...proxied })
    const end = (work: () => void): void => {
      session.destroy()
      work()
    }
    signal.addEventListener('abort', () => end(() => reject(new Error('timeout'))), { once: true })
    session.on('error', (error) => end(() => reject(error)))
    const stream = session.request({ ':path': plan.path, ':authority': plan.host ?? host, 'user-agent': 'GoogleHC/1.0' })
    const chunks: Buffer[] = []
    let status = 0
    stream.on('error', (error) => end(() => reject(error)))
    stream.on('response', (headers) => (status = headers[':status'] ?? 0))
    stream.on('data', (chunk: Buffer) => chunks.length < 64 && chunks.push(chunk))
    stream.on('end', () => end(() => resolve({ status, body: Buffer.concat(chunks) })))
    stream.end()
  })
}

/** TCP and SSL: a connection is enough, unless bytes are to be sent or expected. */
function askStream(plan: ProbePlan, host: string, port: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const target = { host, port, rejectUnauthorized: false }
    const socket: Socket = plan.proxyHeader ? openProxied(plan, host, port) : plan.type === 'SSL' ? connectTls(target) : connect(target)
    const chunks: Buffer[] = []
    let size = 0
    const end = (work: () => void): void => {
      socket.destroy()
      work()
    }
    const done = (): void => end(() => resolve({ body: Buffer.concat(chunks) }))
    signal.addEventListener('abort', () => end(() => reject(new Error('timeout'))), { once: true })
    socket.on('error', (error) => end(() => reject(error)))
    socket.on(plan.type === 'SSL' ? 'secureConnect' : 'connect', () => {
      if (plan.request !== undefined) socket.write(plan.request)
      if (plan.response === undefined) done()
    })
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= (plan.response?.length ?? 0)) done()
    })
    socket.on('end', done)
  })
}
