/** The data path with a real HAProxy; small servers stand in for machines. */
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MIB } from '../../../../base/units.ts'
import { sleep } from '../../../../base/wait.ts'
import { readTextIfExists } from '../../../../host/files.ts'
import { templateBody } from '../groups/testing.ts'
import { api, operate, succeed, zone } from '../testing.ts'
import { askThrough, makeService, publish, startBalancingWorld } from './testing.ts'
import type { Answer, AskOptions, BalancingWorld, Guest } from './testing.ts'

const PORT = 18_080
let world: BalancingWorld
let address: string
let one: Guest
let two: Guest

function ask(host: string, path: string, headers: Record<string, string> = {}, options: Partial<AskOptions> = {}): Promise<Answer> {
  return askThrough(host, path, headers, { port: PORT, ...options })
}

beforeAll(async () => {
  world = await startBalancingWorld()
  await makeService(world.cloud, 'web')
  await makeService(world.cloud, 'api')
  one = await world.guest('web-1', 'web-group')
  two = await world.guest('api-1', 'api-group', (incoming, response) => {
    if (incoming.url === '/upload') {
      const hash = createHash('sha256')
      incoming.on('data', (chunk: Buffer) => hash.update(chunk)).on('end', () => response.end(hash.digest('hex')))
    } else response.end(JSON.stringify({ name: 'api-1', url: incoming.url, headers: incoming.headers }))
  })
  two.server.on('upgrade', (incoming, socket) => {
    const accept = createHash('sha1').update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    socket.pipe(socket)
  })
  address = await publish(
    world,
    'main',
    {
      defaultService: 'global/backendServices/web',
      headerAction: { responseHeadersToAdd: [{ headerName: 'X-Map', headerValue: '100% "main"', replace: true }] },
      hostRules: [
        { hosts: ['api.example.com'], pathMatcher: 'api' },
        { hosts: ['*.moved.example.com'], pathMatcher: 'moved' },
      ],
      pathMatchers: [
        {
          name: 'api',
          defaultService: 'global/backendServices/web',
          pathRules: [
            { paths: ['/v1/*', '/upload', '/socket'], service: 'global/backendServices/api' },
            { paths: ['/v1/old/*'], urlRedirect: { prefixRedirect: '/v2/', redirectResponseCode: 'FOUND' } },
            { paths: ['/rewritten/*'], service: 'global/backendServices/api', routeAction: { urlRewrite: { pathPrefixRewrite: '/inner/', hostRewrite: 'inside' } } },
            {
              paths: ['/cors'],
              service: 'global/backendServices/api',
              routeAction: { corsPolicy: { allowOrigins: ['https://app.example.com'], allowMethods: ['GET', 'PUT'], maxAge: 60 } },
            },
          ],
        },
        { name: 'moved', defaultUrlRedirect: { httpsRedirect: true, hostRedirect: 'new.example.com', redirectResponseCode: 'PERMANENT_REDIRECT' } },
      ],
    },
    PORT,
  )
  await world.untilHealth('web', 'web-group', { 'web-1': 'HEALTHY' })
  await world.untilHealth('api', 'api-group', { 'api-1': 'HEALTHY' })
  await world.until('an answer', async () => (await ask(address, '/')).status === 200 && (await ask(address, '/v1/x', { host: 'api.example.com' })).status === 200)
}, 120_000)
afterAll(() => world?.close())

test('hosts and paths choose the backend; the longest path wins', async () => {
  expect(JSON.parse((await ask(address, '/anything?x=1')).text)).toMatchObject({ name: 'web-1', url: '/anything?x=1' })
  expect(JSON.parse((await ask(address, '/v1/things', { host: 'api.example.com:18080' })).text).name).toBe('api-1')
  expect(JSON.parse((await ask(address, '/v1', { host: 'api.example.com' })).text).name).toBe('web-1')
  expect(JSON.parse((await ask(address, '/rewritten/a/b?c=d', { host: 'api.example.com' })).text)).toMatchObject({ url: '/inner/a/b?c=d', headers: { host: 'inside' } })
})

test('requests carry what Google adds, answers what the URL map adds', async () => {
  const answer = await ask(address, '/', { 'x-forwarded-for': '203.0.113.9' })
  const { headers } = JSON.parse(answer.text)
  expect(headers).toMatchObject({ 'x-forwarded-for': `203.0.113.9,127.0.0.1,${address}`, 'x-forwarded-proto': 'http', via: '1.1 google' })
  expect(headers['x-cloud-trace-context']).toMatch(/^[0-9a-f]{32}\/\d+;o=0$/)
  expect(answer.headers).toMatchObject({ via: '1.1 google', 'x-map': '100% "main"' })
  expect(JSON.parse((await ask(address, '/')).text).headers['x-forwarded-for']).toBe(`127.0.0.1,${address}`)
})

test('redirects and CORS', async () => {
  expect(await ask(address, '/v1/old/a?b=c', { host: 'api.example.com' })).toMatchObject({ status: 302, headers: { location: 'http://api.example.com/v2/a?b=c' } })
  expect(await ask(address, '/p?q=1', { host: 'x.moved.example.com:99' })).toMatchObject({ status: 308, headers: { location: 'https://new.example.com/p?q=1' } })
  const preflight = { host: 'api.example.com', origin: 'https://app.example.com', 'access-control-request-method': 'PUT' }
  expect((await ask(address, '/cors', preflight, { method: 'OPTIONS' })).headers).toMatchObject({
    'access-control-allow-origin': 'https://app.example.com',
    'access-control-allow-methods': 'GET, PUT',
  })
  const plain = await ask(address, '/cors', { host: 'api.example.com', origin: 'https://app.example.com' })
  expect([plain.status, plain.headers['access-control-allow-origin']]).toEqual([200, 'https://app.example.com'])
  expect((await ask(address, '/cors', { host: 'api.example.com', origin: 'https://evil.example.com' })).headers['access-control-allow-origin']).toBeUndefined()
})

test('a WebSocket is passed through', async () => {
  const echoed = await new Promise<string>((resolve, reject) => {
    const socket = connect(PORT, address)
    socket.on('error', reject)
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
    socket.write(
      `GET /socket HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
    let seen = ''
    socket.on('data', (chunk) => {
      seen += chunk.toString()
      if (seen.endsWith('ping')) resolve(seen.slice(-4))
      else if (seen.includes('\r\n\r\n') && !seen.includes('ping')) socket.write('ping')
      if (seen.endsWith('ping')) socket.destroy()
    })
  })
  expect(echoed).toBe('ping')
})

test('a large upload streams through unchanged', async () => {
  const piece = randomBytes(MIB)
  const hash = createHash('sha256')
  function* pieces(): Generator<Buffer> {
    for (let index = 0; index < 50; index += 1) {
      hash.update(piece)
      yield piece
    }
  }
  const answer = await ask(address, '/upload', { host: 'api.example.com', 'content-length': String(50 * MIB) }, { method: 'POST', body: Readable.from(pieces()) })
  expect(answer).toMatchObject({ status: 200, text: hash.digest('hex') })
})

test('an unhealthy backend gets nothing, and comes back when it is well', async () => {
  one.healthStatus = 500
  await world.untilHealth('web', 'web-group', { 'web-1': 'UNHEALTHY' })
  await world.until('502', async () => (await ask(address, '/')).status === 502)
  const before = one.served
  const refused = await ask(address, '/')
  expect([refused.status, refused.headers['content-type'], one.served]).toEqual([502, 'text/html; charset=UTF-8', before])
  const health = await world.cloud.call('POST', `${api}/global/backendServices/web/getHealth`, {
    body: { group: `${zone.replace('compute.googleapis.com', 'https://www.googleapis.com')}/instanceGroups/web-group` },
  })
  expect(health.json).toMatchObject({
    kind: 'compute#backendServiceGroupHealth',
    healthStatus: [{ healthState: 'UNHEALTHY', port: 8080, annotations: { status: '500', body: 'health of web-1' } }],
  })
  one.healthStatus = 200
  await world.untilHealth('web', 'web-group', { 'web-1': 'HEALTHY' })
  await world.until('200', async () => (await ask(address, '/')).status === 200)
})

test('no request fails while backends come and go', async () => {
  const results: number[] = []
  const failures: string[] = []
  const pending = new Set<Promise<void>>()
  const end = new AbortController()
  // Open loop: one request every 10 ms whatever came of the earlier ones, at most 4000.
  const generator = (async () => {
    for (let index = 0; index < 4000 && !end.signal.aborted; index += 1) {
      const sent = ask(address, `/load/${index}`).then(
        (answer) => void results.push(answer.status),
        (error: unknown) => void failures.push(String(error)),
      )
      pending.add(sent)
      void sent.finally(() => pending.delete(sent))
      await sleep(10)
    }
  })()
  const slow = await world.guest('web-2', 'web-group', (_incoming, response) => void setTimeout(() => response.end('slow'), 300))
  await world.untilHealth('web', 'web-group', { 'web-2': 'HEALTHY' })
  await world.until('traffic to the new one', async () => slow.served > 10)
  await succeed(world.cloud, 'POST', `${zone}/instanceGroups/web-group/removeInstances`, { instances: [{ instance: 'zones/us-central1-c/instances/web-2' }] })
  await world.until('no more traffic to the old one', async () => {
    const before = slow.served
    await sleep(500)
    return slow.served === before
  })
  // A change of structure reloads HAProxy under load.
  const map = await world.get(`${api}/global/urlMaps/main`)
  await succeed(world.cloud, 'PATCH', `${api}/global/urlMaps/main`, {
    fingerprint: map.fingerprint,
    headerAction: { responseHeadersToAdd: [{ headerName: 'X-Map', headerValue: 'second', replace: true }] },
  })
  await world.until('the new header', async () => (await ask(address, '/')).headers['x-map'] === 'second')
  end.abort()
  await generator
  await Promise.all(pending)
  expect(failures).toEqual([])
  expect(results.length).toBeGreaterThan(100)
  expect(results.filter((status) => status !== 200)).toEqual([])
}, 90_000)

test('a managed instance goes only when the requests that it has in hand are answered', async () => {
  const { cloud } = world
  await succeed(cloud, 'POST', `${api}/global/instanceTemplates`, templateBody('tpl'))
  await succeed(cloud, 'POST', `${zone}/instanceGroupManagers`, { name: 'mig', baseInstanceName: 'mig', instanceTemplate: 'global/instanceTemplates/tpl', targetSize: 1 })
  await succeed(cloud, 'POST', `${zone}/instanceGroups/mig/setNamedPorts`, { namedPorts: [{ name: 'http', port: 8080 }] })
  await succeed(cloud, 'POST', `${api}/global/backendServices`, {
    name: 'managed',
    healthChecks: ['global/healthChecks/web-check'],
    backends: [{ group: 'zones/us-central1-c/instanceGroups/mig' }],
    connectionDraining: { drainingTimeoutSec: 30 },
  })
  const members = async (): Promise<{ instance: string; currentAction: string }[]> =>
    (await cloud.call('POST', `${zone}/instanceGroupManagers/mig/listManagedInstances`)).json.managedInstances ?? []
  await world.until(
    'the instance',
    async () =>
      (await members())[0]?.currentAction !== undefined &&
      (await cloud.call('GET', `${zone}/instances/${(await members())[0]?.instance.split('/').at(-1)}`)).json.status === 'RUNNING',
  )
  const name = (await members())[0]?.instance.split('/').at(-1) ?? ''
  const inHand: (() => void)[] = []
  await world.serve(name, (incoming, response) => void (incoming.url === '/slow' ? inHand.push(() => response.end('late')) : response.end('quick')))
  const host = await publish(world, 'managed', { defaultService: 'global/backendServices/managed' }, PORT + 1)
  await world.untilHealth('managed', 'mig', { [name]: 'HEALTHY' })
  const answer = ask(host, '/slow', {}, { port: PORT + 1 })
  await world.until('the request to arrive', async () => inHand.length > 0)
  await succeed(cloud, 'POST', `${zone}/instanceGroupManagers/mig/deleteInstances`, { instances: [`zones/us-central1-c/instances/${name}`] })
  await world.until('no new request', async () => (await ask(host, '/', {}, { port: PORT + 1 })).status === 502)
  expect((await cloud.call('GET', `${zone}/instances/${name}`)).json.status).toBe('RUNNING')
  for (const finish of inHand) finish()
  expect(await answer).toMatchObject({ status: 200, text: 'late' })
  await world.until('the end of the instance', async () => (await cloud.call('GET', `${zone}/instances/${name}`)).status === 404)
  await succeed(cloud, 'DELETE', `${api}/global/forwardingRules/managed`)
}, 60_000)

test('a security policy denies and limits', async () => {
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies`, {
    name: 'guard',
    rules: [
      {
        priority: 10,
        action: 'throttle',
        match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['127.0.0.0/8'] } },
        rateLimitOptions: { rateLimitThreshold: { count: 5, intervalSec: 60 }, enforceOnKey: 'IP' },
      },
    ],
  })
  await succeed(world.cloud, 'POST', `${api}/global/backendServices/web/setSecurityPolicy`, { securityPolicy: 'global/securityPolicies/guard' })
  const statuses = []
  for (let index = 0; index < 8; index += 1) statuses.push((await ask(address, '/')).status)
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/guard/addRule`, {
    priority: 5,
    action: 'deny(403)',
    match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['127.0.0.1/32'] } },
  })
  expect((await ask(address, '/')).status).toBe(403)
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/guard/patchRule?priority=5`, { preview: true })
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/guard/patchRule?priority=10`, {
    action: 'rate_based_ban',
    rateLimitOptions: { rateLimitThreshold: { count: 2, intervalSec: 1 }, banDurationSec: 60, exceedAction: 'deny(429)' },
  })
  await world.until('the ban', async () => (await ask(address, '/')).status === 429)
  await sleep(1500)
  expect((await ask(address, '/')).status).toBe(429)
  await succeed(world.cloud, 'POST', `${api}/global/backendServices/web/setSecurityPolicy`, {})
  expect((await ask(address, '/')).status).toBe(200)
}, 60_000)

test('HAProxy serves on while no daemon is there, and the next daemon goes on with it', async () => {
  const pid = (): Promise<string | undefined> => readTextIfExists(`${world.cloud.folder}/cloud/balancer/haproxy.pid`)
  const before = await pid()
  const failed: string[] = []
  const over = new AbortController()
  const asking = (async () => {
    while (!over.signal.aborted) {
      const answer = await ask(address, '/').catch((error: unknown) => ({ status: String(error) }))
      if (answer.status !== 200) failed.push(String(answer.status))
      await sleep(10)
    }
  })()
  await world.cloud.restart()
  await world.untilHealth('web', 'web-group', { 'web-1': 'HEALTHY' })
  over.abort()
  await asking
  expect(failed).toEqual([])
  expect(await pid()).toBe(before)
  one.healthStatus = 503
  await world.until('the new daemon acts', async () => (await ask(address, '/')).status === 502)
  one.healthStatus = 200
  await world.until('200', async () => (await ask(address, '/')).status === 200)
}, 60_000)

test('ports closed by the firewall are not reached, and the last rule takes HAProxy with it', async () => {
  await succeed(world.cloud, 'DELETE', `${api}/global/firewalls/allow-health-checks`)
  await world.until('502', async () => (await ask(address, '/')).status === 502)
  const health = await world.cloud.call('POST', `${api}/global/backendServices/web/getHealth`, { body: { group: 'zones/us-central1-c/instanceGroups/web-group' } })
  expect(health.json.healthStatus[0].annotations.error).toContain("no firewall rule of the network 'default' lets 130.211.0.0/22")
  expect((await operate(world.cloud, 'DELETE', `${api}/global/forwardingRules/main`)).error).toBeUndefined()
  await expect(ask(address, '/')).rejects.toThrow('ECONNREFUSED')
})
