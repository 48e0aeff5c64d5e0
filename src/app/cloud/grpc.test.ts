import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { mkdtemp } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status as codes } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openAuthority } from '../../cloud/front/authority.ts'
import { createFront } from '../../cloud/front/front.ts'
import { statusDetails, testClient } from '../../cloud/front/grpc/testing.ts'
import type { GrpcTestClient } from '../../cloud/front/grpc/testing.ts'
import type { GrpcFront } from '../../cloud/front/grpc/types.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { createArtifactRegistryRoom } from '../../cloud/rooms/artifactregistry/index.ts'
import { createCloudBillingRoom } from '../../cloud/rooms/cloudbilling/index.ts'
import { createCloudResourceManagerRoom } from '../../cloud/rooms/cloudresourcemanager/index.ts'
import { createFirestoreRoom } from '../../cloud/rooms/firestore/index.ts'
import { createIamRoom } from '../../cloud/rooms/iam/index.ts'
import { createIamCredentialsRoom } from '../../cloud/rooms/iamcredentials/index.ts'
import { createLoggingRoom } from '../../cloud/rooms/logging/index.ts'
import { createSecretManagerRoom } from '../../cloud/rooms/secretmanager/index.ts'
import { createServiceUsageRoom } from '../../cloud/rooms/serviceusage/index.ts'
import { removeAll } from '../../host/files.ts'
import { createGrpcFront } from './grpc.ts'

const rooms = [
  createSecretManagerRoom,
  createArtifactRegistryRoom,
  createIamCredentialsRoom,
  createIamRoom,
  createServiceUsageRoom,
  createCloudResourceManagerRoom,
  createCloudBillingRoom,
  createFirestoreRoom,
  createLoggingRoom,
]

let cloud: TestCloud
let front: GrpcFront
let server: Server
const unexpected: unknown[] = []
const clients: GrpcTestClient[] = []

beforeAll(async () => {
  cloud = await startTestCloud(() => rooms.map((make) => make()))
  cloud.addProject('p-one')
  front = createGrpcFront({ rooms: rooms.map((make) => make()), port: () => Number(new URL(cloud.url()).port), onUnexpected: (error) => unexpected.push(error) })
  server = createServer((socket) => front.handleConnection(socket, { secure: false })).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterAll(async () => {
  for (const client of clients) client.close()
  server.close()
  await front.close()
  await cloud.close()
  if (unexpected.length > 0) throw new AggregateError(unexpected, 'the front met defects')
})

function port(): number {
  return (server.address() as AddressInfo).port
}

/** A client with the owner's token, or another. */
function client(service: string, file: string, host: string, token: string = cloud.ownerToken()): GrpcTestClient['call'] {
  const made = testClient(`127.0.0.1:${port()}`, service, file, { authority: host })
  clients.push(made)
  return (method, request, options = {}) => made.call(method, request, { ...options, metadata: { authorization: `Bearer ${token}`, ...options.metadata } })
}

function secrets(token?: string): GrpcTestClient['call'] {
  return client('google.cloud.secretmanager.v1.SecretManagerService', 'google/cloud/secretmanager/v1/service.proto', 'secretmanager.googleapis.com', token)
}

function operations(host: string): GrpcTestClient['call'] {
  return client('google.longrunning.Operations', 'google/longrunning/operations.proto', host)
}

async function failure(work: Promise<unknown>): Promise<ServiceError> {
  return await work.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error as ServiceError,
  )
}

describe('secretmanager', () => {
  test('create, add a version, access it, list, update with a mask, policy, delete', async () => {
    const call = secrets()
    const secret = await call('CreateSecret', { parent: 'projects/p-one', secretId: 'db', secret: { replication: { automatic: {} }, labels: { env: 'dev' } } })
    expect(secret.name).toMatch(/^projects\/\d+\/secrets\/db$/)
    expect(secret).toMatchObject({ labels: { env: 'dev' }, replication: { replication: 'automatic' } })
    expect(Math.abs(Number(secret.createTime.seconds) - Date.now() / 1000)).toBeLessThan(60)

    const data = Buffer.from([0, 255, 10, 13, 128])
    const version = await call('AddSecretVersion', { parent: secret.name, payload: { data } })
    expect(version).toMatchObject({ name: `${secret.name}/versions/1`, state: 'ENABLED' })
    const accessed = await call('AccessSecretVersion', { name: `${secret.name}/versions/latest` })
    expect(Buffer.compare(accessed.payload.data, data)).toBe(0)
    expect(BigInt(accessed.payload.dataCrc32c)).toBeGreaterThan(0n)

    await call('UpdateSecret', { secret: { name: secret.name, labels: { env: 'prod' } }, updateMask: { paths: ['labels'] } })
    expect((await call('ListSecrets', { parent: 'projects/p-one', pageSize: 10 })).secrets).toMatchObject([{ name: secret.name, labels: { env: 'prod' } }])

    const policy = await call('GetIamPolicy', { resource: secret.name })
    const bindings = [{ role: 'roles/secretmanager.secretAccessor', members: ['user:reader@example.com'] }]
    await call('SetIamPolicy', { resource: secret.name, policy: { bindings, etag: policy.etag } })
    const reader = secrets(cloud.userToken('reader@example.com'))
    expect((await reader('AccessSecretVersion', { name: `${secret.name}/versions/1` })).payload.data.length).toBe(5)

    expect(await call('DeleteSecret', { name: secret.name })).toEqual({})
    expect((await failure(call('GetSecret', { name: secret.name }))).code).toBe(codes.NOT_FOUND)
  })

  test('errors carry the code and the details of the room', async () => {
    const notThere = await failure(secrets()('GetSecret', { name: 'projects/p-one/secrets/nope' }))
    expect(notThere.code).toBe(codes.NOT_FOUND)
    expect(notThere.details).toContain('nope')

    const denied = await failure(secrets(cloud.userToken('nobody@example.com'))('GetSecret', { name: 'projects/p-one/secrets/nope' }))
    expect(denied.code).toBe(codes.PERMISSION_DENIED)
    expect(denied.details).toContain('secretmanager.secrets.get')
    expect(statusDetails(denied).details).toMatchObject([
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'IAM_PERMISSION_DENIED', domain: 'iam.googleapis.com', metadata: { permission: 'secretmanager.secrets.get' } },
    ])

    expect((await failure(secrets('wrong')('GetSecret', { name: 'projects/p-one/secrets/nope' }))).code).toBe(codes.UNAUTHENTICATED)
    const again = { parent: 'projects/p-one', secretId: 'twice', secret: { replication: { automatic: {} } } }
    await secrets()('CreateSecret', again)
    expect((await failure(secrets()('CreateSecret', again))).code).toBe(codes.ALREADY_EXISTS)
    expect((await failure(secrets()('CreateSecret', { ...again, secretId: 'not a name' }))).code).toBe(codes.INVALID_ARGUMENT)
  })
})

test('artifactregistry: the operation of a new repository is polled, its response is the repository', async () => {
  const call = client('google.devtools.artifactregistry.v1.ArtifactRegistry', 'google/devtools/artifactregistry/v1/service.proto', 'artifactregistry.googleapis.com')
  const parent = 'projects/p-one/locations/us-central1'
  const started = await call('CreateRepository', { parent, repositoryId: 'py', repository: { format: 'PYTHON', description: 'd' } })
  const operation = await vi.waitFor(
    async () => {
      const now = await operations('artifactregistry.googleapis.com')('GetOperation', { name: started.name })
      expect(now.done).toBe(true)
      return now
    },
    { timeout: 10_000 },
  )
  expect(operation.response.type_url).toBe('type.googleapis.com/google.devtools.artifactregistry.v1.Repository')
  expect((await call('GetRepository', { name: `${parent}/repositories/py` })).format).toBe('PYTHON')
  expect((await call('ListPackages', { parent: `${parent}/repositories/py` })).packages).toEqual([])
  const locations = await client(
    'google.cloud.location.Locations',
    'google/cloud/location/locations.proto',
    'artifactregistry.googleapis.com',
  )('ListLocations', { name: 'projects/p-one' })
  expect(locations.locations.length).toBeGreaterThan(1)
})

test('iam and iamcredentials: a service account is made and lends its token', async () => {
  const iam = client('google.iam.admin.v1.IAM', 'google/iam/admin/v1/iam.proto', 'iam.googleapis.com')
  const account = await iam('CreateServiceAccount', { name: 'projects/p-one', accountId: 'robot-one', serviceAccount: { displayName: 'Robot' } })
  expect(account).toMatchObject({ email: 'robot-one@p-one.iam.gserviceaccount.com', displayName: 'Robot' })
  const key = await iam('CreateServiceAccountKey', { name: account.name })
  expect(JSON.parse(Buffer.from(key.privateKeyData).toString())).toMatchObject({ type: 'service_account', client_email: account.email })

  const credentials = client('google.iam.credentials.v1.IAMCredentials', 'google/iam/credentials/v1/iamcredentials.proto', 'iamcredentials.googleapis.com')
  const scope = ['https://www.googleapis.com/auth/cloud-platform']
  await iam('SetIamPolicy', { resource: account.name, policy: { bindings: [{ role: 'roles/iam.serviceAccountTokenCreator', members: ['user:lender@example.com'] }] } })
  const lender = client(
    'google.iam.credentials.v1.IAMCredentials',
    'google/iam/credentials/v1/iamcredentials.proto',
    'iamcredentials.googleapis.com',
    cloud.userToken('lender@example.com'),
  )
  const lent = await lender('GenerateAccessToken', { name: `projects/-/serviceAccounts/${account.email}`, scope, lifetime: { seconds: 600 } })
  expect(lent.accessToken.length).toBeGreaterThan(10)
  expect(Number(lent.expireTime.seconds) - Date.now() / 1000).toBeLessThanOrEqual(601)
  const denied = await failure(secrets(lent.accessToken)('ListSecrets', { parent: 'projects/p-one' }))
  expect(denied.details).toContain(account.email)
  expect((await credentials('SignBlob', { name: `projects/-/serviceAccounts/${account.email}`, payload: Buffer.from('x') })).signedBlob.length).toBe(256)
})

test('serviceusage, cloudresourcemanager and cloudbilling', async () => {
  const usage = client('google.api.serviceusage.v1.ServiceUsage', 'google/api/serviceusage/v1/serviceusage.proto', 'serviceusage.googleapis.com')
  const enabled = await usage('EnableService', { name: 'projects/p-one/services/dns.googleapis.com' })
  const done = enabled.done ? enabled : await operations('serviceusage.googleapis.com')('WaitOperation', { name: enabled.name })
  expect(done).toMatchObject({ done: true, result: 'response' })
  expect(await usage('GetService', { name: 'projects/p-one/services/dns.googleapis.com' })).toMatchObject({ state: 'ENABLED', config: { name: 'dns.googleapis.com' } })

  const projects = client('google.cloud.resourcemanager.v3.Projects', 'google/cloud/resourcemanager/v3/projects.proto', 'cloudresourcemanager.googleapis.com')
  expect(await projects('GetProject', { name: 'projects/p-one' })).toMatchObject({ projectId: 'p-one', state: 'ACTIVE' })
  const billing = client('google.cloud.billing.v1.CloudBilling', 'google/cloud/billing/v1/cloud_billing.proto', 'cloudbilling.googleapis.com')
  expect(await billing('GetProjectBillingInfo', { name: 'projects/p-one' })).toMatchObject({ projectId: 'p-one' })
})

test('firestore administration and logging', async () => {
  const admin = client('google.firestore.admin.v1.FirestoreAdmin', 'google/firestore/admin/v1/firestore_admin.proto', 'firestore.googleapis.com')
  const started = await admin('CreateDatabase', { parent: 'projects/p-one', databaseId: '(default)', database: { locationId: 'nam5', type: 'FIRESTORE_NATIVE' } })
  const done = await operations('firestore.googleapis.com')('WaitOperation', { name: started.name })
  expect(done).toMatchObject({ done: true, result: 'response', response: { type_url: 'type.googleapis.com/google.firestore.admin.v1.Database' } })
  expect(await admin('GetDatabase', { name: 'projects/p-one/databases/(default)' })).toMatchObject({ locationId: 'nam5', type: 'FIRESTORE_NATIVE' })

  const logging = client('google.logging.v2.LoggingServiceV2', 'google/logging/v2/logging.proto', 'logging.googleapis.com')
  const jsonPayload = { fields: { message: { stringValue: 'hé' }, list: { listValue: { values: [{ numberValue: 1.5 }, { nullValue: 'NULL_VALUE' }] } } } }
  await logging('WriteLogEntries', { logName: 'projects/p-one/logs/l', resource: { type: 'global' }, entries: [{ severity: 'ERROR', jsonPayload, labels: { a: 'b' } }] })
  const [entry] = (await logging('ListLogEntries', { resourceNames: ['projects/p-one'], filter: 'severity>=ERROR' })).entries
  expect(entry).toMatchObject({ severity: 'ERROR', logName: 'projects/p-one/logs/l', resource: { type: 'global' }, labels: { a: 'b' }, payload: 'jsonPayload' })
  expect(entry.jsonPayload.fields.message.stringValue).toBe('hé')
})

test('a method that no room has is UNIMPLEMENTED and says so', async () => {
  const call = client('google.cloud.resourcemanager.v3.TagKeys', 'google/cloud/resourcemanager/v3/tag_keys.proto', 'cloudresourcemanager.googleapis.com')
  const error = await failure(call('GetTagKey', { name: 'tagKeys/1' }))
  expect(error.code).toBe(codes.UNIMPLEMENTED)
  expect(error.details).toContain('not implemented by the pocket cloud')
})

test('through the proxy, with TLS of the cloud’s own authority, as Google’s libraries connect', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-grpc-'))
  const authority = await openAuthority(folder)
  const http = createHttpServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  const tls = createFront({ authority, server: http, onHttp2: (socket) => front.handleConnection(socket, { secure: true }), offline: true })
  // grpc-js reads the variable when a channel is made.
  const before = process.env['grpc_proxy']
  process.env['grpc_proxy'] = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const made = testClient('secretmanager.googleapis.com:443', 'google.cloud.secretmanager.v1.SecretManagerService', 'google/cloud/secretmanager/v1/service.proto', {
    rootCertificates: Buffer.from(authority.certificate),
  })
  if (before === undefined) delete process.env['grpc_proxy']
  else process.env['grpc_proxy'] = before
  try {
    const metadata = { authorization: `Bearer ${cloud.ownerToken()}` }
    const secret = await made.call('CreateSecret', { parent: 'projects/p-one', secretId: 'over-tls', secret: { replication: { automatic: {} } } }, { metadata })
    expect(secret.name).toMatch(/over-tls$/)
  } finally {
    made.close()
    await tls.close()
    http.closeAllConnections()
    http.close()
    await removeAll(folder)
  }
})

test('plain REST over HTTP/2 reaches the rooms, with its body', async () => {
  const session = connectHttp2(`http://127.0.0.1:${port()}`)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1/projects/p-one/secrets?secretId=over-h2',
    ':authority': 'secretmanager.googleapis.com',
    authorization: `Bearer ${cloud.ownerToken()}`,
    'content-type': 'application/json',
  })
  stream.end(JSON.stringify({ replication: { automatic: {} } }))
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  session.close()
  expect(JSON.parse(text)).toMatchObject({ name: expect.stringMatching(/secrets\/over-h2$/) as string })
})
