import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { Storage } from '@google-cloud/storage'

const storage = new Storage()
const bucket = storage.bucket(`${process.env.PROJECT}-data`)
await bucket.create({ location: 'us-central1' })

// Broken off after two chunks; the server says how far it came; another process goes on from there.
const bytes = randomBytes(3 * 1024 * 1024 + 5)
const file = bucket.file('resumed.bin')
const [uri] = await file.createResumableUpload()
const put = (range, body) => fetch(uri, { method: 'PUT', headers: { 'content-range': range }, ...(body === undefined ? {} : { body }) })
assert.equal((await put(`bytes 0-1048575/${bytes.length}`, bytes.subarray(0, 1048576))).status, 308)
const torn = new AbortController()
const half = new ReadableStream({
  pull(controller) {
    controller.enqueue(bytes.subarray(1048576, 1048576 + 300_000))
    torn.abort()
  },
})
await assert.rejects(fetch(uri, { method: 'PUT', headers: { 'content-range': `bytes 1048576-2097151/${bytes.length}` }, body: half, duplex: 'half', signal: torn.signal }))
const state = await put(`bytes */${bytes.length}`)
const offset = Number(/bytes=0-(\d+)/.exec(state.headers.get('range'))[1]) + 1
assert.equal(state.status, 308)
assert.ok(offset >= 1048576 && offset < bytes.length, `resumes at ${offset}`)
assert.equal((await file.exists())[0], false, 'half an object is none')
const hole = await put(`bytes ${offset + 262144}-${bytes.length - 1}/${bytes.length}`, bytes.subarray(offset + 262144))
assert.ok(hole.status >= 400 && /offset/.test(await hole.text()), `a hole: ${hole.status}`)
await pipeline(Readable.from([bytes.subarray(offset)]), file.createWriteStream({ uri, offset, resumable: true, validation: false }))
assert.ok((await file.download())[0].equals(bytes), 'the same bytes')

// As it uploads large files by itself: one request, of a size that it does not say.
await bucket.file('whole.bin').save(bytes, { resumable: true })
assert.ok((await bucket.file('whole.bin').download())[0].equals(bytes))

await assert.rejects(bucket.file('wrong').save('hello', { resumable: false, metadata: { crc32c: 'AAAAAA==' } }), { code: 400 })
await assert.rejects(bucket.file('wrong').save('hello', { resumable: true, metadata: { md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' } }), { code: 400 })
assert.equal((await bucket.file('wrong').exists())[0], false)

const names = ['a/1.txt', 'a/2.txt', 'a/b/3.txt', 'z', 'ü/漢字 🎉', '../up', 'a%2Fb', 'n'.repeat(1024)]
for (const name of names) await bucket.file(name).save(name, { resumable: false })
for (const name of names) assert.equal((await bucket.file(name).download())[0].toString(), name)
for (const name of ['..', '.', 'n'.repeat(1025)]) await assert.rejects(bucket.file(name).save('', { resumable: false }), { code: 400 })
const [files, , page] = await bucket.getFiles({ prefix: 'a/', delimiter: '/', autoPaginate: false })
assert.deepEqual([files.map((each) => each.name), page.prefixes], [['a/1.txt', 'a/2.txt'], ['a/b/']])
const all = []
for (let query = { maxResults: 2, autoPaginate: false }; query;) {
  const [some, next] = await bucket.getFiles(query)
  all.push(...some.map((each) => each.name))
  assert.ok(some.length <= 2)
  query = next
}
assert.deepEqual(all.sort(), [...names, 'resumed.bin', 'whole.bin'].sort())

await bucket.combine([bucket.file('a/1.txt'), bucket.file('a/2.txt')], bucket.file('both'))
assert.equal((await bucket.file('both').download())[0].toString(), 'a/1.txta/2.txt')
await bucket.file('both').copy(bucket.file('copy'), { metadata: { kept: 'yes' }, contentType: 'text/x-mine' })
const [copied] = await bucket.file('copy').getMetadata()
assert.deepEqual([copied.metadata, copied.contentType, copied.size], [{ kept: 'yes' }, 'text/x-mine', '14'])
await bucket.file('copy').move('moved')
assert.deepEqual([(await bucket.file('copy').exists())[0], (await bucket.file('moved').exists())[0]], [false, true])

// Two writers who both read the same state: one is told so.
const { metageneration } = (await bucket.file('z').getMetadata())[0]
const writers = await Promise.allSettled(['one', 'two'].map((who) => bucket.file('z').setMetadata({ metadata: { who } }, { ifMetagenerationMatch: metageneration })))
assert.deepEqual(writers.map((each) => each.status).sort(), ['fulfilled', 'rejected'])
assert.equal(writers.find((each) => each.status === 'rejected').reason.code, 412)

await bucket.setMetadata({ versioning: { enabled: true } })
await bucket.file('z').save('new', { resumable: false })
const versions = (await bucket.getFiles({ prefix: 'z', versions: true }))[0]
assert.equal(versions.length, 2)
const old = versions.find((each) => each.metadata.timeDeleted !== undefined)
assert.equal((await bucket.file('z', { generation: old.metadata.generation }).download())[0].toString(), 'z')

await assert.rejects(bucket.delete(), { code: 409 })
await bucket.deleteFiles({ force: true, versions: true })
await bucket.delete()
