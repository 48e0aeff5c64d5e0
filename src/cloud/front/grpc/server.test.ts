import { connect } from 'node:http2'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { status as codes } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { statusDetails, startTestFront, testClient } from './testing.ts'
import type { Answer, GrpcTestClient, GrpcTestFront } from './testing.ts'
import type { RestRequest, RestResponse } from './types.ts'

const SECRETS = ['google.cloud.secretmanager.v1.SecretManagerService', 'google/cloud/secretmanager/v1/service.proto', 'secretmanager.googleapis.com'] as const
const OPERATIONS = ['google.longrunning.Operations', 'google/longrunning/operations.proto'] as const

let front: GrpcTestFront
let seen: RestRequest[]
let answer: (request: RestRequest) => RestResponse | Promise<RestResponse>
const clients: GrpcTestClient[] = []
const unexpected: unknown[] = []

function json(body: unknown, status = 200, headers: Record<string, string> = {}): RestResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(JSON.stringify(body)) }
}

function client(...[service, file, authority, options]: readonly [string, string, string, Record<string, number>?]): GrpcTestClient {
  const made = testClient(`127.0.0.1:${front.port}`, service, file, { authority, channelOptions: options ?? {} })
  clients.push(made)
  return made
}

function bodyOf(request: RestRequest | undefined): Answer {
  return request?.body === undefined ? undefined : JSON.parse(Buffer.from(request.body).toString())
}

async function failure(work: Promise<unknown>): Promise<ServiceError> {
  return await work.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error as ServiceError,
  )
}

beforeAll(async () => {
  front = await startTestFront({
    call: async (request) => {
      seen.push(request)
      return await answer(request)
    },
    handleRequest: (request, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end(`plain ${request.method} ${request.url}`),
    onUnexpected: (error) => unexpected.push(error),
  })
})

beforeEach(() => {
  seen = []
  answer = () => json({})
})

afterEach(() => {
  for (const each of clients.splice(0)) each.close()
  if (unexpected.length > 0) throw new AggregateError(unexpected.splice(0), 'the front met defects')
})

afterAll(() => front.close())

describe('requests', () => {
  test('path, query, body and metadata go where the annotation says', async () => {
    answer = () =>
      json({ name: 'projects/123/secrets/s', createTime: '2026-01-02T03:04:05.678900Z', replication: { automatic: {} }, labels: { a: 'b' }, etag: '"x"', unknownField: 1 })
    const secret = await client(...SECRETS).call(
      'CreateSecret',
      { parent: 'projects/p', secretId: 's', secret: { replication: { automatic: {} }, labels: { a: 'b' }, ttl: { seconds: 90, nanos: 500_000_000 } } },
      { metadata: { authorization: 'Bearer t', 'x-goog-user-project': 'q', 'x-goog-request-params': 'parent=projects%2Fp' } },
    )
    expect(secret).toMatchObject({
      name: 'projects/123/secrets/s',
      createTime: { seconds: '1767323045', nanos: 678_900_000 },
      replication: { replication: 'automatic' },
      labels: { a: 'b' },
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ host: 'secretmanager.googleapis.com', method: 'POST', path: '/v1/projects/p/secrets?secretId=s' })
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer t',
      'x-goog-user-project': 'q',
      'x-goog-request-params': 'parent=projects%2Fp',
      'content-type': 'application/json',
    })
    expect(Object.keys(seen[0]?.headers ?? {}).filter((name) => name.startsWith(':') || name.startsWith('grpc-') || name === 'te')).toEqual([])
    expect(bodyOf(seen[0])).toEqual({ replication: { automatic: {} }, labels: { a: 'b' }, ttl: '90.500s' })
  })

  test('a name with a location takes the additional binding', async () => {
    await client(...SECRETS).call('GetSecret', { name: 'projects/p/locations/l/secrets/s' })
    expect(seen[0]?.path).toBe('/v1/projects/p/locations/l/secrets/s')
  })

  test('field masks become camel case in the query, and the named message is the body', async () => {
    await client(...SECRETS).call('UpdateSecret', { secret: { name: 'projects/p/secrets/s', labels: { x: 'y' } }, updateMask: { paths: ['labels', 'version_aliases'] } })
    expect(seen[0]).toMatchObject({ method: 'PATCH', path: '/v1/projects/p/secrets/s?updateMask=labels%2CversionAliases' })
    expect(bodyOf(seen[0])).toEqual({ name: 'projects/p/secrets/s', labels: { x: 'y' } })
  })

  test('with body "*" everything but the path goes into the body, bytes as base64 and 64-bit integers as text', async () => {
    answer = () => json({ name: 'projects/p/secrets/s/versions/1', state: 'ENABLED', etag: 'e' })
    const version = await client(...SECRETS).call('AddSecretVersion', {
      parent: 'projects/p/secrets/s',
      payload: { data: Buffer.from([255, 0, 1]), dataCrc32c: '9007199254740993' },
    })
    expect(seen[0]?.path).toBe('/v1/projects/p/secrets/s:addVersion')
    expect(bodyOf(seen[0])).toEqual({ payload: { data: '/wAB', dataCrc32c: '9007199254740993' } })
    expect(version.state).toBe('ENABLED')
  })

  test('paging goes into the query', async () => {
    answer = () => json({ secrets: [{ name: 'projects/p/secrets/a' }], nextPageToken: 'n', totalSize: 7 })
    const list = await client(...SECRETS).call('ListSecrets', { parent: 'projects/p', pageSize: 1, pageToken: 't/&=', filter: 'labels.a=b' })
    expect(seen[0]?.path).toBe('/v1/projects/p/secrets?pageSize=1&pageToken=t%2F%26%3D&filter=labels.a%3Db')
    expect(list).toMatchObject({ nextPageToken: 'n', totalSize: 7, secrets: [{ name: 'projects/p/secrets/a' }] })
  })

  test('a compressed message is accepted', async () => {
    await client(...SECRETS, { 'grpc.default_compression_algorithm': 2 }).call('GetSecret', { name: 'projects/p/secrets/s' })
    expect(seen[0]?.path).toBe('/v1/projects/p/secrets/s')
  })

  test.each(['', 'projects/p', 'projects//secrets/s', 'projects/p/secrets/s/versions/1', 'projects/p/secrets/..'])(
    'the name %j is refused before any room sees it',
    async (name) => {
      const error = await failure(client(...SECRETS).call('GetSecret', { name }))
      expect(error.code).toBe(codes.INVALID_ARGUMENT)
      expect(error.details).toContain("'name'")
      expect(seen).toEqual([])
    },
  )

  test('names are escaped, so that they cannot leave their place', async () => {
    await client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/a?b#c d%2Fe:x@é' })
    expect(seen[0]?.path).toBe('/v1/projects/p/secrets/a%3Fb%23c%20d%2Fe%3Ax%40%C3%A9')
  })
})

describe('mixins', () => {
  test('operations go to the host that the client asked for, and any messages are mapped back', async () => {
    answer = () =>
      json({
        name: 'projects/p/locations/l/operations/o',
        metadata: { '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata' },
        done: true,
        response: {
          '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.Repository',
          name: 'projects/p/locations/l/repositories/r',
          format: 'PYTHON',
          sizeBytes: '12',
        },
      })
    const operation = await client(...OPERATIONS, 'artifactregistry.googleapis.com:443').call('GetOperation', { name: 'projects/p/locations/l/operations/o' })
    expect(seen[0]).toMatchObject({ host: 'artifactregistry.googleapis.com', method: 'GET', path: '/v1/projects/p/locations/l/operations/o' })
    expect(operation).toMatchObject({ done: true, result: 'response' })
    expect(operation.response.type_url).toBe('type.googleapis.com/google.devtools.artifactregistry.v1.Repository')
    // A Repository's name is field 1, its size field 13: both must be in the bytes.
    expect(Buffer.from(operation.response.value).includes('projects/p/locations/l/repositories/r')).toBe(true)
    expect(Buffer.from(operation.response.value).includes(Buffer.from([0x68, 12]))).toBe(true)
  })

  test('the version of the path is the host’s', async () => {
    await client(...OPERATIONS, 'cloudresourcemanager.googleapis.com').call('GetOperation', { name: 'operations/cp.1' })
    expect(seen[0]?.path).toBe('/v3/operations/cp.1')
  })

  test('a failed operation carries its error', async () => {
    answer = () =>
      json({ name: 'operations/o', done: true, error: { code: 9, message: 'no', details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'R', domain: 'd' }] } })
    const operation = await client(...OPERATIONS, 'serviceusage.googleapis.com').call('GetOperation', { name: 'operations/o' })
    expect(operation).toMatchObject({ done: true, result: 'error', error: { code: 9, message: 'no' } })
  })

  test('waiting for an operation looks until it is done', async () => {
    answer = () => json({ name: 'operations/o', done: seen.length === 3 })
    const operation = await client(...OPERATIONS, 'serviceusage.googleapis.com').call('WaitOperation', { name: 'operations/o' })
    expect(operation.done).toBe(true)
    expect(seen.map((each) => each.path)).toEqual(Array.from({ length: 3 }, () => '/v1/operations/o'))
  })

  test('waiting ends with the latest state when the time is over', async () => {
    answer = () => json({ name: 'operations/o' })
    const operation = await client(...OPERATIONS, 'serviceusage.googleapis.com').call('WaitOperation', { name: 'operations/o', timeout: { seconds: 0, nanos: 50_000_000 } })
    expect(operation.done).toBe(false)
    expect(seen.length).toBeGreaterThan(1)
  })

  test('locations and policies', async () => {
    await client('google.cloud.location.Locations', 'google/cloud/location/locations.proto', 'artifactregistry.googleapis.com').call('ListLocations', { name: 'projects/p' })
    await client('google.iam.v1.IAMPolicy', 'google/iam/v1/iam_policy.proto', 'pubsub.googleapis.com').call('SetIamPolicy', {
      resource: 'projects/p/topics/t',
      policy: { bindings: [{ role: 'r', members: ['m'], condition: { expression: 'true' } }], etag: Buffer.from('e') },
    })
    expect(seen.map((each) => `${each.host} ${each.method} ${each.path}`)).toEqual([
      'artifactregistry.googleapis.com GET /v1/projects/p/locations',
      'pubsub.googleapis.com POST /v1/projects/p/topics/t:setIamPolicy',
    ])
    expect(bodyOf(seen[1])).toEqual({ policy: { bindings: [{ role: 'r', members: ['m'], condition: { expression: 'true' } }], etag: 'ZQ==' } })
  })

  test('with an address instead of a Google host, a service of its own is found and a mixin is not', async () => {
    await client(SECRETS[0], SECRETS[1], `127.0.0.1:${front.port}`).call('GetSecret', { name: 'projects/p/secrets/s' })
    expect(seen[0]?.host).toBe('secretmanager.googleapis.com')
    const error = await failure(client(...OPERATIONS, `127.0.0.1:${front.port}`).call('GetOperation', { name: 'operations/o' }))
    expect(error.code).toBe(codes.UNIMPLEMENTED)
  })
})

describe('errors', () => {
  test('code, message and details of Google’s JSON errors arrive', async () => {
    const details = [
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'IAM_PERMISSION_DENIED', domain: 'iam.googleapis.com', metadata: { permission: 'secretmanager.secrets.get' } },
      { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'f', description: 'ü %' }] },
    ]
    answer = () => json({ error: { code: 403, message: 'Nein – «100 %»\nzweite Zeile', status: 'PERMISSION_DENIED', details } }, 403)
    const error = await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))
    expect(error.code).toBe(codes.PERMISSION_DENIED)
    expect(error.details).toBe('Nein – «100 %»\nzweite Zeile')
    expect(statusDetails(error)).toEqual({ code: 7, message: 'Nein – «100 %»\nzweite Zeile', details })
  })

  test.each([
    [404, 'NOT_FOUND', codes.NOT_FOUND],
    [409, 'ALREADY_EXISTS', codes.ALREADY_EXISTS],
    [409, 'ABORTED', codes.ABORTED],
    [400, 'FAILED_PRECONDITION', codes.FAILED_PRECONDITION],
    [401, 'UNAUTHENTICATED', codes.UNAUTHENTICATED],
    [410, 'GONE', codes.NOT_FOUND],
    [412, 'CONDITION_NOT_MET', codes.FAILED_PRECONDITION],
    [501, undefined, codes.UNIMPLEMENTED],
    [503, undefined, codes.UNAVAILABLE],
    [418, undefined, codes.UNKNOWN],
  ])('HTTP %i %s', async (httpStatus, name, code) => {
    answer = () => json({ error: { code: httpStatus, message: 'm', status: name } }, httpStatus)
    expect(await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))).toMatchObject({ code, details: 'm' })
  })

  test('Retry-After becomes RetryInfo', async () => {
    answer = () => json({ error: { code: 429, message: 'slow', status: 'RESOURCE_EXHAUSTED' } }, 429, { 'retry-after': '7' })
    const error = await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))
    expect(statusDetails(error).details).toEqual([{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' }])
  })

  test('an answer that is not JSON is UNKNOWN or INTERNAL, never success', async () => {
    answer = () => ({ status: 200, headers: {}, body: Buffer.from('<html>') })
    expect((await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))).code).toBe(codes.INTERNAL)
    answer = () => json({ createTime: 'yesterday' })
    const error = await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))
    expect(error.code).toBe(codes.INTERNAL)
    expect(error.details).toContain('createTime')
  })

  test('a cloud that cannot be reached is UNAVAILABLE', async () => {
    answer = () => Promise.reject(new Error('connect ECONNREFUSED'))
    expect((await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))).code).toBe(codes.UNAVAILABLE)
  })

  test('error details too large for a header are left out, and the message is cut', async () => {
    answer = () =>
      json(
        {
          error: { code: 400, message: 'é'.repeat(5000), status: 'INVALID_ARGUMENT', details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'x'.repeat(9000) }] },
        },
        400,
      )
    const error = await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }))
    expect(error.code).toBe(codes.INVALID_ARGUMENT)
    expect(error.details).toMatch(/^é{300,}$/)
    expect(error.metadata.get('grpc-status-details-bin')).toEqual([])
  })

  test('a service or method that is not there, and one on the wrong host, are UNIMPLEMENTED', async () => {
    const wrongHost = await failure(client(SECRETS[0], SECRETS[1], 'iam.googleapis.com').call('GetSecret', { name: 'projects/p/secrets/s' }))
    expect(wrongHost.code).toBe(codes.UNIMPLEMENTED)
    expect(wrongHost.details).toContain('google.cloud.secretmanager.v1.SecretManagerService on iam.googleapis.com')
    const unknown = await failure(client('google.spanner.v1.Spanner', 'google/spanner/v1/spanner.proto', 'spanner.googleapis.com').call('GetSession', { name: 's' }))
    expect(unknown.code).toBe(codes.UNIMPLEMENTED)
  })

  test('bidirectional streams say that they are not served', async () => {
    const stream = client('google.firestore.v1.Firestore', 'google/firestore/v1/firestore.proto', 'firestore.googleapis.com').stream('Listen', {})
    const [error] = (await once(stream, 'error')) as [ServiceError]
    expect(error.code).toBe(codes.UNIMPLEMENTED)
    expect(error.details).toContain('google.firestore.v1.Firestore/Listen')
  })
})

describe('time and size', () => {
  test('the deadline ends the call and aborts the room’s work', async () => {
    let aborted = false
    answer = (request) => new Promise((_resolve, reject) => request.signal.addEventListener('abort', () => ((aborted = true), reject(new Error('aborted')))))
    const error = await failure(client(...SECRETS).call('GetSecret', { name: 'projects/p/secrets/s' }, { deadline: Date.now() + 150 }))
    expect(error.code).toBe(codes.DEADLINE_EXCEEDED)
    await vi.waitFor(() => expect(aborted).toBe(true), { timeout: 5000 })
  })

  test('a message larger than the bound is refused by its prefix', async () => {
    const error = await failure(client(...SECRETS).call('AddSecretVersion', { parent: 'projects/p/secrets/s', payload: { data: Buffer.alloc(11 * 1024 * 1024) } }))
    expect(error.code).toBe(codes.RESOURCE_EXHAUSTED)
    expect(seen).toEqual([])
  })

  test('a small message that unpacks to more than the bound is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024))
    const prefix = Buffer.from([1, 0, 0, 0, 0])
    prefix.writeUInt32BE(bomb.length, 1)
    const trailers = await rawCall(Buffer.concat([prefix, bomb]), { 'grpc-encoding': 'gzip' })
    expect(trailers['grpc-status']).toBe(String(codes.RESOURCE_EXHAUSTED))
  })

  test.each([
    ['half a message', Buffer.from([0, 0, 0, 0, 9, 1]), codes.INTERNAL],
    ['two messages', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), codes.INTERNAL],
    ['no message', Buffer.alloc(0), codes.INTERNAL],
    ['bytes that are no protocol message', Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), codes.INVALID_ARGUMENT],
    ['an unknown compression', Buffer.from([1, 0, 0, 0, 1, 0]), codes.UNIMPLEMENTED],
  ])('%s', async (_what, bytes, code) => {
    const trailers = await rawCall(bytes, { 'grpc-encoding': 'snappy' })
    expect(trailers['grpc-status']).toBe(String(code))
    expect(seen).toEqual([])
  })

  test('a client that sends its message too slowly is refused', async () => {
    const slow = await startTestFront({ call: () => expect.unreachable('the message is not complete'), readTimeoutMs: 50 })
    const session = connect(`http://127.0.0.1:${slow.port}`)
    const stream = session.request({ ':method': 'POST', ':path': `/${SECRETS[0]}/GetSecret`, ':authority': SECRETS[2], 'content-type': 'application/grpc', te: 'trailers' })
    stream.write(Buffer.from([0, 0, 0]))
    stream.resume()
    const [trailers] = (await once(stream, 'trailers')) as [Answer]
    expect(trailers['grpc-status']).toBe(String(codes.CANCELLED))
    session.destroy()
    await slow.close()
  })

  test('a client that cancels ends the room’s work', async () => {
    let reason: unknown
    answer = (request) => new Promise((_resolve, reject) => request.signal.addEventListener('abort', () => ((reason = request.signal.reason), reject(new Error('aborted')))))
    const session = connect(`http://127.0.0.1:${front.port}`)
    const stream = session.request({ ':method': 'POST', ':path': `/${SECRETS[0]}/ListSecrets`, ':authority': SECRETS[2], 'content-type': 'application/grpc', te: 'trailers' })
    stream.end(Buffer.from([0, 0, 0, 0, 12, 10, 10, ...Buffer.from('projects/p')]))
    stream.on('error', () => {})
    await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 5000 })
    stream.close(8)
    await vi.waitFor(() => expect(reason).toMatchObject({ code: 'CANCELLED' }), { timeout: 5000 })
    session.destroy()
  })

  test('closing ends running calls with UNAVAILABLE, and takes no new ones', async () => {
    let isCalled = false
    const closing = await startTestFront({
      call: (request) => new Promise((_resolve, reject) => ((isCalled = true), request.signal.addEventListener('abort', () => reject(new Error('aborted'))))),
    })
    const made = testClient(`127.0.0.1:${closing.port}`, SECRETS[0], SECRETS[1], { authority: SECRETS[2] })
    clients.push(made)
    const failed = failure(made.call('GetSecret', { name: 'projects/p/secrets/s' }))
    await vi.waitFor(() => expect(isCalled).toBe(true), { timeout: 5000 })
    await closing.close()
    expect((await failed).code).toBe(codes.UNAVAILABLE)
    expect((await failure(made.call('GetSecret', { name: 'projects/p/secrets/s' }))).code).toBe(codes.UNAVAILABLE)
  })
})

describe('server streaming', () => {
  const FIRESTORE = ['google.firestore.v1.Firestore', 'google/firestore/v1/firestore.proto', 'firestore.googleapis.com'] as const

  test('elements of the JSON array arrive one by one, while the rest is still coming', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('[{\n"document": {"name": "a,]}\\"", "fields": {"x": {"integerValue": "5"}, "n": {"nullValue": null}}}, "readTime": "2026-01-01T00:00:00Z"}\n,')
      await gate
      yield Buffer.from(' {"document": {"na')
      yield Buffer.from('me": "b"}}]\n')
    }
    answer = () => ({ status: 200, headers: {}, body: body() })
    const stream = client(...FIRESTORE).stream('RunQuery', { parent: 'projects/p/databases/(default)/documents', structuredQuery: { limit: { value: 3 } } })
    const [first] = (await once(stream, 'data')) as [Answer]
    expect(first.document).toMatchObject({ name: 'a,]}"', fields: { x: { integerValue: '5', valueType: 'integerValue' }, n: { valueType: 'nullValue' } } })
    release()
    const [second] = (await once(stream, 'data')) as [Answer]
    expect(second.document.name).toBe('b')
    await once(stream, 'end')
    expect(seen[0]?.path).toBe('/v1/projects/p/databases/%28default%29/documents:runQuery')
    expect(bodyOf(seen[0])).toEqual({ structuredQuery: { limit: 3 } })
  })

  test('an empty array ends the stream at once, an array that breaks off ends it with an error', async () => {
    answer = () => json([])
    const empty = client(...FIRESTORE).stream('RunQuery', { parent: 'projects/p/databases/d/documents' })
    empty.resume()
    await once(empty, 'end')
    answer = () => ({ status: 200, headers: {}, body: Buffer.from('[{"done": true}, {') })
    const broken = client(...FIRESTORE).stream('RunQuery', { parent: 'projects/p/databases/d/documents' })
    broken.resume()
    const [error] = (await once(broken, 'error')) as [ServiceError]
    expect(error.code).toBe(codes.INTERNAL)
  })
})

test('plain requests on the same connection go to the other handler', async () => {
  const session = connect(`http://127.0.0.1:${front.port}`)
  const stream = session.request({ ':path': '/v1/x?y=1', 'content-type': 'application/json' })
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  session.close()
  expect(text).toBe('plain GET /v1/x?y=1')
})

test('every service of every host in the table exists, with a REST form for all but two', async () => {
  const services = await front.front.services()
  expect(services.length).toBeGreaterThan(40)
  expect(services.filter((each) => each.methods.length === 0)).toEqual([])
  const secrets = services.find((each) => each.service === SECRETS[0])
  expect(secrets?.methods.find((each) => each.name === 'AccessSecretVersion')?.rest).toBe('GET /v1/{name=projects/*/secrets/*/versions/*}:access')
  const without = services.flatMap((each) => each.methods.filter((method) => method.rest === undefined).map((method) => `${each.service}/${method.name}`))
  expect([...new Set(without)].sort()).toEqual(['google.longrunning.Operations/WaitOperation', 'google.pubsub.v1.Subscriber/StreamingPull'])
})

async function rawCall(bytes: Buffer, headers: Record<string, string>): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${front.port}`)
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${SECRETS[0]}/GetSecret`,
      ':authority': SECRETS[2],
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    stream.end(bytes)
    stream.resume()
    const [trailers] = (await once(stream, 'trailers')) as [Answer]
    return trailers
  } finally {
    session.destroy()
  }
}
