/** Bad input over HTTP, against all rooms at once: each answer is an error in Google's form that says what is wrong, never a 500, and nothing escapes, is lost or made twice. */
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownerPrincipal, userPrincipal } from '../src/cloud/kernel/principal.ts'
import { startTestCloud } from '../src/cloud/kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../src/cloud/kernel/testing.ts'
import { makeAllRooms } from '../tools/whole-cloud.ts'

let cloud: TestCloud
const compute = 'compute.googleapis.com/compute/v1/projects/p-one'

beforeAll(async () => {
  cloud = await startTestCloud(makeAllRooms)
  cloud.addProject('p-one')
  await cloud.call('POST', 'storage.googleapis.com/storage/v1/b?project=p-one', { body: { name: 'bad-input' } })
})
afterAll(() => cloud.close())

function post(path: string, body: unknown, options: CallOptions = {}): Promise<CallResult> {
  return cloud.call('POST', path, { body, ...options })
}

/** Of several answers: how often each status. */
function tally(answers: readonly CallResult[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

function expectGoogleError(answer: CallResult, what: string): void {
  expect(answer.json.error, `${what}: ${answer.status} ${answer.text.slice(0, 300)}`).toMatchObject({
    code: answer.status,
    message: expect.any(String),
    status: expect.stringMatching(/^[A-Z_]+$/),
  })
}

describe('credentials', () => {
  const paths = [`${compute}/zones`, 'storage.googleapis.com/storage/v1/b?project=p-one', 'secretmanager.googleapis.com/v1/projects/p-one/secrets', 'kiln/faults']

  test('that are malformed, foreign, of another scheme or too long get 401', async () => {
    const headers = [
      'Bearer',
      'Bearer ',
      'Bearer a.b.c',
      'bearer ya29.foreign',
      'Basic b3duZXI6eA==',
      'Digest x',
      'ya29.alone',
      `Bearer ${'x'.repeat(8000)}`,
      'Bearer \u00e9',
      'Bearer null',
      "Bearer ' OR 1=1 --",
    ]
    for (const path of paths) {
      for (const authorization of headers) {
        const answer = await cloud.call('GET', path, { token: null, headers: { authorization } })
        expect([path, authorization, answer.status]).toEqual([path, authorization, 401])
        expectGoogleError(answer, authorization)
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /)
      }
    }
  })

  test('that have expired or were revoked get 401', async () => {
    const { tokens } = cloud.kernel()
    const expired = tokens.mint(ownerPrincipal, { lifetimeSeconds: -1 }).accessToken
    const revoked = tokens.mint(userPrincipal('gone@example.com')).accessToken
    tokens.revoke('user:gone@example.com')
    for (const token of [expired, revoked]) for (const path of paths) expect((await cloud.call('GET', path, { token })).status).toBe(401)
  })

  test('in a query are not credentials', async () => {
    expect((await cloud.call('GET', `${compute}/zones?access_token=${cloud.ownerToken()}`, { token: null })).status).toBe(401)
  })
})

describe('every route of every room', () => {
  const hostile = [
    '..',
    '%2e%2e%2f%2e%2e',
    'a%2Fb',
    '%00',
    '%0d%0a',
    'ü%20é',
    '%F0%9F%90%8D',
    `${'x'.repeat(1024)}`,
    "'%20OR%201=1",
    '*',
    '-',
    '%25',
    '__proto__',
    'constructor',
    '-1',
    '%E0%A4%A',
  ]

  function pathOf(host: string, template: string, values: () => string): string {
    const path = template
      .replaceAll('::', '\u0000')
      .replace(/:(\w+)(\((?:[^()]|\([^()]*\))*\))?/g, (_whole, name: string) => (name === 'project' ? 'p-one' : values()))
      .replaceAll('*', values)
      .replaceAll('\u0000', ':')
    return `${host}${path}`
  }

  function* routes(): Generator<{ readonly id: string; readonly method: string; readonly host: string; readonly path: string }> {
    for (const { room, route } of cloud.table()) {
      const rule = room.hosts.find((each) => each.name === route.host) ?? room.hosts[0]
      if (rule !== undefined) yield { id: route.id, method: route.method, host: typeof rule.match === 'string' ? rule.match : 'us-central1-python.pkg.dev', path: route.path }
    }
  }

  test('takes hostile names without a 500', async () => {
    const wrong: string[] = []
    let turn = 0
    for (const { id, method, host, path } of routes()) {
      for (let n = 0; n < 5; n += 1) {
        const target = pathOf(host, path, () => hostile[(turn += 1) % hostile.length] ?? '')
        const answer = await cloud.call(method, target, ['POST', 'PUT', 'PATCH'].includes(method) ? { body: {} } : {})
        if (answer.status >= 500 && answer.status !== 501) wrong.push(`${id}: ${method} ${target} -> ${answer.status}`)
      }
    }
    expect(wrong).toEqual([])
  }, 300_000)

  test('takes bodies of wrong shapes without a 500', async () => {
    const bodies = [
      '[]',
      'null',
      '"text"',
      '7',
      '{"name":7,"policy":"x","permissions":{},"payload":[],"labels":[],"items":7,"networkInterfaces":{},"disks":[null],"oidc":1}',
      '{"__proto__":{"admin":true},"constructor":1,"unknownField":{"deep":[1]}}',
      `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      '{"name":"x","name":"y"',
      '\u0000',
    ]
    const wrong: string[] = []
    for (const { id, method, host, path } of routes()) {
      if (!['POST', 'PUT', 'PATCH'].includes(method)) continue
      for (const body of bodies) {
        const answer = await cloud.call(
          method,
          pathOf(host, path, () => 'x1'),
          { body, headers: { 'content-type': 'application/json' } },
        )
        if (answer.status >= 500 && answer.status !== 501) wrong.push(`${id}: ${method} ${path} with ${body.slice(0, 60)} -> ${answer.status}`)
      }
    }
    expect(wrong).toEqual([])
  }, 300_000)
})

describe('bodies and addresses', () => {
  test('fields that nobody knows are let through', async () => {
    const made = await post('secretmanager.googleapis.com/v1/projects/p-one/secrets?secretId=unknown-fields', { replication: { automatic: {} }, fieldOfTomorrow: { a: 1 } })
    expect(made.status, made.text).toBe(200)
    expect(made.json.fieldOfTomorrow).toBeUndefined()
  })

  test.each([
    ['a secret', 'secretmanager.googleapis.com/v1/projects/p-one/secrets/unknown-fields:addVersion', { payload: { data: '***not base64***' } }],
    ['a hash', 'storage.googleapis.com/upload/storage/v1/b/bad-input/o?uploadType=multipart', undefined],
  ])('base64 that is not: %s', async (_what, path, body) => {
    const multipart = '--x\r\ncontent-type: application/json\r\n\r\n{"name":"o","md5Hash":"!!!"}\r\n--x\r\ncontent-type: text/plain\r\n\r\nabc\r\n--x--'
    const answer = body === undefined ? await post(path, multipart, { headers: { 'content-type': 'multipart/related; boundary=x' } }) : await post(path, body)
    expect(answer.status, answer.text).toBe(400)
    expectGoogleError(answer, path)
  })

  test('more than 10 MB of JSON is refused, announced or not, and the next call is served', async () => {
    const path = `${compute}/global/networks`
    const large = `{"name":"${'x'.repeat(11 * 1024 * 1024)}"}`
    const answer = await post(path, large)
    expect(answer.status).toBe(413)
    expectGoogleError(answer, 'large')
    const chunked = await new Promise<number>((resolve, reject) => {
      const call = request(`${cloud.url()}/${path}`, { method: 'POST', headers: { authorization: `Bearer ${cloud.ownerToken()}`, 'transfer-encoding': 'chunked' } }, (reply) => {
        reply.resume()
        resolve(reply.statusCode ?? 0)
      })
      // The server may close while the rest is still being written.
      call.on('error', reject)
      call.end(large)
    }).catch(() => 413)
    expect(chunked).toBe(413)
    expect((await cloud.call('GET', path)).status).toBe(200)
  })

  test('a Host header that is not ours reaches no room; a Google host does, as through the proxy', async () => {
    const status = (host: string, path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        request(`${cloud.url()}${path}`, { headers: { host, authorization: `Bearer ${cloud.ownerToken()}` } }, (reply) => {
          reply.resume()
          resolve(reply.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    const zones = '/compute/v1/projects/p-one/zones'
    for (const host of ['evil.example.com', '127.0.0.1:1', 'localhost', '127.0.0.1.evil.example.com', 'compute.googleapis.com.evil.example.com', 'evil.example.com:443']) {
      expect([host, await status(host, zones)]).toEqual([host, 404])
      expect([host, await status(host, `/compute.googleapis.com${zones}`)]).toEqual([host, 404])
      expect([host, await status(host, '/kiln/faults')]).toEqual([host, 404])
    }
    expect(await status('compute.googleapis.com', zones)).toBe(200)
    expect(await status('compute.googleapis.com:443', zones)).toBe(200)
  })

  test('requests that are hardly HTTP end with 400, and the daemon lives on', async () => {
    const { port } = new URL(cloud.url())
    const send = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let answer = ''
        connect(Number(port), '127.0.0.1')
          .on('data', (chunk) => (answer += chunk.toString()))
          .on('close', () => resolve(answer.split('\r\n')[0] ?? ''))
          .on('error', reject)
          .end(text)
      })
    const own = `Host: 127.0.0.1:${port}\r\nConnection: close\r\n`
    for (const target of [
      '/%zz/x',
      '/%',
      '/compute.googleapis.com/%E0%A4%A',
      '//',
      '/..',
      '/../../etc/passwd',
      '/compute.googleapis.com/..%2f..%2f',
      '/?',
      '/kiln/faults/%zz',
      '/kiln/../storage.googleapis.com/',
      '/batch/compute/%zz',
    ]) {
      expect(await send(`GET ${target} HTTP/1.1\r\n${own}\r\n`), target).toMatch(/^HTTP\/1\.1 (400|401|404|501) /)
    }
    expect(await send('GET /compute.googleapis.com/ HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 (400|404) /)
    expect(await send('GET /compute.googleapis.com/ HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 (400|404) /)
    expect(await send('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await send(`GET / HTTP/1.1\r\n${own}X: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    // Another protocol is offered and not taken: the request is judged as what it is.
    for (const upgrade of ['websocket', 'h2c', 'TLS/1.0']) {
      const offer = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n`
      const answer = await send(`GET /${compute}/zones HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${offer}\r\n`)
      expect(answer, upgrade).toMatch(/^HTTP\/1\.1 401 /)
    }
    expect((await cloud.call('GET', `${compute}/zones`)).status).toBe(200)
  })
})

describe('names of objects', () => {
  const upload = (name: string): Promise<CallResult> => post(`storage.googleapis.com/upload/storage/v1/b/bad-input/o?uploadType=media&name=${encodeURIComponent(name)}`, 'bytes')

  test.each(['../../etc/passwd', '/etc/passwd', 'a/../../b', 'ünïcode/蛇', ' ', '%2e%2e', 'a?b#c', 'x'.repeat(1024), 'é'.repeat(512), '-', '*', 'constructor'])(
    '%j is kept as it is',
    async (name) => {
      const made = await upload(name)
      expect(made.status, made.text).toBe(200)
      expect(made.json.name).toBe(name)
      const path = `storage.googleapis.com/storage/v1/b/bad-input/o/${encodeURIComponent(name)}`
      expect((await cloud.call('GET', `${path}?alt=media`)).text).toBe('bytes')
      expect((await cloud.call('DELETE', path)).status).toBe(204)
      expect((await cloud.call('GET', path)).status).toBe(404)
    },
  )

  test.each(['', '.', '..', 'a\nb', 'a\rb', 'x'.repeat(1025), 'é'.repeat(513)])('%j is refused', async (name) => {
    const answer = await upload(name)
    expect(answer.status).toBe(400)
    expectGoogleError(answer, name)
  })
})

describe('two clients at once', () => {
  test.each([
    ['a bucket', 'storage.googleapis.com/storage/v1/b?project=p-one', { name: 'raced-bucket' }],
    ['a secret', 'secretmanager.googleapis.com/v1/projects/p-one/secrets?secretId=raced', { replication: { automatic: {} } }],
    ['a service account', 'iam.googleapis.com/v1/projects/p-one/serviceAccounts', { accountId: 'raced-account' }],
    ['a network', `${compute}/global/networks`, { name: 'raced', autoCreateSubnetworks: false }],
    ['a firewall rule', `${compute}/global/firewalls`, { name: 'raced', network: 'global/networks/default', allowed: [{ IPProtocol: 'tcp', ports: ['80'] }] }],
    ['an address', `${compute}/global/addresses`, { name: 'raced' }],
    ['a disk', `${compute}/zones/us-central1-c/disks`, { name: 'raced', sizeGb: '10' }],
    ['a repository', 'artifactregistry.googleapis.com/v1/projects/p-one/locations/us-central1/repositories?repositoryId=raced', { format: 'PYTHON' }],
    ['a zone', 'dns.googleapis.com/dns/v1/projects/p-one/managedZones', { name: 'raced', dnsName: 'raced.example.com.', description: 'x' }],
  ])('that make %s of one name: exactly one wins', async (_what, path, body) => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(path, body)))
    expect(tally(answers), answers.find((answer) => ![200, 409].includes(answer.status))?.text).toEqual({ 200: 1, 409: 7 })
    for (const loser of answers.filter((answer) => answer.status === 409)) expectGoogleError(loser, path)
  })

  test('that change one policy: one wins, the others get 409, and a retry of the whole round succeeds', async () => {
    const policyOf = (): Promise<CallResult> => post('cloudresourcemanager.googleapis.com/v1/projects/p-one:getIamPolicy', {})
    const set = (etag: string, email: string): Promise<CallResult> =>
      post('cloudresourcemanager.googleapis.com/v1/projects/p-one:setIamPolicy', { policy: { etag, bindings: [{ role: 'roles/viewer', members: [`user:${email}`] }] } })
    const { etag } = (await policyOf()).json
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => set(etag, `${name}@example.com`)))
    expect(tally(answers)).toEqual({ 200: 1, 409: 2 })
    expect(answers.find((answer) => answer.status === 409)?.json.error.status).toBe('ABORTED')
    expect((await set((await policyOf()).json.etag, 'd@example.com')).status).toBe(200)
  })
})

describe('what is in use is not deleted', () => {
  test('a network with a rule, a bucket with an object, a zone with records', async () => {
    await post(`${compute}/global/networks`, { name: 'used', autoCreateSubnetworks: false })
    const rule = await post(`${compute}/global/firewalls`, { name: 'uses', network: 'global/networks/used', allowed: [{ IPProtocol: 'tcp' }] })
    expect(rule.status, rule.text).toBe(200)
    const network = await cloud.call('DELETE', `${compute}/global/networks/used`)
    expect(network.json.error, network.text).toMatchObject({ code: 400, errors: [{ reason: 'resourceInUseByAnotherResource' }] })
    expect((await cloud.call('GET', `${compute}/global/networks/used`)).status).toBe(200)

    await post('storage.googleapis.com/upload/storage/v1/b/bad-input/o?uploadType=media&name=kept', 'x')
    expect((await cloud.call('DELETE', 'storage.googleapis.com/storage/v1/b/bad-input')).status).toBe(409)
    expect((await cloud.call('GET', 'storage.googleapis.com/storage/v1/b/bad-input/o/kept?alt=media')).text).toBe('x')

    const zone = 'dns.googleapis.com/dns/v1/projects/p-one/managedZones'
    await post(zone, { name: 'used', dnsName: 'used.example.com.', description: 'x' })
    await post(`${zone}/used/rrsets`, { name: 'a.used.example.com.', type: 'A', ttl: 60, rrdatas: ['127.0.0.1'] })
    expect((await cloud.call('DELETE', `${zone}/used`)).status).toBe(400)
  })
})
