import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, index, startTestIndex } from './python/test-index.ts'
import type { TestIndex } from './python/test-index.ts'
import { makeWheel, uploadParts } from './python/testing.ts'

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

  test('the root page lists projects, and a project without files is 404', async () => {
    await uploadWheel('root_page', '1.0')
    const headers = { accept: 'application/vnd.pypi.simple.v1+json' }
    expect((await cloud.call('GET', `${index}/simple/`, { headers })).json.projects).toContainEqual({ name: 'root-page' })
    expect((await cloud.call('GET', `${index}/simple/`)).text).toContain('<a href="root-page/">root-page</a>')
    expect((await cloud.call('GET', `${index}/simple/absent/`)).status).toBe(404)
    expect((await cloud.call('GET', 'us-central1-python.pkg.dev/p-one/absent/simple/x/')).status).toBe(404)
    expect((await cloud.call('GET', 'europe-west1-python.pkg.dev/p-one/pypi/simple/root-page/')).status).toBe(404)
  })

  test('names are normalised by redirects that keep the query', async () => {
    await uploadWheel('red_irect', '1.0')
    for (const [path, location] of [
      ['simple/Red_Irect/?format=text/html', '../red-irect/?format=text/html'],
      ['simple/Red.Irect', 'red-irect/'],
      ['simple', 'simple/'],
    ] as const) {
      const answer = await cloud.call('GET', `${index}/${path}`)
      expect(answer.status).toBe(301)
      expect(answer.headers.get('location')).toBe(location)
    }
  })

  test('an unchanged page is 304, a new file changes its entity tag at once', async () => {
    await uploadWheel('tagged', '1.0')
    const first = await cloud.call('GET', `${index}/simple/tagged/`)
    const etag = first.headers.get('etag') ?? ''
    expect(first.headers.get('vary')).toBe('Accept, Authorization')
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    const again = await cloud.call('GET', `${index}/simple/tagged/`, { headers: { 'if-none-match': etag } })
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
    const json = await cloud.call('GET', `${index}/simple/tagged/?format=application/vnd.pypi.simple.v1%2Bjson`, { headers: { 'if-none-match': etag } })
    expect(json.status).toBe(200)
    await uploadWheel('tagged', '1.1')
    const changed = await cloud.call('GET', `${index}/simple/tagged/`, { headers: { 'if-none-match': etag } })
    expect(changed.status).toBe(200)
    expect(changed.text).toContain('tagged-1.1')
  })

  test('406 when no form fits, HEAD as GET without a body', async () => {
    await uploadWheel('headed', '1.0')
    const refused = await cloud.call('GET', `${index}/simple/headed/`, { headers: { accept: 'application/pdf' } })
    expect([refused.status, refused.headers.get('vary')]).toEqual([406, 'Accept, Authorization'])
    const got = await cloud.call('GET', `${index}/simple/headed/`)
    const head = await cloud.call('HEAD', `${index}/simple/headed/`)
    expect([head.status, head.text, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([200, '', String(got.text.length), got.headers.get('etag')])
  })

  test('a yanked file is marked with its reason', async () => {
    const wheel = await uploadWheel('yanked', '1.0')
    const plain = await uploadWheel('yanked', '1.1')
    const { database } = cloud.kernel()
    database.run('UPDATE artifactregistry_files SET yanked = ? WHERE filename = ?', 'breaks <all>', wheel.filename)
    database.run("UPDATE artifactregistry_files SET yanked = '' WHERE filename = ?", plain.filename)
    await uploadWheel('yanked', '1.2')
    expect((await cloud.call('GET', `${index}/simple/yanked/`)).text).toContain('data-yanked="breaks &#60;all&#62;"')
    const json = await cloud.call('GET', `${index}/simple/yanked/`, { headers: { accept: 'application/vnd.pypi.simple.latest+json' } })
    expect(json.json.files.map((file: { yanked: unknown }) => file.yanked)).toEqual(['breaks <all>', true, false])
  })

  test('a project may be called simple', async () => {
    const wheel = await uploadWheel('simple', '1.0')
    expect((await cloud.call('GET', `${index}/simple/simple/`)).text).toContain(`../../simple/${wheel.filename}#`)
    expect((await cloud.call('GET', `${index}/simple/${wheel.filename}.metadata`)).text).toBe(wheel.metadata)
    expect((await cloud.call('GET', `${index}/simple/simple`)).status).toBe(301)
  })

  test('files answer ranges and conditions', async () => {
    const wheel = await uploadWheel('ranged', '1.0')
    const path = `${index}/ranged/${wheel.filename}`
    const sha256 = createHash('sha256').update(wheel.bytes).digest('hex')
    const get = (headers: Record<string, string>): Promise<Response> => fetch(`${cloud.url()}/${path}`, { headers: { authorization: `Bearer ${cloud.ownerToken()}`, ...headers } })
    const part = await get({ range: 'bytes=-22' })
    expect([part.status, part.headers.get('content-range'), part.headers.get('content-length')]).toEqual([
      206,
      `bytes ${wheel.bytes.length - 22}-${wheel.bytes.length - 1}/${wheel.bytes.length}`,
      '22',
    ])
    expect(Buffer.from(await part.arrayBuffer()).equals(wheel.bytes.subarray(-22))).toBe(true)
    expect((await get({ range: 'bytes=5-9', 'if-range': `"${sha256}"` })).status).toBe(206)
    expect((await get({ range: 'bytes=5-9', 'if-range': '"other"' })).status).toBe(200)
    const beyond = await get({ range: 'bytes=999999-' })
    expect([beyond.status, beyond.headers.get('content-range'), beyond.headers.get('cache-control')]).toEqual([416, `bytes */${wheel.bytes.length}`, null])
    expect((await get({ 'if-none-match': `"${sha256}"` })).status).toBe(304)
    const head = await cloud.call('HEAD', path)
    expect(Object.fromEntries(['content-length', 'accept-ranges', 'etag', 'cache-control'].map((name) => [name, head.headers.get(name)]))).toEqual({
      'content-length': String(wheel.bytes.length),
      'accept-ranges': 'bytes',
      etag: `"${sha256}"`,
      'cache-control': 'private, max-age=31536000, immutable',
    })
    expect((await cloud.call('GET', `${index}/other/${wheel.filename}`)).status).toBe(404)
    expect((await cloud.call('GET', `${index}/ranged/absent-1.0.tar.gz`)).status).toBe(404)
    expect((await cloud.call('GET', `${index}/ranged/..%2f..%2fcloud.db`)).status).toBe(404)
  })

  test('a download goes on to its end while the file is deleted', async () => {
    const wheel = await uploadWheel('leaving', '1.0', { extra: [{ name: 'leaving/data', data: randomBytes(2_000_000), stored: true }] })
    const sha256 = createHash('sha256').update(wheel.bytes).digest('hex')
    const response = await fetch(`${cloud.url()}/${index}/leaving/${wheel.filename}`, { headers: { authorization: `Bearer ${cloud.ownerToken()}` } })
    expect((await cloud.call('DELETE', `${api}/repositories/pypi/packages/leaving`)).status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(wheel.bytes)).toBe(true)
    await waitFor({ what: 'the blob to go', timeoutMs: 10_000, intervalMs: 10 }, async () =>
      existsSync(cloud.kernel().blobs.path(sha256)) ? { done: false, status: 'it is there' } : { done: true, value: undefined },
    )
  })

  test('an sdist has no metadata file and takes its requires-python from the form', async () => {
    const bytes = gzipSync('not really a tar')
    expect((await send(uploadParts('src-dist-1.0.tar.gz', bytes, { name: 'src-dist', version: '1.0', requires_python: '>=3.8', summary: 'UNKNOWN' }))).status).toBe(200)
    const json = await cloud.call('GET', `${index}/simple/src-dist/`, { headers: { accept: 'application/vnd.pypi.simple.v1+json' } })
    expect(json.json.files[0]).toMatchObject({ 'requires-python': '>=3.8', 'core-metadata': false })
    expect((await cloud.call('GET', `${index}/simple/src-dist/`)).text).not.toContain('core-metadata')
    expect((await cloud.call('GET', `${index}/src-dist/src-dist-1.0.tar.gz.metadata`)).status).toBe(404)
  })

  test('fields may come after the file, and the address may lack its slash', async () => {
    const wheel = makeWheel('reversed', '1.0')
    expect((await send(uploadParts(wheel.filename, wheel.bytes, { name: 'reversed', version: '1.0', metadata_version: '9.9' }).reverse(), index)).status).toBe(200)
    expect((await cloud.call('GET', `${index}/simple/reversed/`)).status).toBe(200)
  })

  test('everything is there after a restart', async () => {
    const wheel = await uploadWheel('restarted', '1.0')
    const etag = (await cloud.call('GET', `${index}/simple/restarted/`)).headers.get('etag')
    await cloud.restart()
    expect((await cloud.call('GET', `${index}/simple/restarted/`)).headers.get('etag')).toBe(etag)
    expect((await cloud.call('GET', `${index}/restarted/${wheel.filename}`)).status).toBe(200)
  })
})
