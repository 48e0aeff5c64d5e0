import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createArtifactRegistryRoom } from './index.ts'
import { makeForm, makeWheel, uploadParts } from './python/testing.ts'
import type { FormPart } from './python/testing.ts'

describeRoomContract({
  makeRooms: () => [createArtifactRegistryRoom()],
  hosts: { python: 'us-central1-python.pkg.dev' },
  params: { location: 'us-central1' },
})

let cloud: TestCloud
const api = 'artifactregistry.googleapis.com/v1/projects/p-one/locations/us-central1'
const index = 'us-central1-python.pkg.dev/p-one/pypi'

beforeAll(async () => {
  cloud = await startTestCloud(() => [createArtifactRegistryRoom({ maxUploadBytes: 3_000_000 })])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
  expect((await cloud.call('POST', `${api}/repositories?repositoryId=pypi`, { body: { format: 'PYTHON', mode: 'MODE_UNSPECIFIED' } })).status).toBe(200)
})
afterAll(() => cloud.close())

async function send(parts: readonly FormPart[], path = `${index}/`, token?: string): Promise<CallResult> {
  const form = makeForm(parts)
  return cloud.call('POST', path, { body: form.body, headers: form.headers, ...(token === undefined ? {} : { token }) })
}

async function uploadWheel(name: string, version: string, options: Parameters<typeof makeWheel>[2] = {}): Promise<ReturnType<typeof makeWheel>> {
  const wheel = makeWheel(name, version, options)
  const answer = await send(uploadParts(wheel.filename, wheel.bytes, { name, version }))
  expect(answer.text).toBe('')
  expect(answer.status).toBe(200)
  return wheel
}

describe('upload and index', () => {
  test('a wheel goes in and comes out, with its metadata', async () => {
    const wheel = await uploadWheel('moshi_server', '1.0.0', { requiresPython: '>=3.9,<4' })
    const sha256 = createHash('sha256').update(wheel.bytes).digest('hex')
    const metadataSha256 = createHash('sha256').update(wheel.metadata).digest('hex')
    const html = await cloud.call('GET', `${index}/simple/moshi-server/`)
    expect(html.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(html.text).toContain('<meta name="pypi:repository-version" content="1.1">')
    expect(html.text).toContain(
      `<a href="../../moshi-server/${wheel.filename}#sha256=${sha256}" data-requires-python="&#62;=3.9,&#60;4" data-dist-info-metadata="sha256=${metadataSha256}" data-core-metadata="sha256=${metadataSha256}">${wheel.filename}</a>`,
    )
    const json = await cloud.call('GET', `${index}/simple/moshi-server/`, { headers: { accept: 'application/vnd.pypi.simple.v1+json' } })
    expect(json.headers.get('content-type')).toBe('application/vnd.pypi.simple.v1+json')
    expect(json.json).toEqual({
      meta: { 'api-version': '1.1' },
      name: 'moshi-server',
      versions: ['1.0.0'],
      files: [
        {
          filename: wheel.filename,
          url: `../../moshi-server/${wheel.filename}`,
          hashes: { sha256 },
          'requires-python': '>=3.9,<4',
          size: wheel.bytes.length,
          'upload-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
          yanked: false,
          'core-metadata': { sha256: metadataSha256 },
        },
      ],
    })
    const url = new URL(json.json.files[0].url, `${cloud.url()}/${index}/simple/moshi-server/`)
    const file = await fetch(url, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
    expect(Buffer.from(await file.arrayBuffer()).equals(wheel.bytes)).toBe(true)
    expect((await cloud.call('GET', `${index}/moshi-server/${wheel.filename}.metadata`)).text).toBe(wheel.metadata)
  })
})
