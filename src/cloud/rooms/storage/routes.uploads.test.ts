import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createStorageRoom } from './index.ts'

const UPLOAD = 'storage.googleapis.com/upload/storage/v1/b/large/o'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createStorageRoom()])
  cloud.addProject('p-one')
  await cloud.call('POST', 'storage.googleapis.com/storage/v1/b?project=p-one', { body: { name: 'large' } })
})
afterAll(() => cloud.close())

/** Bytes that nothing repeats, of a size that is no multiple of any buffer's. */
function bodyOf(name: string): Buffer {
  return createHash('shake256', { outputLength: 3_456_789 }).update(name).digest()
}

async function session(name: string): Promise<string> {
  const started = await cloud.call('POST', `${UPLOAD}?uploadType=resumable&name=${name}`, { body: {} })
  const url = new URL(started.headers.get('location') ?? '')
  return `${url.pathname.slice(1)}${url.search}`
}

const forms: Readonly<Record<string, (name: string, body: Buffer) => Promise<CallResult>>> = {
  media: (name, body) => cloud.call('POST', `${UPLOAD}?uploadType=media&name=${name}`, { body }),
  multipart: (name, body) => {
    const head = `--B\r\nContent-Type: application/json\r\n\r\n${JSON.stringify({ name })}\r\n--B\r\nContent-Type: application/octet-stream\r\n\r\n`
    const headers = { 'content-type': 'multipart/related; boundary=B' }
    return cloud.call('POST', `${UPLOAD}?uploadType=multipart`, { body: Buffer.concat([Buffer.from(head), body, Buffer.from('\r\n--B--\r\n')]), headers })
  },
  resumable: async (name, body) => cloud.call('PUT', await session(name), { body }),
  'resumable in parts': async (name, body) => {
    const path = await session(name)
    const part = (from: number, to: number): Promise<CallResult> =>
      cloud.call('PUT', path, { body: body.subarray(from, to), headers: { 'content-range': `bytes ${from}-${to - 1}/${body.length}` } })
    expect((await part(0, 1_310_720)).headers.get('range')).toBe('bytes=0-1310719')
    // The beginning is here already.
    return part(1_000_000, body.length)
  },
}

test('large bodies in every form, all at once, are stored byte by byte', async () => {
  const uploads = Object.entries(forms).flatMap(([form, send]) => [1, 2].map((count) => ({ name: `${form.replaceAll(' ', '-')}-${count}`, send })))
  const answers = await Promise.all(uploads.map(({ name, send }) => send(name, bodyOf(name))))
  for (const [index, { name }] of uploads.entries()) {
    const body = bodyOf(name)
    expect(answers[index]?.json, name).toMatchObject({ name, size: String(body.length), md5Hash: createHash('md5').update(body).digest('base64') })
    const response = await fetch(`${cloud.url()}/storage.googleapis.com/large/${name}`, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
    expect(Buffer.from(await response.arrayBuffer()).equals(body), name).toBe(true)
  }
  const composed = await cloud.call('POST', 'storage.googleapis.com/storage/v1/b/large/o/both/compose', { body: { sourceObjects: [{ name: 'media-1' }, { name: 'multipart-2' }] } })
  const response = await fetch(`${cloud.url()}/storage.googleapis.com/large/both`, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
  expect(composed.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.concat([bodyOf('media-1'), bodyOf('multipart-2')]))).toBe(true)
})
