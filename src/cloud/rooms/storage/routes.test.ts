import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createStorageRoom } from './index.ts'

describeRoomContract({
  makeRooms: () => [createStorageRoom()],
  params: { bucket: 'contract-bucket', destinationBucket: 'contract-bucket' },
  prepare: async (cloud) => void (await cloud.call('POST', 'storage.googleapis.com/storage/v1/b?project=contract-project', { body: { name: 'contract-bucket' } })),
})

const API = 'storage.googleapis.com'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createStorageRoom()])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
  expect((await api('POST', '/storage/v1/b?project=p-one', { body: { name: 'bytes', location: 'us-central1' } })).status).toBe(200)
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `${API}${path}`, options)
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
    expect(response.headers.get('x-goog-hash')).toBe(`crc32c=${made.json.crc32c},md5=${made.json.md5Hash}`)
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
