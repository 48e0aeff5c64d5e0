/** TCP ports on loopback addresses. */
import { createServer, connect } from 'node:net'
import { readFile } from 'node:fs/promises'

/** A port that is free on this loopback address right now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** True when this process could listen on the port now. */
export async function canListen(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
    return true
  } catch {
    return false
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

/** True when something accepts a TCP connection there within `timeoutMs`. */
export async function accepts(port: number, host = '127.0.0.1', timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(timeoutMs, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

/** The first port that this user may bind: 0 for root, else net.ipv4.ip_unprivileged_port_start (Linux ip-sysctl). */
export async function firstBindablePort(): Promise<number> {
  if (process.getuid?.() === 0) return 0
  try {
    return Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  } catch {
    return 1024
  }
}
