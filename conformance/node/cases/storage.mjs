import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Storage } from '@google-cloud/storage'

const storage = new Storage()
const name = `${process.env.PROJECT}-data`
// Two at once: one makes it, the other is told so.
const made = await Promise.allSettled([storage.createBucket(name), storage.createBucket(name)])
assert.deepEqual(made.map((each) => each.status).sort(), ['fulfilled', 'rejected'])
assert.equal(made.find((each) => each.status === 'rejected').reason.code, 409)

const bucket = storage.bucket(name)
const small = bucket.file('folder/ü small.txt')
await small.save('hello', { resumable: false, validation: 'crc32c' })
assert.equal((await small.download())[0].toString(), 'hello')
assert.equal((await small.download({ start: 1, end: 3 }))[0].toString(), 'ell')

const bytes = randomBytes(9 * 1024 * 1024 + 7)
const large = bucket.file('large.bin')
await large.save(bytes, { resumable: true, chunkSize: 1024 * 1024, validation: 'md5' })
assert.ok((await large.download())[0].equals(bytes))

await assert.rejects(bucket.file('wrong.txt').save('hello', { resumable: false, metadata: { md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' } }), { code: 400 })
assert.equal((await bucket.file('wrong.txt').exists())[0], false)

const generation = Number((await small.getMetadata())[0].generation)
await bucket
  .file('folder/ü small.txt', { preconditionOpts: { ifGenerationMatch: generation } })
  .save('again', { resumable: false, preconditionOpts: { ifGenerationMatch: generation } })
await assert.rejects(small.save('late', { resumable: false, preconditionOpts: { ifGenerationMatch: generation } }), { code: 412 })

assert.deepEqual(
  (await bucket.getFiles({ prefix: 'folder/' }))[0].map((file) => file.name),
  ['folder/ü small.txt'],
)
await bucket.deleteFiles({ force: true })
await bucket.delete()
await assert.rejects(bucket.getMetadata(), { code: 404 })
