import { createServer, request as httpRequest } from 'node:http'
import type { Server } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { connect as tlsConnect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeAll } from '../../host/files.ts'
import { openAuthority } from './authority.ts'
import type { Authority } from './authority.ts'
import { createFront } from './front.ts'
import type { Front } from './front.ts'
import { isGoogleHost, parseAuthority } from './hosts.ts'
import type { Locate } from './proxy.ts'

let folder = ''
let authority: Authority
let server: Server
let front: Front
let port = 0
const http2Sockets: TLSSocket[] = []

/** A server behind a front, which answers with what it was asked. */
async function startBehindFront(
  offline: boolean,
  handshakeTimeoutMs = 20_000,
  locate?: Locate,
): Promise<{ readonly server: Server; readonly front: Front; readonly port: number }> {
  const made = createServer((request, response) => {
    if (own.onRequest(request.url ?? '', request, response)) return
    response.end(JSON.stringify({ host: request.headers.host, url: request.url }))
  })
  const own = createFront({ authority, server: made, onHttp2: (socket) => http2Sockets.push(socket), offline, handshakeTimeoutMs, ...(locate === undefined ? {} : { locate }) })
  await new Promise<void>((done) => made.listen(0, '127.0.0.1', done))
  return { server: made, front: own, port: (made.address() as AddressInfo).port }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-front-'))
  authority = await openAuthority(folder)
  ;({ server, front, port } = await startBehindFront(false))
  await front.listen(join(folder, 'guests.sock'))
})

afterAll(async () => {
  await front.close()
  server.closeAllConnections()
  await new Promise<void>((done) => server.close(() => done()))
  await removeAll(folder)
})

/** The status line of a CONNECT, and the socket after it. */
function connectThrough(proxyPort: number, target: string): Promise<{ readonly status: number; readonly text: string; readonly socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxyPort, '127.0.0.1', () => socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`))
    socket.once('error', reject)
    socket.once('data', (data) => resolve({ status: Number(data.toString().split(' ')[1]), text: data.toString(), socket }))
  })
}

/** GET through the tunnel with full checking of the certificate. */
async function getThrough(host: string, options: { readonly trust?: string } = {}): Promise<string> {
  const { socket } = await connectThrough(port, `${host}:443`)
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host,
        port: 443,
        path: '/path?q=1',
        ca: options.trust ?? authority.certificate,
        createConnection: () => tlsConnect({ socket, servername: host, ca: options.trust ?? authority.certificate }),
      },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve(text))
      },
    )
    request.once('error', reject)
    request.end()
  })
}

describe('authority', () => {
  test('is made once, with a key that only its owner reads', async () => {
    const again = await openAuthority(folder)
    expect(again.certificate).toBe(authority.certificate)
    expect((await stat(join(folder, 'ca-key.pem'))).mode & 0o777).toBe(0o600)
    expect(await readFile(authority.certificateFile, 'utf8')).toBe(authority.certificate)
    expect(new X509Certificate(authority.certificate).ca).toBe(true)
  })

  test('issues leaves that check, for names and addresses, and are no authority themselves', async () => {
    const { certificateChain, privateKey } = await authority.issue(['demo.example.com', '127.0.0.1'])
    const leaf = new X509Certificate(certificateChain)
    expect(leaf.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true)
    expect(leaf.checkHost('demo.example.com')).toBe('demo.example.com')
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(leaf.ca).toBe(false)
    expect(privateKey).toContain('BEGIN PRIVATE KEY')
    await expect(authority.issue([])).rejects.toThrow('at least one name')
  })

  test('a lost key makes a new authority rather than a broken one', async () => {
    const other = await mkdtemp(join(tmpdir(), 'kiln-front-'))
    const first = await openAuthority(other)
    await removeAll(join(other, 'ca-key.pem'))
    const second = await openAuthority(other)
    expect(second.certificate).not.toBe(first.certificate)
    await removeAll(other)
  })
})

describe('hosts', () => {
  test.each(['storage.googleapis.com', 'a.storage.googleapis.com', 'us-central1-python.pkg.dev', 'accounts.google.com', 'METADATA.google.internal', 'oauth2.googleapis.com.'])(
    '%s is served here',
    (host) => {
      expect(isGoogleHost(host)).toBe(true)
    },
  )
  test.each(['google.com', 'googleapis.com.evil.example', 'notgoogleapis.com', 'pkg.dev', 'pypi.example', 'token.actions.githubusercontent.com', ''])('%s is not', (host) => {
    expect(isGoogleHost(host)).toBe(false)
  })
  test('hosts of others are served when they are named', () => {
    expect(isGoogleHost('token.actions.githubusercontent.com', new Set(['token.actions.githubusercontent.com']))).toBe(true)
  })
  test('targets of CONNECT', () => {
    expect(parseAuthority('a.example:443')).toEqual({ host: 'a.example', port: 443 })
    expect(parseAuthority('[::1]:8443')).toEqual({ host: '::1', port: 8443 })
    for (const wrong of ['', 'a.example', 'a.example:0', 'a.example:70000', 'a b:1', 'http://a.example:443', 'a.example:443/x', ':443'])
      expect(parseAuthority(wrong), wrong).toBeUndefined()
  })
})

describe('proxy', () => {
  test.each(['compute.googleapis.com', 'us-central1-python.pkg.dev', 'my.dotted.bucket.storage.googleapis.com', 'accounts.google.com'])(
    'CONNECT %s ends here, with a certificate for that name',
    async (host) => {
      expect(JSON.parse(await getThrough(host))).toEqual({ host: `${host}:443`, url: '/path?q=1' })
    },
  )

  test('a client that does not trust the authority refuses', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'kiln-front-'))
    const foreign = await openAuthority(elsewhere)
    await expect(getThrough('storage.googleapis.com', { trust: foreign.certificate })).rejects.toThrow(/certificate|issuer/)
    await removeAll(elsewhere)
  })

  test('a client that speaks only HTTP/2 is handed on', async () => {
    const { socket } = await connectThrough(port, 'secretmanager.googleapis.com:443')
    const secure = tlsConnect({ socket, servername: 'secretmanager.googleapis.com', ca: authority.certificate, ALPNProtocols: ['h2'] })
    await new Promise<void>((done, fail) => secure.once('secureConnect', done).once('error', fail))
    expect(secure.alpnProtocol).toBe('h2')
    await expect.poll(() => http2Sockets.length).toBe(1)
    secure.destroy()
  })

  test('the handshake inside a tunnel must name a Google host too', async () => {
    const { socket } = await connectThrough(port, 'storage.googleapis.com:443')
    const secure = tlsConnect({ socket, servername: 'evil.example', rejectUnauthorized: false })
    await new Promise<void>((done) => secure.once('error', () => done()).once('close', () => done()))
    expect(secure.authorized).toBe(false)
    expect(secure.getPeerCertificate()).toBeNull()
  })

  test('any other host is a tunnel, byte for byte', async () => {
    const echo = createServer((request, response) => request.pipe(response))
    await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done))
    const { status, socket } = await connectThrough(port, `127.0.0.1:${(echo.address() as AddressInfo).port}`)
    expect(status).toBe(200)
    const answer = new Promise<string>((done) => socket.once('data', (data) => done(data.toString())))
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello')
    expect(await answer).toContain('hello')
    socket.destroy()
    echo.closeAllConnections()
    await new Promise<void>((done) => echo.close(() => done()))
  })

  test('plain requests are forwarded without the headers of this connection', async () => {
    const seen: Record<string, unknown>[] = []
    const target = createServer((request, response) => {
      seen.push({ url: request.url, ...request.headers })
      response.end('plain')
    })
    await new Promise<void>((done) => target.listen(0, '127.0.0.1', done))
    const { port: targetPort } = target.address() as AddressInfo
    const url = `http://127.0.0.1:${targetPort}/a?b=c`
    const text = await new Promise<string>((resolve, reject) => {
      const request = httpRequest(
        { port, host: '127.0.0.1', path: url, headers: { 'proxy-authorization': 'Basic x', connection: 'x-gone, upgrade', upgrade: 'websocket', 'x-gone': '1', 'x-kept': '1' } },
        (response) => {
          response.once('data', (data: Buffer) => resolve(data.toString()))
        },
      )
      request.once('error', reject)
      request.end()
    })
    expect(text).toBe('plain')
    expect(seen[0]).toMatchObject({ url: '/a?b=c', 'x-kept': '1', host: `127.0.0.1:${targetPort}` })
    expect(Object.keys(seen[0] ?? {})).not.toContain('x-gone')
    expect(Object.keys(seen[0] ?? {})).not.toContain('proxy-authorization')
    expect(Object.keys(seen[0] ?? {})).not.toContain('upgrade')
    target.closeAllConnections()
    await new Promise<void>((done) => target.close(() => done()))
  })

  test.each([
    ['storage.googleapis.com:80', 403, 'on port 443 alone'],
    ['nonsense', 400, 'HOST:PORT'],
    ['127.0.0.1:1', 502, 'could not be reached'],
  ])('CONNECT %s is refused with %i and a reason', async (target, status, reason) => {
    const answer = await connectThrough(port, target)
    expect(answer.status).toBe(status)
    expect(answer.text).toContain(reason)
    answer.socket.destroy()
  })

  test('a token is never asked for in the clear, and there is no metadata server outside of VMs', async () => {
    for (const url of ['http://storage.googleapis.com/storage/v1/b', 'http://metadata.google.internal/computeMetadata/v1/']) {
      const response = await new Promise<{ status: number; flavor: unknown }>((resolve, reject) => {
        const request = httpRequest({ port, host: '127.0.0.1', path: url }, (answer) => resolve({ status: answer.statusCode ?? 0, flavor: answer.headers['metadata-flavor'] }))
        request.once('error', reject)
        request.end()
      })
      expect(response).toEqual({ status: 403, flavor: undefined })
    }
  })

  test("names of the cloud's own zones lead where the cloud says, offline too; a look-up that fails is nobody's name", async () => {
    const locate: Locate = async (host, asked) => {
      if (host === 'broken.example.com') throw new Error('no')
      return host === 'dev.example.com' && (asked === 443 || asked === 80) ? { host: '127.0.0.1', port } : undefined
    }
    const offline = await startBehindFront(true, 20_000, locate)
    const tunnel = await connectThrough(offline.port, 'dev.example.com:443')
    expect(tunnel.status).toBe(200)
    const answer = new Promise<string>((resolve) => tunnel.socket.once('data', (data) => resolve(data.toString())))
    tunnel.socket.write('GET /in HTTP/1.1\r\nHost: dev.example.com\r\nConnection: close\r\n\r\n')
    expect(await answer).toContain('"host":"dev.example.com","url":"/in"')
    tunnel.socket.destroy()
    const text = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ port: offline.port, host: '127.0.0.1', path: 'http://dev.example.com/plain' }, (response) => {
        response.setEncoding('utf8').once('data', resolve)
      })
      request.once('error', reject).end()
    })
    expect(text).toBe('{"host":"dev.example.com","url":"/plain"}')
    expect((await connectThrough(offline.port, 'www.example.com:443')).status).toBe(403)
    expect((await connectThrough(offline.port, 'broken.example.com:443')).status).toBe(403)
    await offline.front.close()
    offline.server.closeAllConnections()
    await new Promise<void>((done) => offline.server.close(() => done()))
  })

  test('offline, nothing but Google hosts is reachable, by tunnel or plainly', async () => {
    const offline = await startBehindFront(true)
    const refused = await connectThrough(offline.port, `127.0.0.1:${port}`)
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('--offline')
    refused.socket.destroy()
    const plain = await new Promise<number>((resolve, reject) => {
      const request = httpRequest({ port: offline.port, host: '127.0.0.1', path: `http://127.0.0.1:${port}/` }, (answer) => resolve(answer.statusCode ?? 0))
      request.once('error', reject)
      request.end()
    })
    expect(plain).toBe(403)
    const google = await connectThrough(offline.port, 'storage.googleapis.com:443')
    expect(google.status).toBe(200)
    google.socket.destroy()
    await offline.front.close()
    offline.server.closeAllConnections()
    await new Promise<void>((done) => offline.server.close(() => done()))
  })

  test('VMs come in by a unix socket that is replaced when a killed daemon left it', async () => {
    const path = join(folder, 'guests.sock')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const socket = connect(path)
    const secure = tlsConnect({ socket, servername: 'storage.googleapis.com', ca: authority.certificate })
    const answer = new Promise<string>((done, fail) => secure.once('data', (data) => done(data.toString())).once('error', fail))
    secure.write('GET /x HTTP/1.1\r\nHost: storage.googleapis.com\r\nConnection: close\r\n\r\n')
    expect(await answer).toContain('"url":"/x"')
    const other = await startBehindFront(false)
    await other.front.listen(path)
    await other.front.close()
    other.server.closeAllConnections()
    await new Promise<void>((done) => other.server.close(() => done()))
    await front.close()
    await front.listen(path)
  })

  test('a client that never finishes its handshake is let go', async () => {
    const short = await startBehindFront(false, 100)
    const { socket } = await connectThrough(short.port, 'storage.googleapis.com:443')
    const closed = new Promise<void>((done) => socket.once('close', () => done()))
    // The beginning of a TLS record, and then nothing.
    socket.write(Buffer.from([0x16, 0x03, 0x01]))
    socket.resume()
    await closed
    expect(socket.destroyed).toBe(true)
    await short.front.close()
    short.server.closeAllConnections()
    await new Promise<void>((done) => short.server.close(() => done()))
  })
})
