import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createArtifactRegistryRoom } from './index.ts'
import { api, index, startTestIndex } from './python/test-index.ts'
import type { TestIndex } from './python/test-index.ts'
import { makeWheel, uploadParts } from './python/testing.ts'

describeRoomContract({
  makeRooms: () => [createArtifactRegistryRoom()],
  hosts: { python: 'us-central1-python.pkg.dev' },
  params: { location: 'us-central1' },
})

let cloud: TestCloud
let send: TestIndex['send']
let uploadWheel: TestIndex['uploadWheel']

beforeAll(async () => {
  const started = await startTestIndex()
  cloud = started.cloud
  send = started.send
  uploadWheel = started.uploadWheel
})
afterAll(() => cloud.close())

async function finished(name: string): Promise<{ readonly response?: unknown; readonly error?: unknown }> {
  return waitFor({ what: name, timeoutMs: 10_000, intervalMs: 5 }, async () => {
    const { json } = await cloud.call('GET', `artifactregistry.googleapis.com/v1/${name}`)
    return json.done === true ? { done: true, value: json } : { done: false, status: JSON.stringify(json) }
  })
}

describe('repositories', () => {
  test("create, read, change, list, delete, with operations in Google's form", async () => {
    const body = {
      format: 'PYTHON',
      mode: 'MODE_UNSPECIFIED',
      name: 'projects/p-two/locations/us-central1/repositories/mine',
      description: 'first',
      labels: { team: 'a' },
      futureField: 1,
    }
    const api2 = 'artifactregistry.googleapis.com/v1/projects/p-two/locations/us-central1'
    const started = await cloud.call('POST', `${api2}/repositories?repository_id=mine`, { body })
    expect(started.json).toMatchObject({
      name: expect.stringMatching(/^projects\/p-two\/locations\/us-central1\/operations\/operation-/),
      metadata: { '@type': expect.stringContaining('OperationMetadata') },
    })
    const name = 'projects/p-two/locations/us-central1/repositories/mine'
    const done = await finished(started.json.name)
    expect(done.response).toMatchObject({ '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.Repository', name })
    const got = await cloud.call('GET', `${api2}/repositories/mine`)
    expect(got.json).toEqual({
      name,
      format: 'PYTHON',
      mode: 'STANDARD_REPOSITORY',
      description: 'first',
      labels: { team: 'a' },
      createTime: expect.stringMatching(/Z$/),
      updateTime: expect.stringMatching(/Z$/),
      sizeBytes: '0',
      registryUri: 'us-central1-python.pkg.dev/p-two/mine',
    })
    const patched = await cloud.call('PATCH', `${api2}/repositories/mine?updateMask=description`, { body: { description: 'second', labels: { team: 'ignored' } } })
    expect(patched.json).toMatchObject({ description: 'second', labels: { team: 'a' } })
    expect((await cloud.call('PATCH', `${api2}/repositories/mine?updateMask=labels`, { body: {} })).json.labels).toBeUndefined()
    expect((await cloud.call('PATCH', `${api2}/repositories/mine?updateMask=format`, { body: { format: 'DOCKER' } })).status).toBe(400)
    await cloud.restart()
    expect((await cloud.call('GET', `${api2}/repositories`)).json.repositories).toEqual([(await cloud.call('GET', `${api2}/repositories/mine`)).json])
    const removed = await cloud.call('DELETE', `${api2}/repositories/mine`)
    expect((await cloud.call('GET', `${api2}/repositories/mine`)).status).toBe(404)
    expect((await finished(removed.json.name)).response).toEqual({ '@type': 'type.googleapis.com/google.protobuf.Empty' })
    expect((await cloud.call('DELETE', `${api2}/repositories/mine`)).status).toBe(404)
  })

  test.each([
    ['twice', 'pypi', { format: 'PYTHON' }, 409],
    ['a bad id', 'Bad_Id', { format: 'PYTHON' }, 400],
    ['no format', 'x', {}, 400],
    ['another format', 'x', { format: 'DOCKER' }, 501],
    ['another mode', 'x', { format: 'PYTHON', mode: 'REMOTE_REPOSITORY' }, 501],
    ['an own key', 'x', { format: 'PYTHON', kmsKeyName: 'k' }, 501],
    ['a bad label', 'x', { format: 'PYTHON', labels: { Upper: 'x' } }, 400],
    ['a wrong type', 'x', { format: 1 }, 400],
  ])('creating %s is refused', async (_what, repositoryId, body, status) => {
    const answer = await cloud.call('POST', `${api}/repositories?repositoryId=${repositoryId}`, { body })
    expect(answer.status).toBe(status)
    expect(answer.json.error.message).not.toBe('')
  })

  test('locations', async () => {
    expect((await cloud.call('GET', 'artifactregistry.googleapis.com/v1/projects/p-one/locations')).json.locations).toContainEqual({
      name: 'projects/p-one/locations/us-central1',
      locationId: 'us-central1',
      displayName: 'us-central1',
    })
    expect((await cloud.call('GET', api)).json.locationId).toBe('us-central1')
    expect((await cloud.call('POST', 'artifactregistry.googleapis.com/v1/projects/p-one/locations/moon1/repositories?repositoryId=x', { body: { format: 'PYTHON' } })).status).toBe(
      404,
    )
  })

  test('a new repository of the same name starts empty and without the old policy', async () => {
    await cloud.call('POST', `${api}/repositories?repositoryId=again`, { body: { format: 'PYTHON' } })
    const wheel = makeWheel('gone', '1.0')
    const path = 'us-central1-python.pkg.dev/p-one/again'
    expect((await send(uploadParts(wheel.filename, wheel.bytes, { name: 'gone', version: '1.0' }), `${path}/`)).status).toBe(200)
    cloud.kernel().policies.grant('projects/p-one/locations/us-central1/repositories/again', 'roles/artifactregistry.reader', 'user:bob@example.com')
    await finished((await cloud.call('DELETE', `${api}/repositories/again`)).json.name)
    await cloud.call('POST', `${api}/repositories?repositoryId=again`, { body: { format: 'PYTHON' } })
    expect((await cloud.call('GET', `${path}/simple/gone/`)).status).toBe(404)
    expect((await cloud.call('GET', `${api}/repositories/again:getIamPolicy`)).json.bindings).toEqual([])
    expect((await cloud.call('GET', `${path}/simple/`, { token: cloud.userToken('bob@example.com') })).status).toBe(403)
  })
})

describe('packages, versions, files', () => {
  const repository = `${api}/repositories/pypi`
  const name = 'projects/p-one/locations/us-central1/repositories/pypi'

  test('lists with pages and filters', async () => {
    for (const version of ['1.0', '1.1', '2.0']) await uploadWheel('paged_one', version)
    await uploadWheel('paged_two', '1.0')
    const seen: string[] = []
    for (let token = ''; ;) {
      const answer = await cloud.call('GET', `${repository}/packages/paged-one/versions?pageSize=2&pageToken=${encodeURIComponent(token)}`)
      seen.push(...answer.json.versions.map((version: { name: string }) => version.name))
      token = answer.json.nextPageToken ?? ''
      if (token === '') break
    }
    expect(seen).toEqual(['1.0', '1.1', '2.0'].map((version) => `${name}/packages/paged-one/versions/${version}`))
    expect((await cloud.call('GET', `${repository}/packages`)).json.packages).toContainEqual({
      name: `${name}/packages/paged-two`,
      displayName: 'paged-two',
      createTime: expect.any(String),
      updateTime: expect.any(String),
    })
    const owner = encodeURIComponent(`owner="${name}/packages/paged-one/versions/1.1"`)
    expect((await cloud.call('GET', `${repository}/files?filter=${owner}`)).json.files).toHaveLength(1)
    expect((await cloud.call('GET', `${repository}/files?filter=${encodeURIComponent(`owner="${name}/packages/paged-one/*"`)}`)).json.files).toHaveLength(3)
    expect((await cloud.call('GET', `${repository}/files?filter=size%3E3`)).status).toBe(400)
    expect((await cloud.call('GET', `${repository}/packages/paged-one/versions/1.1`)).json.name).toBe(`${name}/packages/paged-one/versions/1.1`)
    expect((await cloud.call('GET', `${repository}/packages/paged-one/versions/9`)).status).toBe(404)
    expect((await cloud.call('GET', `${repository}/packages/absent/versions`)).status).toBe(404)
  })

  test('a file, its hashes, its bytes, and the Python view of it', async () => {
    const wheel = await uploadWheel('one_file', '1.0')
    const sha256 = createHash('sha256').update(wheel.bytes).digest()
    const path = `${repository}/files/${encodeURIComponent(`one-file/${wheel.filename}`)}`
    const file = await cloud.call('GET', path)
    expect(file.json).toMatchObject({
      name: `${name}/files/one-file%2F${wheel.filename}`,
      sizeBytes: String(wheel.bytes.length),
      owner: `${name}/packages/one-file/versions/1.0`,
      hashes: [{ type: 'SHA256', value: sha256.toString('base64') }, { type: 'MD5' }],
    })
    for (const id of [wheel.filename, `one-file%252F${wheel.filename}`]) expect((await cloud.call('GET', `${repository}/files/${id}`)).json, id).toEqual(file.json)
    for (const prefix of ['', 'download/']) {
      const answer = await fetch(`${cloud.url()}/artifactregistry.googleapis.com/${prefix}v1/${name}/files/one-file%2F${wheel.filename}:download?alt=media`, {
        headers: { authorization: `Bearer ${cloud.ownerToken()}` },
      })
      expect(Buffer.from(await answer.arrayBuffer()).equals(wheel.bytes)).toBe(true)
    }
    const python = `${name}/pythonPackages/one-file:sha256:${sha256.toString('hex')}`
    expect((await cloud.call('GET', `artifactregistry.googleapis.com/v1/${python}`)).json).toMatchObject({
      name: python,
      packageName: 'one-file',
      version: '1.0',
      uri: `us-central1-python.pkg.dev/p-one/pypi/one-file/${wheel.filename}`,
    })
    expect((await cloud.call('GET', `${repository}/pythonPackages`)).json.pythonPackages.map((each: { name: string }) => each.name)).toContain(python)
  })

  test('deleting a file, a version, a package: gone at once from the index, and the name may be used again', async () => {
    const first = await uploadWheel('shrinking', '1.0')
    await uploadWheel('shrinking', '1.1')
    await uploadWheel('shrinking', '1.2')
    const before = await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/pypi/simple/shrinking/')
    await finished((await cloud.call('DELETE', `${repository}/files/shrinking%2F${first.filename}`)).json.name)
    await finished((await cloud.call('DELETE', `${repository}/packages/shrinking/versions/1.1`)).json.name)
    const after = await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/pypi/simple/shrinking/')
    expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'))
    expect(after.text.match(/<a /g)).toHaveLength(1)
    expect((await cloud.call('DELETE', `${repository}/packages/shrinking/versions/1.1`)).status).toBe(404)
    for (const slash of ['%2F', '%252F']) expect((await cloud.call('DELETE', `${repository}/files/shrinking${slash}${first.filename}`)).status).toBe(404)
    await finished((await cloud.call('DELETE', `${repository}/packages/shrinking`)).json.name)
    expect((await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/pypi/simple/shrinking/')).status).toBe(404)
    expect((await cloud.call('GET', `us-central1-python.pkg.dev/p-one/pypi/shrinking/${first.filename}`)).status).toBe(404)
    await uploadWheel('shrinking', '1.2')
    expect((await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/pypi/simple/shrinking/')).text.match(/<a /g)).toHaveLength(1)
  })

  test('one wheel in two repositories is kept until both have let go', async () => {
    const wheel = await uploadWheel('shared', '1.0')
    await cloud.call('POST', `${api}/repositories?repositoryId=second`, { body: { format: 'PYTHON' } })
    const parts = uploadParts(wheel.filename, wheel.bytes, { name: 'shared', version: '1.0' })
    await send(parts, 'us-central1-python.pkg.dev/p-one/second/')
    expect((await cloud.call('GET', `${api}/repositories/second`)).json.sizeBytes).toBe(String(wheel.bytes.length))
    await finished((await cloud.call('DELETE', `${repository}/packages/shared`)).json.name)
    expect((await cloud.call('GET', `us-central1-python.pkg.dev/p-one/second/shared/${wheel.filename}`)).status).toBe(200)
    await finished((await cloud.call('DELETE', `${api}/repositories/second`)).json.name)
    const blob = cloud.kernel().blobs.path(createHash('sha256').update(wheel.bytes).digest('hex'))
    // The download above holds the blob until its stream has closed, which may be after its last byte arrived here.
    await waitFor({ what: 'the blob to go', timeoutMs: 10_000, intervalMs: 5 }, async () =>
      existsSync(blob) ? { done: false, status: 'it is there' } : { done: true, value: undefined },
    )
  })
})

describe('who may do what', () => {
  test('reader reads, writer writes, both on this repository only; refusals say so in the status line', async () => {
    const wheel = await uploadWheel('guarded', '1.0')
    const token = cloud.userToken('ann@example.com')
    const url = `${cloud.url()}/${index}/simple/guarded/`
    const basic = (user: string, password: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })
    const none = await fetch(url)
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="Artifact Registry"'])
    expect((await fetch(url, { headers: basic('oauth2accesstoken', 'ya29.wrong') })).status).toBe(401)
    const denied = await fetch(url, { headers: basic('oauth2accesstoken', token) })
    expect(denied.status).toBe(403)
    expect(denied.statusText).toContain("Permission 'artifactregistry.repositories.downloadArtifacts' denied")
    expect(denied.statusText).toContain('roles/artifactregistry.reader')
    const bindings = [{ role: 'roles/artifactregistry.reader', members: ['user:ann@example.com'] }]
    const set = await cloud.call('POST', `${api}/repositories/pypi:setIamPolicy`, { body: { policy: { bindings } } })
    expect(set.json.bindings).toEqual(bindings)
    expect((await cloud.call('GET', `${api}/repositories/pypi:getIamPolicy`)).json).toEqual(set.json)
    expect((await cloud.call('POST', `${api}/repositories/pypi:setIamPolicy`, { body: { policy: { bindings: [], etag: 'b3RoZXI=' } } })).status).toBe(409)
    expect((await fetch(url, { headers: basic('oauth2accesstoken', token) })).status).toBe(200)
    expect((await cloud.call('GET', `${index}/guarded/${wheel.filename}`, { token })).status).toBe(200)
    expect((await cloud.call('GET', `${api}/repositories/pypi/packages`, { token })).status).toBe(200)
    expect((await cloud.call('DELETE', `${api}/repositories/pypi/packages/guarded`, { token })).status).toBe(403)
    expect((await send(uploadParts(wheel.filename, wheel.bytes, { name: 'guarded', version: '1.0' }), `${index}/`, token)).status).toBe(403)
    await cloud.call('POST', `${api}/repositories?repositoryId=other`, { body: { format: 'PYTHON' } })
    expect((await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/other/simple/', { token })).status).toBe(403)
    const asked = { permissions: ['artifactregistry.repositories.downloadArtifacts', 'artifactregistry.repositories.uploadArtifacts'] }
    expect((await cloud.call('POST', `${api}/repositories/pypi:testIamPermissions`, { body: asked, token })).json).toEqual({ permissions: asked.permissions.slice(0, 1) })
    cloud.kernel().policies.grant('projects/p-one/locations/us-central1/repositories/pypi', 'roles/artifactregistry.writer', 'user:ann@example.com')
    expect((await send(uploadParts(wheel.filename, wheel.bytes, { name: 'guarded', version: '1.0' }), `${index}/`, token)).status).toBe(200)
  })

  test('by project number, and not when the service is off', async () => {
    const number = cloud.kernel().projects.find('p-one')?.projectNumber
    expect((await cloud.call('GET', `us-central1-python.pkg.dev/${number}/pypi/simple/`)).status).toBe(200)
    cloud.addProject('p-off', [])
    expect((await cloud.call('GET', 'us-central1-python.pkg.dev/p-off/pypi/simple/')).json.error.details[0].reason).toBe('SERVICE_DISABLED')
  })
})
