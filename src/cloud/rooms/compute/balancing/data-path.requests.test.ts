/** What happens to single requests on the data path, with a real HAProxy: retries, streams, protocols, rules, affinity, limits. */
import { generateKeyPairSync } from 'node:crypto'
import { request } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { connect as connectTls } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { DAY_MS } from '../../../../base/units.ts'
import { selfSignedCertificate } from '../../../kernel/x509.ts'
import { api, succeed, zone } from '../testing.ts'
import { askThrough, makeService, publish, startBalancingWorld } from './testing.ts'
import type { Answer, AskOptions, BalancingWorld, Guest } from './testing.ts'

const PORT = 18_110
const TLS_PORT = PORT + 1
let world: BalancingWorld
let address: string
let one: Guest
let two: Guest

function ask(path: string, headers: Record<string, string> = {}, options: Partial<AskOptions> = {}): Promise<Answer> {
  return askThrough(address, path, headers, { port: PORT, ...options })
}

const signed: string[] = []
/** The certificate of a name that begins with `old.` is near its end the first time. */
function certificateFor(name: string): { certificateChain: string; privateKey: string } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const isOld = name.startsWith('old.') && !signed.includes(name)
  signed.push(name)
  const [validFrom, validTo] = [new Date(Date.now() - (isOld ? 89 : 0) * DAY_MS - 60_000), new Date(Date.now() + (isOld ? 1 : 90) * DAY_MS)]
  const chain = selfSignedCertificate({ commonName: name, privateKey, validFrom, validTo })
  return { certificateChain: chain, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** `/lost` and `/cut` break off; `/hang` never answers; `/events` sends one line at once and the rest when it is told. */
const events: (() => void)[] = []
function behavior(name: string, breaks: () => boolean): RequestListener {
  return (incoming, response) => {
    if (incoming.url === '/lost' && breaks()) incoming.socket.destroy()
    else if (incoming.url === '/cut') response.writeHead(200, { 'content-length': '100' }).write('begun', () => incoming.socket.destroy())
    else if (incoming.url === '/hang') incoming.resume()
    else if (incoming.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
      events.push(() => response.end('data: last\n\n'))
    } else {
      response.setHeader('X-Backend', name)
      response.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers }))
    }
  }
}

async function whoAnswers(path: string, headers: Record<string, string> = {}): Promise<string> {
  return JSON.parse((await ask(path, headers)).text).name
}

/** Sends the whole URL map anew, and waits until it is in force. */
async function route(map: object): Promise<void> {
  await succeed(world.cloud, 'PUT', `${api}/global/urlMaps/main`, { name: 'main', defaultService: 'global/backendServices/web', ...map })
}

beforeAll(async () => {
  world = await startBalancingWorld(async (names) => certificateFor(names[0] ?? ''))
  await makeService(world.cloud, 'web', { loadBalancingScheme: 'EXTERNAL_MANAGED', timeoutSec: 2 })
  await makeService(world.cloud, 'other', { loadBalancingScheme: 'EXTERNAL_MANAGED' })
  one = await world.guest(
    'web-1',
    'web-group',
    behavior('web-1', () => true),
  )
  two = await world.guest(
    'web-2',
    'web-group',
    behavior('web-2', () => false),
  )
  await world.guest(
    'other-1',
    'other-group',
    behavior('other-1', () => false),
  )
  address = await publish(world, 'main', { defaultService: 'global/backendServices/web' }, PORT, { loadBalancingScheme: 'EXTERNAL_MANAGED' })
  await world.untilHealth('web', 'web-group', { 'web-1': 'HEALTHY', 'web-2': 'HEALTHY' })
  await world.untilHealth('other', 'other-group', { 'other-1': 'HEALTHY' })
  await world.until('both to answer', async () => new Set([await whoAnswers('/'), await whoAnswers('/')]).size === 2)
}, 120_000)
afterAll(() => world?.close())

test('a reading request whose answer never began is repeated elsewhere; a writing one never is', async () => {
  const served = (): readonly [number, number] => [one.served, two.served]
  const before = served()
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/lost')))
  expect(answers.map((answer) => [answer.status, answer.headers['x-backend']])).toEqual(Array.from({ length: 6 }, () => [200, 'web-2']))
  // Some of them came to the one that breaks off first.
  expect(one.served).toBeGreaterThan(before[0])
  const between = served()
  const posts = []
  for (let index = 0; index < 4; index += 1) posts.push((await ask('/lost', {}, { method: 'POST', body: 'order' })).status)
  expect(posts.toSorted()).toEqual([200, 200, 502, 502])
  // Each was delivered once.
  expect(one.served + two.served - between[0] - between[1]).toBe(4)
})

test('an answer that has begun is never repeated: the client sees that it is cut', async () => {
  const before = one.served + two.served
  await expect(ask('/cut')).rejects.toThrow('aborted')
  expect(one.served + two.served - before).toBe(1)
})

test('a backend that is too slow is given up after timeoutSec with 504, and not asked twice', async () => {
  const before = one.served + two.served
  const answer = await ask('/hang')
  expect([answer.status, answer.text, one.served + two.served - before]).toEqual([504, 'upstream request timeout', 1])
})

test('an answer streams: its first bytes are there before its end', async () => {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: address, port: PORT, path: '/events', agent: false }, resolve).on('error', reject).end()
  })
  const chunks: string[] = []
  response.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  await world.until('the first event', async () => chunks.join('') === 'data: first\n\n')
  expect(response.complete).toBe(false)
  for (const finish of events.splice(0)) finish()
  await world.until('the end', async () => response.complete)
  expect(chunks.join('')).toBe('data: first\n\ndata: last\n\n')
})

test('route rules: by priority, by header, by query parameter; weights; headers are added and taken away on the way', async () => {
  const service = (name: string): string => `global/backendServices/${name}`
  await route({
    hostRules: [{ hosts: ['app.example.com'], pathMatcher: 'app' }],
    pathMatchers: [
      {
        name: 'app',
        defaultService: service('web'),
        headerAction: { requestHeadersToRemove: ['X-Secret'], responseHeadersToRemove: ['X-Backend'], responseHeadersToAdd: [{ headerName: 'X-Who', headerValue: 'matcher' }] },
        routeRules: [
          { priority: 3, service: service('other'), matchRules: [{ prefixMatch: '/v1' }] },
          { priority: 1, service: service('web'), matchRules: [{ prefixMatch: '/v1', headerMatches: [{ headerName: 'x-canary', exactMatch: 'no' }] }] },
          {
            priority: 2,
            service: service('other'),
            matchRules: [{ fullPathMatch: '/query', queryParameterMatches: [{ name: 'beta', presentMatch: true }] }],
            headerAction: { requestHeadersToAdd: [{ headerName: 'X-Beta', headerValue: '100% yes', replace: true }] },
          },
          { priority: 4, matchRules: [{ prefixMatch: '/gone' }], urlRedirect: { pathRedirect: '/here', redirectResponseCode: 'TEMPORARY_REDIRECT', stripQuery: true } },
          {
            priority: 5,
            matchRules: [{ prefixMatch: '/split' }],
            routeAction: {
              weightedBackendServices: [
                { backendService: service('other'), weight: 1000 },
                { backendService: service('web'), weight: 0 },
              ],
            },
          },
          {
            priority: 6,
            matchRules: [{ prefixMatch: '/half' }],
            routeAction: {
              weightedBackendServices: [
                { backendService: service('other'), weight: 500 },
                { backendService: service('web'), weight: 500 },
              ],
            },
          },
        ],
      },
    ],
  })
  const host = 'app.example.com'
  expect(await whoAnswers('/v1/a', { host })).toBe('other-1')
  expect(await whoAnswers('/v1/a', { host, 'x-canary': 'no' })).toMatch(/^web-/)
  expect(await whoAnswers('/v1/a')).toMatch(/^web-/)
  const beta = await ask('/query?beta=1', { host, 'x-secret': 'hidden' })
  expect(JSON.parse(beta.text)).toMatchObject({ name: 'other-1', headers: { 'x-beta': '100% yes' } })
  expect(JSON.parse(beta.text).headers['x-secret']).toBeUndefined()
  expect([beta.headers['x-backend'], beta.headers['x-who']]).toEqual([undefined, 'matcher'])
  expect(await whoAnswers('/query', { host })).toMatch(/^web-/)
  expect(await ask('/gone/x?a=b', { host })).toMatchObject({ status: 307, headers: { location: 'http://app.example.com/here' } })
  const split = await Promise.all(Array.from({ length: 10 }, () => whoAnswers('/split', { host })))
  expect(new Set(split)).toEqual(new Set(['other-1']))
  const half = await Promise.all(Array.from({ length: 60 }, () => whoAnswers('/half', { host })))
  const others = half.filter((name) => name === 'other-1').length
  // Of 60 throws of a fair coin: outside of this once in more than 10^8 runs.
  expect(others).toBeGreaterThan(7)
  expect(others).toBeLessThan(53)
  await route({})
})

test('affinity: a cookie or the address keeps a client with one backend', async () => {
  await succeed(world.cloud, 'PATCH', `${api}/global/backendServices/web`, { sessionAffinity: 'GENERATED_COOKIE', affinityCookieTtlSec: 60 })
  await world.until('the cookie', async () => (await ask('/')).headers['set-cookie'] !== undefined)
  const first = await ask('/')
  const [cookie = ''] = (first.headers['set-cookie']?.[0] ?? '').split(';')
  expect(cookie).toMatch(/^GCLB=[0-9a-f]{16}/)
  expect(first.headers['set-cookie']?.[0]).toContain('Max-Age=60')
  const again = await Promise.all(Array.from({ length: 8 }, () => whoAnswers('/', { cookie })))
  expect(new Set(again)).toEqual(new Set([JSON.parse(first.text).name]))
  await succeed(world.cloud, 'PATCH', `${api}/global/backendServices/web`, { sessionAffinity: 'CLIENT_IP', affinityCookieTtlSec: 0 })
  await world.until('one backend alone', async () => new Set(await Promise.all(Array.from({ length: 8 }, () => whoAnswers('/')))).size === 1)
  expect((await ask('/')).headers['set-cookie']).toBeUndefined()
  await succeed(world.cloud, 'PATCH', `${api}/global/backendServices/web`, { sessionAffinity: 'NONE' })
})

test('security policies: the first rule that takes in the client decides, limits count by header, and others go on', async () => {
  const range = (...srcIpRanges: string[]): object => ({ versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges } })
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies`, {
    name: 'doors',
    rules: [
      {
        priority: 1,
        action: 'rate_based_ban',
        match: range('127.0.0.0/8'),
        rateLimitOptions: {
          rateLimitThreshold: { count: 3, intervalSec: 60 },
          banDurationSec: 60,
          exceedAction: 'deny(429)',
          enforceOnKey: 'HTTP_HEADER',
          enforceOnKeyName: 'x-user',
        },
      },
      { priority: 2, action: 'deny(403)', match: range('*') },
    ],
  })
  await succeed(world.cloud, 'POST', `${api}/global/backendServices/web/setSecurityPolicy`, { securityPolicy: 'global/securityPolicies/doors' })
  const statuses = async (user: string, count: number): Promise<number[]> => {
    const seen: number[] = []
    for (let index = 0; index < count; index += 1) seen.push((await ask('/', { 'x-user': user })).status)
    return seen
  }
  expect(await statuses('a', 5)).toEqual([200, 200, 200, 429, 429])
  expect(await statuses('b', 2)).toEqual([200, 200])
  expect(await statuses('a', 1)).toEqual([429])
  // An allowed range before a door that is closed for all, and the other way round.
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/doors/removeRule?priority=1`)
  expect((await ask('/')).status).toBe(403)
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/doors/addRule`, { priority: 1, action: 'allow', match: range('10.0.0.0/8', '127.0.0.1/32') })
  expect((await ask('/')).status).toBe(200)
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/doors/patchRule?priority=1`, { match: range('10.0.0.0/8') })
  expect((await ask('/')).status).toBe(403)
  await succeed(world.cloud, 'POST', `${api}/global/backendServices/web/setSecurityPolicy`, {})
  await succeed(world.cloud, 'DELETE', `${api}/global/securityPolicies/doors`)
})

/** One request on an HTTP/2 session. */
function ask2(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers)
    let status = 0
    const chunks: Buffer[] = []
    stream.on('response', (answer) => (status = Number(answer[':status'])))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ status, text: Buffer.concat(chunks).toString() }))
    stream.on('error', reject)
    stream.end(body)
  })
}

test('HTTPS: the name chooses the certificate; HTTP/2 to clients, and to backends that speak HTTP, HTTPS or HTTP/2', async () => {
  const inside = certificateFor('vm')
  const tls = { cert: inside.certificateChain, key: inside.privateKey }
  const servers = {
    https: createHttps(tls, (incoming, response) => void response.end(`https ${incoming.httpVersion} ${incoming.headers['x-forwarded-proto']}`)),
    http2: createSecureServer(tls, (incoming, response) => void response.end(`http2 ${incoming.httpVersion}`)),
  }
  for (const [name, type, protocol] of [
    ['https', 'HTTPS', 'HTTPS'],
    ['http2', 'HTTP2', 'HTTP2'],
  ] as const) {
    await succeed(world.cloud, 'POST', `${api}/global/healthChecks`, { name: `tls-${name}`, type, checkIntervalSec: 1, timeoutSec: 1, [`${name}HealthCheck`]: { port: 8080 } })
    await makeService(world.cloud, name, { protocol, healthChecks: [`global/healthChecks/tls-${name}`], loadBalancingScheme: 'EXTERNAL_MANAGED' })
    await world.guest(`${name}-1`, `${name}-group`, servers[name])
    await world.untilHealth(name, `${name}-group`, { [`${name}-1`]: 'HEALTHY' })
  }
  for (const name of ['first', 'second']) await succeed(world.cloud, 'POST', `${api}/global/sslCertificates`, { name, managed: { domains: [`${name}.example.com`] } })
  await succeed(world.cloud, 'POST', `${api}/global/urlMaps`, {
    name: 'tls',
    defaultService: 'global/backendServices/web',
    hostRules: [{ hosts: ['*'], pathMatcher: 'all' }],
    pathMatchers: [
      {
        name: 'all',
        defaultService: 'global/backendServices/web',
        pathRules: ['https', 'http2'].map((name) => ({ paths: [`/${name}`], service: `global/backendServices/${name}` })),
      },
    ],
  })
  const sslCertificates = ['global/sslCertificates/first', 'global/sslCertificates/second']
  await succeed(world.cloud, 'POST', `${api}/global/targetHttpsProxies`, { name: 'tls', urlMap: 'global/urlMaps/tls', sslCertificates })
  const rule = { name: 'tls', target: 'global/targetHttpsProxies/tls', portRange: String(TLS_PORT), loadBalancingScheme: 'EXTERNAL_MANAGED', IPAddress: undefined }
  await succeed(world.cloud, 'POST', `${api}/global/forwardingRules`, rule)
  const host = (await world.get(`${api}/global/forwardingRules/tls`)).IPAddress
  const shown = (servername: string): Promise<PeerCertificate> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host, port: TLS_PORT, servername, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate())
        socket.destroy()
      })
      socket.on('error', reject)
    })
  const subject = async (servername: string): Promise<string> => String((await shown(servername)).subject.CN)
  expect([await subject('first.example.com'), await subject('second.example.com'), await subject('unknown.example.com')]).toEqual([
    'first.example.com',
    'second.example.com',
    'first.example.com',
  ])
  const session = connectHttp2(`https://${host}:${TLS_PORT}`, { rejectUnauthorized: false, servername: 'first.example.com' })
  onTestFinished(() => session.destroy())
  await world.until('every backend to answer', async () =>
    (await Promise.all(['/', '/https', '/http2'].map((path) => ask2(session, { ':path': path })))).every((answer) => answer.status === 200),
  )
  expect(session.alpnProtocol).toBe('h2')
  const plain = JSON.parse((await ask2(session, { ':path': '/x', ':authority': 'first.example.com' })).text)
  expect(plain).toMatchObject({ url: '/x', headers: { host: 'first.example.com', 'x-forwarded-proto': 'https' } })
  expect((await ask2(session, { ':path': '/https' })).text).toBe('https 1.1 https')
  expect((await ask2(session, { ':path': '/http2' })).text).toBe('http2 2.0')
  // Many streams at a time over the one connection.
  const many = await Promise.all(Array.from({ length: 50 }, (_, index) => ask2(session, { ':path': `/many/${index}`, ':method': 'POST' }, 'body')))
  expect(many.map((answer) => JSON.parse(answer.text).url)).toEqual(Array.from({ length: 50 }, (_, index) => `/many/${index}`))
  // One that soon ends is signed anew before it does, and shown without a word from anybody.
  await succeed(world.cloud, 'POST', `${api}/global/sslCertificates`, { name: 'old', managed: { domains: ['old.example.com'] } })
  await succeed(world.cloud, 'POST', `${api}/targetHttpsProxies/tls/setSslCertificates`, { sslCertificates: [...sslCertificates, 'global/sslCertificates/old'] })
  await world.until('the renewed certificate', async () => {
    const { valid_to: end, subject: of } = await shown('old.example.com')
    return of.CN === 'old.example.com' && Date.parse(end) > Date.now() + 80 * DAY_MS
  })
  expect(signed.filter((name) => name === 'old.example.com')).toHaveLength(2)
  expect(Date.parse((await world.get(`${api}/global/sslCertificates/old`)).expireTime)).toBeGreaterThan(Date.now() + 80 * DAY_MS)
}, 60_000)

test('an instance that is stopped or deleted gets nothing more, and a stopped backend alone is a 503', async () => {
  await succeed(world.cloud, 'POST', `${zone}/instances/other-1/stop`)
  await succeed(world.cloud, 'PUT', `${api}/global/urlMaps/main`, { name: 'main', defaultService: 'global/backendServices/other' })
  await world.until('503', async () => (await ask('/')).status === 503)
  expect((await ask('/')).text).toBe('no healthy upstream')
  await route({})
  await succeed(world.cloud, 'DELETE', `${zone}/instances/web-1`)
  await world.until('one backend alone', async () => new Set(await Promise.all(Array.from({ length: 8 }, () => whoAnswers('/')))).size === 1)
  expect(await whoAnswers('/')).toBe('web-2')
})
