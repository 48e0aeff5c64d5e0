/**
 * A client of the QEMU Machine Protocol on a unix socket (https://www.qemu.org/docs/master/interop/qmp-spec.html).
 * QEMU serves one client at a time on a socket and lets others wait, so nobody may hold a connection: connect, ask, close.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { KilnError } from '../../base/errors.ts'

export interface QmpEvent {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970. */
  readonly timeMs: number
}

export interface QmpClient {
  /** Sends a command and returns what QEMU returned. @throws KilnError E_VM with QEMU's words, or when it does not answer in time. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Runs a command of the human monitor and returns its text. */
  humanCommand(line: string): Promise<string>
  onEvent(listener: (event: QmpEvent) => void): void
  close(): void
}

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Replies larger than this come from something that is not QEMU. */
const maxBufferChars = 16 * 1024 * 1024

/**
 * Connects and leaves the negotiation mode.
 * @throws KilnError E_VM when nobody listens or the greeting does not come within `timeoutMs` (default 30 s; an emulated machine on a
 *   busy host is slow to answer). Each later command has the same limit.
 */
export async function connectQmp(socketPath: string, timeoutMs = 30_000): Promise<QmpClient> {
  const socket = connect(socketPath)
  const pending = new Map<number, Pending>()
  const listeners: ((event: QmpEvent) => void)[] = []
  const greeting = Promise.withResolvers<undefined>()
  greeting.promise.catch(() => {})
  let nextId = 1
  let failure: Error | undefined

  function fail(error: Error): void {
    failure ??= error
    greeting.reject(failure)
    for (const entry of pending.values()) entry.reject(failure)
    pending.clear()
    socket.destroy()
  }

  function receive(message: Readonly<Record<string, unknown>>): void {
    if ('QMP' in message) return greeting.resolve(undefined)
    if (typeof message['event'] === 'string') {
      const event = parseEvent(message)
      for (const listener of listeners) listener(event)
      return
    }
    const entry = pending.get(Number(message['id']))
    if (entry === undefined) return
    pending.delete(Number(message['id']))
    if ('error' in message) entry.reject(new KilnError('E_VM', `QEMU refused ${entry.command}: ${errorText(message['error'])}`))
    else entry.resolve(message['return'])
  }

  async function execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (failure !== undefined) throw failure
    const id = nextId
    nextId += 1
    const answer = Promise.withResolvers<unknown>()
    pending.set(id, { command, resolve: answer.resolve, reject: answer.reject })
    socket.write(`${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\r\n`)
    return limited(answer.promise, timeoutMs, `QEMU did not answer ${command}`)
  }

  socket.on('error', (error) => fail(new KilnError('E_VM', `no connection to QEMU at ${socketPath}`, { cause: error })))
  socket.on('close', () => fail(new KilnError('E_VM', `QEMU closed its socket ${socketPath}`)))
  readLines(socket, receive, fail)

  try {
    await limited(greeting.promise, timeoutMs, `QEMU did not greet at ${socketPath}`)
    await execute('qmp_capabilities')
  } catch (error) {
    socket.destroy()
    throw error
  }
  return {
    execute,
    humanCommand: async (line) => String(await execute('human-monitor-command', { 'command-line': line })),
    onEvent: (listener) => void listeners.push(listener),
    close: () => socket.destroy(),
  }
}

/** Connects, runs `work`, closes. */
export async function withQmp<T>(socketPath: string, work: (client: QmpClient) => Promise<T>, timeoutMs?: number): Promise<T> {
  const client = await connectQmp(socketPath, timeoutMs)
  try {
    return await work(client)
  } finally {
    client.close()
  }
}

/** An event message of QEMU as it stands in the protocol. */
export function parseEvent(message: Readonly<Record<string, unknown>>): QmpEvent {
  const stamp = (message['timestamp'] ?? {}) as { seconds?: number; microseconds?: number }
  return {
    event: String(message['event']),
    data: (message['data'] ?? {}) as Readonly<Record<string, unknown>>,
    timeMs: (stamp.seconds ?? 0) * 1000 + Math.floor((stamp.microseconds ?? 0) / 1000),
  }
}

function readLines(socket: Socket, receive: (message: Readonly<Record<string, unknown>>) => void, fail: (error: Error) => void): void {
  let buffer = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    buffer += text
    if (buffer.length > maxBufferChars) return fail(new KilnError('E_VM', 'QEMU sent a reply that is too long'))
    for (let end = buffer.indexOf('\n'); end >= 0; end = buffer.indexOf('\n')) {
      const line = buffer.slice(0, end).trim()
      buffer = buffer.slice(end + 1)
      if (line === '') continue
      try {
        receive(JSON.parse(line) as Readonly<Record<string, unknown>>)
      } catch (error) {
        return fail(new KilnError('E_VM', 'QEMU sent a line that is not JSON', { detail: line.slice(0, 400), cause: error }))
      }
    }
  })
}

async function limited<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new KilnError('E_VM', `${message} within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

function errorText(error: unknown): string {
  if (error !== null && typeof error === 'object' && 'desc' in error) return String(error.desc)
  return JSON.stringify(error)
}
