import { createHash, randomBytes } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { storage } from '@googleapis/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createStorageRoom } from './index.ts'

describeRoomContract({
  makeRooms: () => [createStorageRoom()],
  params: { bucket: 'contract-bucket', destinationBucket: 'contract-bucket' },
  queries: { 'storage.buckets.insert': 'project=contract-project', 'storage.buckets.list': 'project=contract-project' },
  prepare: async (cloud) => void (await cloud.call('POST', 'storage.googleapis.com/storage/v1/b?project=contract-project', { body: { name: 'contract-bucket' } })),
})

const API = 'storage.googleapis.com'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createStorageRoom()])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
  await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'bytes', location: 'us-central1' } })
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `${API}${path}`, options)
}

/** Google's clients drop the path of a root URL, so what they send is turned round on its way. */
function toCloud(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const url = input instanceof Request ? input.url : String(input)
  return fetch(url.replace(`https://${API}/`, `${cloud.url()}/${API}/`), init)
}

function upload(name: string, body: string | Uint8Array, query = '', options: CallOptions = {}): Promise<CallResult> {
  return api('POST', `/upload/storage/v1/b/bytes/o?uploadType=media&name=${encodeURIComponent(name)}${query}`, { body, ...options })
}

test('an object comes back as it was put, with the hashes that Google gives', async () => {
  const bytes = randomBytes(300_000)
  const made = await upload('dir/ä b+c.bin', bytes, '', { headers: { 'content-type': 'application/x-thing' } })
  expect(made.json).toMatchObject({
    kind: 'storage#object',
    name: 'dir/ä b+c.bin',
    bucket: 'bytes',
    size: '300000',
    contentType: 'application/x-thing',
    metageneration: '1',
    md5Hash: createHash('md5').update(bytes).digest('base64'),
  })
  // The CRC32C of these nine digits is the check value of the algorithm: 0xE3069283.
  expect((await upload('check', '123456789')).json.crc32c).toBe(Buffer.from('e3069283', 'hex').toString('base64'))
  for (const path of [
    '/storage/v1/b/bytes/o/dir%2F%C3%A4%20b%2Bc.bin?alt=media',
    '/download/storage/v1/b/bytes/o/dir%2F%C3%A4%20b%2Bc.bin?alt=media',
    '/bytes/dir/%C3%A4%20b%2Bc.bin',
  ]) {
    const response = await fetch(`${cloud.url()}/${API}${path}`, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
    expect(response.status, path).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes), path).toBe(true)
    expect(response.headers.get('x-goog-hash')).toBe(`crc32c=${made.json.crc32c}, md5=${made.json.md5Hash}`)
    expect(response.headers.get('x-goog-generation')).toBe(made.json.generation)
    expect(response.headers.get('content-type')).toBe('application/x-thing')
  }
  expect((await api('DELETE', '/storage/v1/b/bytes/o/dir%2F%C3%A4%20b%2Bc.bin')).status).toBe(204)
  expect((await api('GET', '/storage/v1/b/bytes/o/dir%2F%C3%A4%20b%2Bc.bin')).status).toBe(404)
})

test('the form in which gcloud sends a multipart body', async () => {
  const head = `--===============7==\nContent-Type: application/json\nMIME-Version: 1.0\n\n{"name":"images/small.txt","metadata":{"k":"v"}}\n--===============7==\nContent-Type: text/plain\nMIME-Version: 1.0\nContent-Transfer-Encoding: binary\n\n`
  const body = `${head}line one\r\n\r\n--=====\r\n--===============7==--`
  const made = await api('POST', '/upload/storage/v1/b/bytes/o?uploadType=multipart', { body, headers: { 'content-type': "multipart/related; boundary='===============7=='" } })
  expect(made.json).toMatchObject({ name: 'images/small.txt', contentType: 'text/plain', metadata: { k: 'v' } })
  expect((await api('GET', '/storage/v1/b/bytes/o/images%2Fsmall.txt?alt=media')).text).toBe('line one\r\n\r\n--=====\r')
})

test('a resumable upload goes on after a restart of the daemon, and its URL needs no token', async () => {
  const bytes = randomBytes(1_000_000)
  const started = await api('POST', '/resumable/upload/storage/v1/b/bytes/o?uploadType=resumable', {
    body: { name: 'big/one.bin' },
    headers: { 'x-upload-content-type': 'application/gzip', 'x-upload-content-length': String(bytes.length) },
  })
  expect(started.status).toBe(200)
  const put = (from: number, to: number): Promise<CallResult> => {
    const url = new URL(started.headers.get('location') ?? '')
    return cloud.call('PUT', `${url.pathname.slice(1)}${url.search}`, {
      token: null,
      body: bytes.subarray(from, to),
      headers: { 'content-range': from === to ? `bytes */${bytes.length}` : `bytes ${from}-${to - 1}/${bytes.length}` },
    })
  }
  expect((await put(0, 0)).headers.get('range')).toBeNull()
  const first = await put(0, 262_144)
  expect([first.status, first.headers.get('range')]).toEqual([308, 'bytes=0-262143'])
  await cloud.restart()
  const state = await put(0, 0)
  expect([state.status, state.headers.get('range')]).toEqual([308, 'bytes=0-262143'])
  expect((await put(600_000, 700_000)).status).toBe(503)
  // A chunk that overlaps what is there is read over.
  expect((await put(200_000, 600_000)).headers.get('range')).toBe('bytes=0-599999')
  const done = await put(600_000, bytes.length)
  expect(done.json).toMatchObject({ name: 'big/one.bin', size: '1000000', contentType: 'application/gzip', md5Hash: createHash('md5').update(bytes).digest('base64') })
  expect((await put(0, 0)).json.generation).toBe(done.json.generation)
})

test("a body of a size that nobody knows, as Google's Node library sends it, is an object when it ends; with a size it is one when it has that size", async () => {
  await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'endless' } })
  const bytes = randomBytes(300_000)
  const begin = async (name: string): Promise<(range: string, body: Buffer) => Promise<CallResult>> => {
    const started = await api('POST', `/upload/storage/v1/b/endless/o?uploadType=resumable&name=${name}`, { body: {} })
    const url = new URL(started.headers.get('location') ?? '')
    return (range, body) => cloud.call('PUT', `${url.pathname.slice(1)}${url.search}`, { token: null, body, headers: { 'content-range': range } })
  }
  const one = await begin('one')
  expect((await one('bytes 0-*/*', bytes)).json).toMatchObject({ name: 'one', size: '300000' })
  const two = await begin('two')
  expect((await two('bytes 0-262143/*', bytes.subarray(0, 262_144))).status).toBe(308)
  expect((await two('bytes 262145-*/*', bytes.subarray(262_145))).status, 'a hole').toBe(503)
  expect((await two('bytes 262144-*/*', bytes.subarray(262_144))).json).toMatchObject({ size: '300000', md5Hash: createHash('md5').update(bytes).digest('base64') })
  const three = await begin('three')
  const part = await three('bytes 0-*/300000', bytes.subarray(0, 1000))
  expect([part.status, part.headers.get('range')]).toEqual([308, 'bytes=0-999'])
  expect((await three('bytes 1000-*/300000', bytes.subarray(1000))).json).toMatchObject({ size: '300000' })
})

test('a list groups by delimiter and goes on where the page ended', async () => {
  await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'lists' } })
  for (const name of ['a', 'b/1', 'b/2', 'b/c/3', 'd', 'é/x', 'z'])
    await api('POST', `/upload/storage/v1/b/lists/o?uploadType=media&name=${encodeURIComponent(name)}`, { body: name })
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await api('GET', `/storage/v1/b/lists/o?delimiter=/&maxResults=2&pageToken=${pageToken}`)
    seen.push(...((page.json.items ?? []) as { name: string }[]).map((item) => item.name), ...((page.json.prefixes ?? []) as string[]))
    pageToken = page.json.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(seen).toEqual(['a', 'b/', 'd', 'z', 'é/'])
  expect((await api('GET', '/storage/v1/b/lists/o?prefix=b/&delimiter=/')).json).toMatchObject({ items: [{ name: 'b/1' }, { name: 'b/2' }], prefixes: ['b/c/'] })
  expect((await api('GET', '/storage/v1/b/lists/o?startOffset=b/2&endOffset=z')).json.items.map((item: { name: string }) => item.name)).toEqual(['b/2', 'b/c/3', 'd'])
  expect((await api('GET', '/storage/v1/b/lists/o?matchGlob=b/*')).json.items.map((item: { name: string }) => item.name)).toEqual(['b/1', 'b/2'])
})

test('a body that breaks off leaves nothing', async () => {
  await new Promise<void>((resolve) => {
    const { hostname, port } = new URL(cloud.url())
    const client = httpRequest({
      hostname,
      port,
      method: 'POST',
      path: `/${API}/upload/storage/v1/b/bytes/o?uploadType=media&name=broken`,
      headers: { authorization: `Bearer ${cloud.ownerToken()}`, 'content-length': '1000000' },
    })
    client.on('error', () => resolve())
    client.write(randomBytes(200_000), () => client.destroy())
    client.on('close', () => resolve())
  })
  await waitFor({ what: 'the temporary file to go', timeoutMs: 5000, intervalMs: 10 }, async () => {
    const { readdir } = await import('node:fs/promises')
    const left = await readdir(`${cloud.folder}/cloud/blobs/tmp`)
    return left.length === 0 ? { done: true, value: 0 } : { done: false, status: `${left.length} files` }
  })
  expect((await api('GET', '/storage/v1/b/bytes/o/broken')).status).toBe(404)
})

test('ranges, not-modified and unsatisfiable reads', async () => {
  const made = await upload('ranges', '0123456789')
  const read = (range: string, more: Record<string, string> = {}): Promise<CallResult> => api('GET', '/storage/v1/b/bytes/o/ranges?alt=media', { headers: { range, ...more } })
  const middle = await read('bytes=2-4')
  expect([middle.status, middle.text, middle.headers.get('content-range'), middle.headers.get('content-length')]).toEqual([206, '234', 'bytes 2-4/10', '3'])
  expect((await read('bytes=-3')).text).toBe('789')
  expect((await read('bytes=7-')).text).toBe('789')
  const beyond = await read('bytes=10-')
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10'])
  expect((await read('bytes=0-0,2-2')).text).toBe('0123456789')
  expect((await read('bytes=0-1', { 'if-range': '"other"' })).status).toBe(200)
  const etag = made.json.etag as string
  expect((await api('GET', '/storage/v1/b/bytes/o/ranges', { headers: { 'if-none-match': etag } })).status).toBe(304)
  expect((await api('GET', '/storage/v1/b/bytes/o/ranges?alt=media', { headers: { 'if-none-match': `"${etag}"` } })).status).toBe(304)
  const head = await api('HEAD', '/bytes/ranges')
  expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '10', ''])
  const empty = await upload('empty', '')
  expect(empty.json).toMatchObject({ size: '0', md5Hash: '1B2M2Y8AsgTpgAmY7PhCfg==', crc32c: 'AAAAAA==' })
  expect((await api('GET', '/storage/v1/b/bytes/o/empty?alt=media')).status).toBe(200)
  expect((await api('GET', '/storage/v1/b/bytes/o/ranges?alt=media&generation=1')).status).toBe(404)
})

test('preconditions: 412 for changes, 304 for reads, and a failed one changes nothing', async () => {
  const made = await upload('conditions', 'one', '&ifGenerationMatch=0')
  expect(made.status).toBe(200)
  const generation = made.json.generation as string
  expect((await upload('conditions', 'two', '&ifGenerationMatch=0')).json.error).toMatchObject({ code: 412, errors: [{ reason: 'conditionNotMet' }] })
  expect((await api('GET', '/storage/v1/b/bytes/o/conditions?alt=media')).text).toBe('one')
  expect((await upload('conditions', 'two', '&ifMetagenerationMatch=2')).status).toBe(412)
  expect((await api('GET', `/storage/v1/b/bytes/o/conditions?ifGenerationNotMatch=${generation}`)).status).toBe(304)
  expect((await api('GET', '/storage/v1/b/bytes/o/conditions?ifGenerationMatch=5')).status).toBe(412)
  expect(
    (await api('PATCH', '/storage/v1/b/bytes/o/conditions?ifMetagenerationMatch=1', { body: { metadata: { a: '1', b: '2' }, contentType: 'text/plain' } })).json,
  ).toMatchObject({ metageneration: '2', metadata: { a: '1', b: '2' } })
  expect((await api('PATCH', '/storage/v1/b/bytes/o/conditions?ifMetagenerationMatch=1', { body: { metadata: null } })).status).toBe(412)
  const patched = await api('PATCH', '/storage/v1/b/bytes/o/conditions', { body: { metadata: { a: null }, contentType: null } })
  expect(patched.json.metadata).toEqual({ b: '2' })
  expect(patched.json.contentType).toBeUndefined()
  expect((await api('PUT', '/storage/v1/b/bytes/o/conditions', { body: { contentType: 'text/html' } })).json.metadata).toBeUndefined()
  expect((await api('DELETE', '/storage/v1/b/bytes/o/conditions?ifGenerationMatch=5')).status).toBe(412)
  expect((await api('DELETE', `/storage/v1/b/bytes/o/conditions?ifGenerationMatch=${generation}`)).status).toBe(204)
  expect((await upload('conditions', 'x', '&ifGenerationMatch=abc')).status).toBe(400)
})

test('bytes whose hash is not the promised one are not kept', async () => {
  const wrong = createHash('md5').update('other').digest('base64')
  expect((await upload('hashed', 'text', '', { headers: { 'x-goog-hash': `md5=${wrong}` } })).json.error.message).toContain("doesn't match calculated MD5")
  expect((await upload('hashed', 'text', '', { headers: { 'x-goog-hash': 'crc32c=AAAAAA==' } })).status).toBe(400)
  const body = `--b\r\n\r\n{"name":"hashed","md5Hash":"${wrong}"}\r\n--b\r\n\r\ntext\r\n--b--`
  expect((await api('POST', '/upload/storage/v1/b/bytes/o?uploadType=multipart', { body, headers: { 'content-type': 'multipart/related; boundary=b' } })).status).toBe(400)
  const started = await api('POST', '/upload/storage/v1/b/bytes/o?uploadType=resumable&name=hashed', { body: { crc32c: 'AAAAAA==' } })
  const session = new URL(started.headers.get('location') ?? '')
  expect((await cloud.call('PUT', `${session.pathname.slice(1)}${session.search}`, { body: 'text' })).status).toBe(400)
  expect((await cloud.call('PUT', `${session.pathname.slice(1)}${session.search}`, { body: 'text' })).status).toBe(404)
  expect((await api('GET', '/storage/v1/b/bytes/o/hashed')).status).toBe(404)
  const right = createHash('md5').update('text').digest('base64')
  expect((await upload('hashed', 'text', '', { headers: { 'x-goog-hash': `md5=${right}` } })).status).toBe(200)
})

test('names of objects: what is allowed and what is not', async () => {
  for (const name of ['a'.repeat(1024), 'ü'.repeat(512), '100%/#?&=+.txt', '日本語/ファイル', 'dir/', '..hidden', 'a//b']) {
    expect((await upload(name, name)).json.name, name.slice(0, 40)).toBe(name)
    expect((await api('GET', `/storage/v1/b/bytes/o/${encodeURIComponent(name)}?alt=media`)).text, name.slice(0, 40)).toBe(name)
  }
  for (const name of ['a'.repeat(1025), 'ü'.repeat(513), 'a\nb', 'a\rb', '.', '..']) expect((await upload(name, 'x')).status, JSON.stringify(name.slice(0, 40))).toBe(400)
  expect((await upload('', 'x')).status).toBe(400)
})

test('copy, rewrite and compose', async () => {
  const source = await upload('copy/source', 'hello ', '', { headers: { 'content-type': 'text/plain' } })
  await upload('copy/second', 'world')
  const copied = await api('POST', '/storage/v1/b/bytes/o/copy%2Fsource/copyTo/b/lists/o/copy%2Ftarget', { body: {} })
  expect(copied.json).toMatchObject({ bucket: 'lists', name: 'copy/target', contentType: 'text/plain', md5Hash: source.json.md5Hash })
  const rewritten = await api('POST', '/storage/v1/b/bytes/o/copy%2Fsource/rewriteTo/b/bytes/o/copy%2Frewritten', { body: { contentType: 'text/html', metadata: { k: 'v' } } })
  expect(rewritten.json).toMatchObject({ done: true, totalBytesRewritten: '6', resource: { contentType: 'text/html', metadata: { k: 'v' } } })
  expect((await api('POST', '/storage/v1/b/bytes/o/copy%2Fsource/rewriteTo/b/bytes/o/x?ifSourceGenerationMatch=1', { body: {} })).status).toBe(412)
  expect((await api('DELETE', '/storage/v1/b/bytes/o/copy%2Fsource')).status).toBe(204)
  expect((await api('GET', '/storage/v1/b/lists/o/copy%2Ftarget?alt=media')).text).toBe('hello ')
  const composed = await api('POST', '/storage/v1/b/bytes/o/copy%2Fboth/compose', {
    body: { sourceObjects: [{ name: 'copy/rewritten' }, { name: 'copy/second' }], destination: { contentType: 'text/plain' } },
  })
  expect(composed.json).toMatchObject({ componentCount: 2, size: '11' })
  expect(composed.json.md5Hash).toBeUndefined()
  expect((await api('GET', '/storage/v1/b/bytes/o/copy%2Fboth?alt=media')).text).toBe('hello world')
  expect((await api('POST', '/storage/v1/b/bytes/o/c/compose', { body: { sourceObjects: [{ name: 'no' }] } })).status).toBe(404)
})

test('a bucket with versioning keeps what was replaced and deleted', async () => {
  await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'kept', versioning: { enabled: true } } })
  const put = async (text: string): Promise<string> => (await api('POST', '/upload/storage/v1/b/kept/o?uploadType=media&name=o', { body: text })).json.generation as string
  const first = await put('first')
  const second = await put('second')
  expect(BigInt(second)).toBeGreaterThan(BigInt(first))
  expect((await api('GET', `/storage/v1/b/kept/o/o?alt=media&generation=${first}`)).text).toBe('first')
  expect((await api('DELETE', '/storage/v1/b/kept/o/o')).status).toBe(204)
  expect((await api('GET', '/storage/v1/b/kept/o/o')).status).toBe(404)
  const versions = (await api('GET', '/storage/v1/b/kept/o?versions=true')).json.items as { generation: string; timeDeleted: string }[]
  expect(versions.map((each) => [each.generation, typeof each.timeDeleted])).toEqual([
    [first, 'string'],
    [second, 'string'],
  ])
  expect((await api('DELETE', '/storage/v1/b/kept')).status).toBe(409)
  for (const each of versions) expect((await api('DELETE', `/storage/v1/b/kept/o/o?generation=${each.generation}`)).status).toBe(204)
  expect((await api('DELETE', '/storage/v1/b/kept')).status).toBe(204)
})

test('buckets: names, one namespace, change, delete', async () => {
  for (const name of ['ab', 'Upper', 'a_', '-a', 'goog-x', 'my-google-x', '1.2.3.4', 'a..b', 'a'.repeat(64), 'x/y']) {
    expect((await api('POST', '/storage/v1/b?project=p-one', { body: { name } })).status, name).toBe(400)
  }
  expect((await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'mars', location: 'mars' } })).status).toBe(400)
  expect((await api('POST', '/storage/v1/b', { body: { name: 'no-project' } })).status).toBe(400)
  const made = await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'one-space', labels: { a: '1' }, location: 'eu' } })
  expect(made.json).toMatchObject({ kind: 'storage#bucket', location: 'EU', locationType: 'multi-region', storageClass: 'STANDARD', metageneration: '1', labels: { a: '1' } })
  expect((await api('POST', '/storage/v1/b?project=p-two', { body: { name: 'one-space' } })).status).toBe(409)
  const patched = await api('PATCH', '/storage/v1/b/one-space', { body: { labels: { a: null, b: '2' }, versioning: { enabled: true } } })
  expect(patched.json).toMatchObject({ labels: { b: '2' }, versioning: { enabled: true }, metageneration: '2', location: 'EU' })
  expect((await api('PATCH', '/storage/v1/b/one-space?ifMetagenerationMatch=1', { body: {} })).status).toBe(412)
  expect((await api('PATCH', '/storage/v1/b/one-space', { body: { location: 'US' } })).status).toBe(400)
  expect((await api('PUT', '/storage/v1/b/one-space', { body: { storageClass: 'nearline' } })).json).toMatchObject({ storageClass: 'NEARLINE', location: 'EU' })
  expect((await api('GET', '/storage/v1/b/one-space')).json.labels).toBeUndefined()
  expect((await api('GET', '/storage/v1/b?project=p-one&prefix=one')).json.items).toHaveLength(1)
  expect((await api('GET', '/storage/v1/b?project=p-two')).json.items).toBeUndefined()
  expect((await api('DELETE', '/storage/v1/b/bytes')).json.error).toMatchObject({ code: 409, message: 'The bucket you tried to delete is not empty.' })
  expect((await api('DELETE', '/storage/v1/b/one-space')).status).toBe(204)
  expect((await api('GET', '/storage/v1/b/one-space')).json.error).toMatchObject({ code: 404, message: 'The specified bucket does not exist.' })
})

test('the policy of a bucket decides, and a creator cannot replace', async () => {
  const reader = cloud.userToken('reader@example.com')
  const writer = cloud.userToken('writer@example.com')
  await upload('shared', 'text')
  expect((await api('GET', '/bytes/shared', { token: reader })).status).toBe(403)
  const before = await api('GET', '/storage/v1/b/bytes/iam')
  const bindings = [
    { role: 'roles/storage.objectCreator', members: ['user:writer@example.com'] },
    { role: 'roles/storage.objectViewer', members: ['user:reader@example.com'] },
  ]
  expect((await api('PUT', '/storage/v1/b/bytes/iam', { body: { bindings, etag: before.json.etag } })).json).toMatchObject({ kind: 'storage#policy', bindings })
  expect((await api('PUT', '/storage/v1/b/bytes/iam', { body: { bindings: [], etag: before.json.etag } })).status).toBe(409)
  expect((await api('GET', '/bytes/shared', { token: reader })).text).toBe('text')
  expect((await upload('shared', 'x', '', { token: reader })).status).toBe(403)
  expect((await upload('new-by-writer', 'x', '', { token: writer })).status).toBe(200)
  expect((await upload('shared', 'x', '', { token: writer })).json.error.message).toContain('storage.objects.delete')
  expect((await api('POST', '/upload/storage/v1/b/bytes/o?uploadType=resumable&name=shared', { token: writer, body: {} })).status).toBe(403)
  expect((await api('GET', '/bytes/shared')).text).toBe('text')
  expect(
    (await api('GET', '/storage/v1/b/bytes/iam/testPermissions?permissions=storage.objects.get&permissions=storage.objects.create', { token: reader })).json.permissions,
  ).toEqual(['storage.objects.get'])
})

test('a binding under a condition on the object name opens only what is below it, for reading and in every form of upload', async () => {
  const token = cloud.userToken('releaser@example.com')
  const condition = { title: 'releases', expression: "resource.name.startsWith('projects/_/buckets/bytes/objects/releases/')" }
  const bindings = ['roles/storage.objectUser', 'roles/storage.objectViewer'].map((role) => ({ role, members: ['user:releaser@example.com'], condition }))
  const before = (await api('GET', '/storage/v1/b/bytes/iam')).json
  expect((await api('PUT', '/storage/v1/b/bytes/iam', { body: { version: 3, bindings: [...before.bindings, ...bindings] } })).status).toBe(200)
  const multipart = (name: string, query = '') =>
    api('POST', `/upload/storage/v1/b/bytes/o?uploadType=multipart${query}`, {
      token,
      headers: { 'content-type': 'multipart/related; boundary=b' },
      body: `--b\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(query === '' ? { name } : {})}\r\n--b\r\ncontent-type: text/plain\r\n\r\nx\r\n--b--\r\n`,
    })
  const statuses = async (name: string): Promise<number[]> => {
    await upload(name, 'x')
    const path = `/storage/v1/b/bytes/o/${encodeURIComponent(name)}`
    const answers = [
      await upload(name, 'x', '', { token }),
      await multipart(name),
      await multipart(name, `&name=${encodeURIComponent(name)}`),
      await api('POST', '/upload/storage/v1/b/bytes/o?uploadType=resumable', { token, body: { name } }),
      await api('GET', path, { token }),
      await api('GET', `${path}?alt=media`, { token }),
      await api('GET', `/bytes/${name}`, { token }),
      await api('POST', `${path}/copyTo/b/bytes/o/releases%2Fcopy`, { token, body: {} }),
      await api('POST', '/storage/v1/b/bytes/o/releases%2Fcomposed/compose', { token, body: { sourceObjects: [{ name }] } }),
      await api('DELETE', path, { token }),
    ]
    return answers.map((answer) => answer.status)
  }
  expect(await statuses('releases/1')).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 200, 204])
  expect(await statuses('secrets/1')).toEqual(Array.from({ length: 10 }, () => 403))
  await api('PUT', '/storage/v1/b/bytes/iam', { body: { version: 3, bindings: before.bindings } })
})

test('an upload can be cancelled, and what broke off can be asked for and finished', async () => {
  const bytes = randomBytes(3_000_000)
  const start = async (name: string): Promise<string> => {
    const started = await api('POST', `/upload/storage/v1/b/bytes/o?uploadType=resumable&name=${name}`, { body: {} })
    const url = new URL(started.headers.get('location') ?? '')
    return `${url.pathname.slice(1)}${url.search}`
  }
  const cancelled = await start('cancelled')
  expect((await cloud.call('PUT', cancelled, { body: bytes.subarray(0, 1000), headers: { 'content-range': 'bytes 0-999/*' } })).status).toBe(308)
  expect((await cloud.call('DELETE', cancelled)).status).toBe(499)
  expect((await cloud.call('PUT', cancelled, { body: bytes })).status).toBe(404)

  const broken = await start('broken-off')
  await new Promise<void>((resolve) => {
    const { hostname, port } = new URL(cloud.url())
    const client = httpRequest({
      hostname,
      port,
      method: 'PUT',
      path: `/${broken}`,
      headers: { 'content-length': String(bytes.length), 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` },
    })
    client.on('error', () => resolve())
    client.on('close', () => resolve())
    client.write(bytes.subarray(0, 2_000_000))
    void waitFor({ what: 'bytes in the file', timeoutMs: 5000, intervalMs: 5 }, async () => {
      const path = `${cloud.folder}/cloud/blobs/uploads/${new URLSearchParams(broken.split('?')[1]).get('upload_id')}`
      const sizeBytes = existsSync(path) ? statSync(path).size : 0
      return sizeBytes > 0 ? { done: true, value: 0 } : { done: false, status: `${sizeBytes} bytes` }
    }).finally(() => client.destroy())
  })
  const state = await waitFor({ what: 'some bytes to be safe', timeoutMs: 5000, intervalMs: 20 }, async () => {
    const answer = await cloud.call('PUT', broken, { headers: { 'content-range': `bytes */${bytes.length}` } })
    const range = answer.headers.get('range')
    return answer.status === 308 && range !== null ? { done: true, value: range } : { done: false, status: String(answer.status) }
  })
  const next = Number(state.split('-')[1]) + 1
  expect(next).toBeLessThanOrEqual(2_000_000)
  const done = await cloud.call('PUT', broken, { body: bytes.subarray(next), headers: { 'content-range': `bytes ${next}-${bytes.length - 1}/${bytes.length}` } })
  expect(done.json.md5Hash).toBe(createHash('md5').update(bytes).digest('base64'))
  const unknown = await start('unknown-length')
  expect((await cloud.call('PUT', unknown, { body: bytes.subarray(0, 262_144), headers: { 'content-range': 'bytes 0-262143/*' } })).status).toBe(308)
  expect((await cloud.call('PUT', unknown, { headers: { 'content-range': 'bytes */262144' } })).json.size).toBe('262144')
})

test('other rooms read objects through the port', async () => {
  const made = await upload('port', 'for compute')
  const port = cloud.kernel().ports.use('objects')
  const found = port.stat('bytes', 'port')
  expect(found).toMatchObject({ generation: made.json.generation, sizeBytes: 11, projectId: 'p-one' })
  if (found === undefined) throw new Error('not found')
  const chunks: Buffer[] = []
  for await (const chunk of port.read(found) as AsyncIterable<Buffer>) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('for compute')
  expect(port.stat('bytes', 'nothing')).toBeUndefined()
  expect(port.stat('no-bucket', 'port')).toBeUndefined()
})

test('an object that is replaced while it is read is read to its end, and then its bytes go', async () => {
  const made = await upload('replaced', randomBytes(4_000_000))
  const response = await fetch(`${cloud.url()}/${API}/bytes/replaced`, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
  const info = cloud.kernel().ports.use('objects').stat('bytes', 'replaced')
  await upload('replaced', 'short')
  const text = Buffer.from(await response.arrayBuffer())
  expect(createHash('md5').update(text).digest('base64')).toBe(made.json.md5Hash)
  const path = cloud.kernel().blobs.path(info?.sha256 ?? '')
  await waitFor({ what: 'the old bytes to go', timeoutMs: 5000, intervalMs: 20 }, async () =>
    existsSync(path) ? { done: false, status: 'still there' } : { done: true, value: 0 },
  )
})

test('Google’s own client: buckets, upload, download, list', async () => {
  const client = storage({ version: 'v1', headers: { authorization: `Bearer ${cloud.ownerToken()}` }, fetchImplementation: toCloud })
  await client.buckets.insert({ project: 'p-one', requestBody: { name: 'by-client' } })
  const made = await client.objects.insert({
    bucket: 'by-client',
    name: 'a/b c',
    requestBody: { metadata: { k: 'v' } },
    media: { mimeType: 'text/plain', body: 'text of the object' },
  })
  expect(made.data).toMatchObject({ name: 'a/b c', contentType: 'text/plain', metadata: { k: 'v' } })
  expect((await client.objects.list({ bucket: 'by-client', prefix: 'a/' })).data.items?.map((item) => item.name)).toEqual(['a/b c'])
  const media = await client.objects.get({ bucket: 'by-client', object: 'a/b c', alt: 'media' }, { responseType: 'text' })
  expect(media.data).toBe('text of the object')
  await client.objects.delete({ bucket: 'by-client', object: 'a/b c' })
  await client.buckets.delete({ bucket: 'by-client' })
})
