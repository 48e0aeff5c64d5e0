/** Probes against real servers of every protocol. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer as createHttp } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { selfSignedCertificate } from '../../../kernel/x509.ts'
import { probe } from './probe.ts'
import { planOf } from './service.checks.ts'
import type { ProbePlan } from './service.checks.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const cert = selfSignedCertificate({ commonName: 'vm', privateKey, validFrom: new Date(Date.now() - 60_000), validTo: new Date(Date.now() + 86_400_000) })
const tls = { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

function plan(fields: Partial<ProbePlan>): ProbePlan {
  return { ...planOf({ type: 'HTTP', httpHealthCheck: { port: 80, requestPath: '/healthz' } }), timeoutSec: 5, ...fields }
}

test('HTTP: path, host and agent are sent; 200 alone is good, other answers are kept as evidence', async () => {
  const seen: string[] = []
  const port = await listen(
    createHttp((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers['user-agent']}`)
      response.statusCode = request.url === '/healthz' ? 200 : 503
      response.end(`at ${request.url}`)
    }),
  )
  expect(await probe(plan({ host: 'app.example.com' }), '127.0.0.1', port)).toMatchObject({ isSuccess: true, status: 200, body: 'at /healthz' })
  expect(seen).toEqual(['GET /healthz app.example.com GoogleHC/1.0'])
  expect(await probe(plan({ path: '/bad' }), '127.0.0.1', port)).toMatchObject({ isSuccess: false, status: 503, body: 'at /bad', error: expect.stringContaining('503') })
  expect(await probe(plan({ response: 'at /health' }), '127.0.0.1', port)).toMatchObject({ isSuccess: true })
  expect(await probe(plan({ response: 'well' }), '127.0.0.1', port)).toMatchObject({ isSuccess: false, error: expect.stringContaining("'well'") })
})

test('HTTPS and HTTP/2 take any certificate, as Google does, and speak no other protocol', async () => {
  const https = await listen(createHttps(tls, (request, response) => void response.writeHead(request.url === '/healthz' ? 200 : 404).end('tls')))
  const http2 = await listen(createSecureServer(tls, (request, response) => void response.writeHead(request.httpVersionMajor === 2 ? 200 : 500).end('h2')))
  const http = await listen(createHttp((_request, response) => void response.end()))
  expect(await probe(plan({ type: 'HTTPS' }), '127.0.0.1', https)).toMatchObject({ isSuccess: true, status: 200, body: 'tls' })
  expect(await probe(plan({ type: 'HTTPS', path: '/' }), '127.0.0.1', https)).toMatchObject({ isSuccess: false, status: 404 })
  expect(await probe(plan({ type: 'HTTP2' }), '127.0.0.1', http2)).toMatchObject({ isSuccess: true, status: 200, body: 'h2' })
  for (const type of ['HTTPS', 'HTTP2', 'SSL'] as const) {
    const result = await probe(plan({ type }), '127.0.0.1', http)
    expect([type, result.isSuccess, result.error === undefined]).toEqual([type, false, false])
  }
})

test('TCP and SSL: a connection is enough, unless bytes are sent and expected', async () => {
  const echo = (socket: Socket): void => void socket.on('data', (chunk) => socket.write(`got ${chunk.toString()}`)).on('error', () => {})
  const ports = { TCP: await listen(createTcp(echo)), SSL: await listen(createTls(tls, echo)) }
  for (const type of ['TCP', 'SSL'] as const) {
    expect(await probe(plan({ type }), '127.0.0.1', ports[type])).toMatchObject({ isSuccess: true })
    expect(await probe(plan({ type, request: 'ping', response: 'got ping' }), '127.0.0.1', ports[type])).toMatchObject({ isSuccess: true, body: 'got ping' })
    expect(await probe(plan({ type, request: 'ping', response: 'got pong' }), '127.0.0.1', ports[type])).toMatchObject({ isSuccess: false })
  }
})

test('PROXY_V1 sends the header of the PROXY protocol first, whatever the protocol of the check', async () => {
  const first: string[] = []
  const http = await listen(
    createTcp((socket) => {
      socket.on('error', () => {})
      socket.once('data', (chunk) => {
        first.push(chunk.toString().split('\r\n')[0] ?? '')
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
      })
    }),
  )
  expect(await probe(plan({ proxyHeader: true }), '127.0.0.1', http)).toMatchObject({ isSuccess: true, body: 'ok' })
  expect(await probe(plan({ type: 'TCP', proxyHeader: true, response: 'HTTP/1.1 200' }), '127.0.0.1', http)).toMatchObject({ isSuccess: true })
  expect(first).toEqual(['PROXY UNKNOWN', 'PROXY UNKNOWN'])
  // Behind the header begins TLS.
  const secure = createHttps(tls, (_request, response) => void response.end('inside'))
  const front = await listen(
    createTcp((socket) => {
      socket.once('data', (chunk) => {
        const end = chunk.indexOf('\r\n') + 2
        first.push(chunk.subarray(0, end).toString())
        socket.pause()
        if (chunk.length > end) socket.unshift(chunk.subarray(end))
        secure.emit('connection', socket)
      })
    }),
  )
  expect(await probe(plan({ type: 'HTTPS', proxyHeader: true }), '127.0.0.1', front)).toMatchObject({ isSuccess: true, body: 'inside' })
  expect(first.at(-1)).toBe('PROXY UNKNOWN\r\n')
})

test('what does not answer fails: in time, or at once where nobody listens', async () => {
  const silent = await listen(createTcp(() => {}))
  expect(await probe(plan({ timeoutSec: 1 }), '127.0.0.1', silent)).toMatchObject({ isSuccess: false, error: 'no answer within 1 s' })
  expect(await probe(plan({ type: 'TCP', timeoutSec: 1, response: 'x' }), '127.0.0.1', silent)).toMatchObject({ isSuccess: false, error: 'no answer within 1 s' })
  expect(await probe(plan({}), '127.0.0.1', 1)).toMatchObject({ isSuccess: false, error: expect.stringContaining('ECONNREFUSED') })
})
