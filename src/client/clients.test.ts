/** The clients against a local server: where each service's calls go, what is repeated, and what failures become. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { createClients } from './clients.ts'
import { call, isAbsent, isConflict, isNotFound } from './errors.ts'
import { waitForCompute, waitForOperation } from './operations.ts'

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let server: Server
let root: string
let seen: Seen[]
let answer: (request: Seen, response: ServerResponse) => void

beforeEach(async () => {
  seen = []
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const entry: Seen = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('latin1') }
      seen.push(entry)
      response.setHeader('content-type', 'application/json')
      answer(entry, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function clients(attempts = 3) {
  return createClients({ rootUrl: root, accessToken: async (refused) => (refused ? 'second' : 'first'), version: '9.9', retry: { attempts, firstDelayMs: 1 } })
}

function reply(status: number, body: unknown, headers: Record<string, string> = {}): typeof answer {
  return (_request, response) => response.writeHead(status, headers).end(JSON.stringify(body))
}

const notFound = { error: { code: 404, message: "The resource 'x' was not found", status: 'NOT_FOUND', errors: [{ reason: 'notFound' }] } }

async function failure(promise: Promise<unknown>): Promise<KilnError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KilnError) return error
    throw error
  }
  throw new Error('the call did not fail')
}

test('every service is called under its own host name, with token and user agent', async () => {
  answer = reply(200, { ok: true })
  const all = clients()
  await call((await all.compute()).instances.get({ project: 'p', zone: 'z', instance: 'i' }))
  await call((await all.storage()).objects.get({ bucket: 'b', object: 'dir/o' }))
  await call((await all.iam()).projects.serviceAccounts.get({ name: 'projects/p/serviceAccounts/a@p.iam.gserviceaccount.com' }))
  await call((await all.resourceManager()).projects.getIamPolicy({ resource: 'p', requestBody: {} }))
  await call((await all.serviceUsage()).services.enable({ name: 'projects/p/services/s', requestBody: {} }))
  await call((await all.secretManager()).projects.secrets.get({ name: 'projects/p/secrets/s' }))
  await all.cloudBilling.getBillingInfo('p')
  await all.artifactRegistry.getIamPolicy('projects/p/locations/l/repositories/r')
  expect(seen.map((entry) => `${entry.method} ${entry.path}`)).toEqual([
    'GET /compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i',
    'GET /storage.googleapis.com/storage/v1/b/b/o/dir%2Fo',
    'GET /iam.googleapis.com/v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com',
    'POST /cloudresourcemanager.googleapis.com/v1/projects/p:getIamPolicy',
    'POST /serviceusage.googleapis.com/v1/projects/p/services/s:enable',
    'GET /secretmanager.googleapis.com/v1/projects/p/secrets/s',
    'GET /cloudbilling.googleapis.com/v1/projects/p/billingInfo',
    'GET /artifactregistry.googleapis.com/v1/projects/p/locations/l/repositories/r:getIamPolicy',
  ])
  for (const entry of seen) {
    expect(entry.headers.authorization).toBe('Bearer first')
    expect(entry.headers['user-agent']).toMatch(/^kiln\/9\.9/)
  }
})

test('a 404 is an E_API with Google’s message and is not repeated', async () => {
  answer = reply(404, notFound)
  const error = await failure(call((await clients().compute()).images.get({ project: 'p', image: 'i' })))
  expect(error.code).toBe('E_API')
  expect(error.message).toContain("The resource 'x' was not found (404 NOT_FOUND)")
  expect(isNotFound(error)).toBe(true)
  expect(isAbsent(error)).toBe(true)
  expect(isConflict(error)).toBe(false)
  expect(seen).toHaveLength(1)
})

test('busy answers are repeated for POST too, at most as often as allowed', async () => {
  let count = 0
  answer = (_request, response) => {
    count += 1
    if (count < 3) response.writeHead(503, { 'retry-after': '0' }).end('{}')
    else response.end('{"name":"op"}')
  }
  const storage = await clients().storage()
  expect(await call(storage.buckets.insert({ project: 'p', requestBody: { name: 'b' } }))).toEqual({ name: 'op' })
  expect(seen.map((entry) => entry.body)).toEqual(['{"name":"b"}', '{"name":"b"}', '{"name":"b"}'])
  answer = reply(500, { error: { code: 500, message: 'broken', status: 'INTERNAL' } })
  const error = await failure(call(storage.buckets.get({ bucket: 'b' })))
  expect(error.message).toContain('broken (500 INTERNAL)')
  expect(seen).toHaveLength(6)
})

test('Retry-After is waited for', async () => {
  let count = 0
  answer = (_request, response) => {
    count += 1
    if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end('{}')
    else response.end('{}')
  }
  const before = performance.now()
  await clients().cloudBilling.getBillingInfo('p')
  expect(performance.now() - before).toBeGreaterThan(950)
})

test('a secret version is not added twice after an unclear failure', async () => {
  answer = reply(500, {})
  await failure(call((await clients().secretManager()).projects.secrets.addVersion({ parent: 'projects/p/secrets/s', requestBody: { payload: { data: 'eA==' } } })))
  expect(seen).toHaveLength(1)
})

test('a refused token is asked for once more', async () => {
  answer = (request, response) => {
    if (request.headers.authorization === 'Bearer second') response.end('{"billingEnabled":true}')
    else response.writeHead(401).end('{"error":{"message":"invalid credentials","status":"UNAUTHENTICATED"}}')
  }
  expect(await clients().cloudBilling.getBillingInfo('p')).toEqual({ billingEnabled: true })
  answer = reply(401, { error: { message: 'invalid credentials', status: 'UNAUTHENTICATED' } })
  expect((await failure(clients().cloudBilling.getBillingInfo('p'))).code).toBe('E_PERMISSION')
  expect(seen).toHaveLength(4)
})

test('a 403 names the account and the role to grant', async () => {
  answer = reply(403, { error: { code: 403, message: "Required 'compute.instances.create' permission for 'projects/p' (ann@example.com)", status: 'PERMISSION_DENIED' } })
  const error = await failure(call((await clients().compute()).instances.list({ project: 'p', zone: 'z' })))
  expect(error.code).toBe('E_PERMISSION')
  expect(error.hint).toBe('give ann@example.com the role roles/compute.instanceAdmin.v1 (it holds compute.instances.create)')
})

test('a 403 of a disabled API says how to enable it', async () => {
  answer = reply(403, {
    error: {
      code: 403,
      message: 'Compute Engine API has not been used in project 1 before or it is disabled.',
      status: 'PERMISSION_DENIED',
      details: [{ reason: 'SERVICE_DISABLED', metadata: { service: 'compute.googleapis.com' } }],
    },
  })
  const error = await failure(call((await clients().compute()).instances.list({ project: 'p', zone: 'z' })))
  expect(error.hint).toBe('enable compute.googleapis.com in the project: gcloud services enable compute.googleapis.com')
  expect(isAbsent(error)).toBe(true)
})

test('a refused loopback connection means that the pocket cloud is not running; another host is a network error', async () => {
  const port = (server.address() as AddressInfo).port
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  const error = await failure(call((await clients().storage()).buckets.get({ bucket: 'b' })))
  expect(error.code).toBe('E_CLOUD_NOT_RUNNING')
  expect(error.message).toBe(`nothing listens on 127.0.0.1:${port}`)
  const away = createClients({ rootUrl: 'http://host.invalid', accessToken: async () => 't', retry: { attempts: 1 } })
  expect((await failure(away.cloudBilling.getBillingInfo('p'))).code).toBe('E_NETWORK')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

test('an abort ends a call with its reason', async () => {
  answer = () => {}
  const controller = new AbortController()
  const reason = new KilnError('E_CANCELLED', 'stopped by the user')
  const waiting = failure(call((await clients().compute()).images.get({ project: 'p', image: 'i' }, { signal: controller.signal })))
  setImmediate(() => controller.abort(reason))
  expect((await waiting).code).toBe('E_CANCELLED')
})

test('compute operations are waited for, with polling where wait is missing, and all their errors are told', async () => {
  let polls = 0
  answer = (request, response) => {
    if (request.path.endsWith('/wait')) return void response.writeHead(501).end('{"error":{"message":"no wait"}}')
    polls += 1
    response.end(
      JSON.stringify({
        name: 'op',
        zone: `${root}/zones/z`,
        status: polls < 3 ? 'RUNNING' : 'DONE',
        error:
          polls < 3
            ? undefined
            : {
                errors: [
                  { code: 'A', message: 'one' },
                  { code: 'B', message: 'two' },
                ],
              },
      }),
    )
  }
  const error = await failure(waitForCompute(clients(), 'p', { name: 'op', zone: `${root}/zones/z`, status: 'RUNNING' }, { what: 'create the instance dev' }))
  expect(error.code).toBe('E_OPERATION')
  expect(error.message).toBe('could not create the instance dev: A: one; B: two')
  expect(seen[0]?.path).toContain('/zones/z/operations/op/wait')
  expect(polls).toBe(3)
})

test('long-running operations give their response or their error', async () => {
  let polls = 0
  const read = async (name: string) => ({ name, done: ++polls === 2, response: { a: 1 } })
  expect(await waitForOperation({ name: 'operations/1' }, read, { what: 'enable x' })).toEqual({ a: 1 })
  const error = await failure(waitForOperation({ name: 'o', done: true, error: { code: 9, message: 'no billing' } }, read, { what: 'enable x' }))
  expect(error.message).toBe('could not enable x: no billing')
})
