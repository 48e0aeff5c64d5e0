/** The name server's sockets: UDP and TCP on one loopback port. */
import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Logger } from 'pino'
import { systemErrorCode } from '../../../../base/errors.ts'
import type { NameBook } from './book.ts'
import { respond } from './wire.ts'

const HOST = '127.0.0.1'
/** A connection without a query is closed after this time (RFC 7766 section 6.2.3 asks for some seconds). */
const IDLE_MS = 10_000
const MAX_CONNECTIONS = 256
const TRIES = 20

export interface DnsListener {
  readonly port: number
  close(): Promise<void>
}

/**
 * Listens on `wanted`, or on a port that is free for both protocols when that one is taken or 0.
 * @throws Error of the system when there is none
 */
export async function listenDns(book: NameBook, wanted: number, log: Logger): Promise<DnsListener> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await listenOn(book, attempt === 0 ? wanted : 0, log)
    } catch (error) {
      if (!['EADDRINUSE', 'EACCES'].includes(systemErrorCode(error) ?? '') || attempt === TRIES) throw error
    }
  }
}

async function listenOn(book: NameBook, wanted: number, log: Logger): Promise<DnsListener> {
  const udp = createSocket('udp4')
  const sockets = new Set<Socket>()
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serveConnection(book, socket, log)
  })
  tcp.maxConnections = MAX_CONNECTIONS
  try {
    await new Promise<void>((resolve, reject) => udp.once('error', reject).bind(wanted, HOST, resolve))
    const { port } = udp.address()
    await new Promise<void>((resolve, reject) => tcp.once('error', reject).listen(port, HOST, resolve))
  } catch (error) {
    await closeBoth(udp, tcp)
    throw error
  }
  const { port } = udp.address()
  udp.on('error', (error) => log.warn({ err: error }, 'the name server could not send'))
  tcp.on('error', (error) => log.warn({ err: error }, 'the name server could not take a connection'))
  udp.on('message', (message, from) => {
    const reply = respondSafely(book, message, 'udp', log)
    if (reply !== undefined) udp.send(reply, from.port, from.address)
  })
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await closeBoth(udp, tcp)
    },
  }
}

async function closeBoth(udp: UdpSocket, tcp: Server): Promise<void> {
  await new Promise<void>((resolve) => udp.close(() => resolve()))
  await new Promise<void>((resolve) => tcp.close(() => resolve()))
}

/** Messages with their length before them, any number on one connection (RFC 7766). */
function serveConnection(book: NameBook, socket: Socket, log: Logger): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0)
      const reply = respondSafely(book, pending.subarray(2, end), 'tcp', log)
      pending = pending.subarray(end)
      if (reply === undefined) {
        socket.destroy()
        return
      }
      const length = Buffer.alloc(2)
      length.writeUInt16BE(reply.length)
      socket.write(Buffer.concat([length, reply]))
    }
  })
}

function respondSafely(book: NameBook, message: Buffer, transport: 'udp' | 'tcp', log: Logger): Buffer | undefined {
  try {
    return respond(book, message, transport)
  } catch (error) {
    log.error({ err: error }, 'the name server failed on a query')
    return undefined
  }
}
