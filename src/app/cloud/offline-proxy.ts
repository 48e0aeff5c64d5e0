/** A proxy in front of the daemon's that lets only Google's hosts through: `kiln cloud exec --offline` for one command. */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createProxy } from '../../cloud/front/proxy.ts'
import { isGoogleHost } from '../../cloud/front/hosts.ts'

/** Listens on a free loopback port until `close`. `url` is the daemon's. */
export async function startOfflineProxy(url: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const daemon = new URL(url)
  const proxy = createProxy({
    isServed: isGoogleHost,
    offline: true,
    // The daemon ends TLS for any Google host by the name that the client asks for in its handshake.
    accept: (socket) => {
      const upstream = connect(Number(daemon.port), daemon.hostname)
      upstream.write('CONNECT www.googleapis.com:443 HTTP/1.1\r\nHost: www.googleapis.com:443\r\n\r\n')
      upstream.once('data', () => {
        socket.pipe(upstream)
        upstream.pipe(socket)
      })
      upstream.once('close', () => socket.destroy())
      upstream.once('error', () => socket.destroy())
      socket.once('close', () => upstream.destroy())
    },
  })
  const server = createServer((request, response) => {
    if (proxy.onRequest(request.url ?? '', request, response)) return
    response.writeHead(400, { Connection: 'close' })
    response.end('This is a proxy.\n')
  })
  server.on('connect', (request, socket, head: Buffer) => proxy.onConnect(request, socket, head))
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      proxy.close()
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}
