import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { index, startTestIndex } from './python/test-index.ts'
import type { TestIndex } from './python/test-index.ts'
import { makeForm, makeWheel, uploadParts } from './python/testing.ts'
import type { FormPart } from './python/testing.ts'

let cloud: TestCloud
let send: TestIndex['send']
let uploadWheel: TestIndex['uploadWheel']

beforeAll(async () => {
  const started = await startTestIndex()
  cloud = started.cloud
  send = started.send
  uploadWheel = started.uploadWheel
  await uploadWheel('before', '1.0')
})
afterAll(() => cloud.close())

describe('refused uploads', () => {
  const wheel = makeWheel('bad_one', '1.0')
  const fields = { name: 'bad-one', version: '1.0' }
  const good = uploadParts(wheel.filename, wheel.bytes, fields)
  const content = { name: 'content', value: wheel.bytes, filename: wheel.filename }

  async function blobCount(): Promise<number> {
    const names = await readdir(join(cloud.folder, 'cloud', 'blobs'), { recursive: true })
    return names.filter((name) => /\/[0-9a-f]{24,}$/.test(name)).length
  }

  test.each<[string, FormPart[], number, string]>([
    ['a wrong SHA-256', uploadParts(wheel.filename, wheel.bytes, { ...fields, sha256_digest: 'a'.repeat(64) }), 400, 'SHA-256 digest'],
    ['a wrong MD5', uploadParts(wheel.filename, wheel.bytes, { ...fields, md5_digest: 'a'.repeat(32) }), 400, 'MD5 digest'],
    ['a wrong BLAKE2', uploadParts(wheel.filename, wheel.bytes, { ...fields, blake2_256_digest: 'a'.repeat(64) }), 400, 'BLAKE2b-256 digest'],
    ['another name in the form', uploadParts(wheel.filename, wheel.bytes, { ...fields, name: 'other' }), 400, 'belongs to the project bad-one'],
    ['another version in the form', uploadParts(wheel.filename, wheel.bytes, { ...fields, version: '2.0' }), 400, 'is of version 1.0'],
    ['no name', good.filter((part) => part.name !== 'name'), 400, 'lacks the field name'],
    ['no version', good.filter((part) => part.name !== 'version'), 400, 'lacks the field version'],
    ['a name that is none', uploadParts(wheel.filename, wheel.bytes, { ...fields, name: '-bad' }), 400, 'Invalid project name'],
    ['another action', uploadParts(wheel.filename, wheel.bytes, { ...fields, ':action': 'submit' }), 400, 'only file_upload'],
    ['another protocol', uploadParts(wheel.filename, wheel.bytes, { ...fields, protocol_version: '2' }), 400, 'protocol_version'],
    ['another file type', uploadParts(wheel.filename, wheel.bytes, { ...fields, filetype: 'sdist' }), 400, 'is a bdist_wheel'],
    ['no file', good.slice(0, -1), 400, 'the part "content" is missing'],
    ['two files', [...good, content], 400, 'more than one file'],
    ['a file in another part', [...good.slice(0, -1), { ...content, name: 'gpg_signature' }], 400, 'named "gpg_signature"'],
    ['a path in the file name', [...good.slice(0, -1), { ...content, filename: '../../bad_one-1.0-py3-none-any.whl' }], 400, 'Invalid file name'],
    ['an unknown kind of file', uploadParts('bad_one-1.0.exe', wheel.bytes, fields), 400, 'Invalid file name'],
    ['an sdist that is none', uploadParts('bad_one-1.0.tar.gz', Buffer.from('plain'), fields), 400, 'is no gzip file'],
    ['an empty sdist', uploadParts('bad_one-1.0.zip', Buffer.alloc(0), fields), 400, 'is no zip file'],
    ['a wheel that is none', uploadParts(wheel.filename, Buffer.from('plain'), fields), 400, 'is not a valid wheel'],
    ['a huge field', uploadParts(wheel.filename, wheel.bytes, { ...fields, description: 'x'.repeat(5_000_000) }), 400, 'too large'],
    ['a file over the limit', uploadParts(wheel.filename, Buffer.alloc(3_000_001), fields), 413, 'larger than the limit'],
  ])('%s', async (_what, parts, status, message) => {
    const before = await blobCount()
    const answer = await send(parts)
    expect(answer.json.error?.message).toContain(message)
    expect(answer.status).toBe(status)
    expect(await blobCount()).toBe(before)
    expect((await cloud.call('GET', `${index}/simple/bad-one/`)).status).toBe(404)
  })

  test('no form at all, and one without boundary', async () => {
    for (const type of ['application/json', 'multipart/form-data'])
      expect((await cloud.call('POST', `${index}/`, { body: 'x', headers: { 'content-type': type } })).status).toBe(400)
  })

  test('a body that ends early, and one whose connection breaks, leave nothing', async () => {
    const before = await blobCount()
    const form = makeForm(uploadParts(wheel.filename, Buffer.concat([wheel.bytes, Buffer.alloc(1_000_000)]), fields))
    for (const end of [100, 2000, form.body.length - 500_000, form.body.length - 4]) {
      const answer = await cloud.call('POST', `${index}/`, { body: form.body.subarray(0, end), headers: form.headers })
      expect([answer.status, answer.json.error.message]).toEqual([400, expect.stringContaining('cut off')])
    }
    const url = new URL(`${cloud.url()}/${index}/`)
    await new Promise<void>((resolve) => {
      const call = request(url, { method: 'POST', headers: { ...form.headers, 'content-length': form.body.length, authorization: `Bearer ${cloud.ownerToken()}` } })
      call.on('error', () => resolve())
      call.write(form.body.subarray(0, 600_000), () => call.destroy())
      call.on('close', resolve)
    })
    await waitFor({ what: 'the broken upload to be forgotten', timeoutMs: 10_000, intervalMs: 10 }, async () => {
      const count = await blobCount()
      return count === before ? { done: true, value: undefined } : { done: false, status: `${count} blobs, before ${before}` }
    })
    expect((await cloud.call('GET', `${index}/simple/bad-one/`)).status).toBe(404)
  })

  test('the same bytes again are fine, other bytes under the same name are refused and nothing is lost', async () => {
    const first = await uploadWheel('twice', '1.0')
    await uploadWheel('twice', '1.0')
    const other = makeWheel('twice', '1.0', { requiresPython: '>=3' })
    const answer = await send(uploadParts(other.filename, other.bytes, { name: 'twice', version: '1.0' }))
    expect([answer.status, answer.json.error.status]).toEqual([409, 'ALREADY_EXISTS'])
    expect(answer.json.error.message).toContain('File already exists: twice-1.0-py3-none-any.whl was uploaded before with other bytes')
    expect((await cloud.call('GET', `${index}/twice/${first.filename}.metadata`)).text).toBe(first.metadata)
    expect((await cloud.call('GET', `${index}/twice/${first.filename}`)).status).toBe(200)
  })

  test('of many uploads of one name at once exactly one wins', async () => {
    const wheels = Array.from({ length: 8 }, (_, number) => makeWheel('raced', '1.0', { requiresPython: `>=3.${number}` }))
    const answers = await Promise.all(wheels.map((each) => send(uploadParts(each.filename, each.bytes, { name: 'raced', version: '1.0' }))))
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 7 }, () => 409)])
    const winner = wheels[answers.findIndex((answer) => answer.status === 200)]
    expect((await cloud.call('GET', `${index}/raced/raced-1.0-py3-none-any.whl.metadata`)).text).toBe(winner?.metadata)
  })
})
