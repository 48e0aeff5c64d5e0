import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blake2b256Hex } from './blake2b.ts'
import { makeWheel, makeZip } from './testing.ts'
import { readWheel } from './wheel.ts'
import { readZipDirectory, readZipMember, ZipError } from './zip.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-wheel-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const distribution = { filetype: 'bdist_wheel', name: 'moshi_server', version: '1.0' } as const

async function read(bytes: Uint8Array): Promise<Awaited<ReturnType<typeof readWheel>>> {
  const path = join(folder, 'wheel')
  await writeFile(path, bytes)
  return readWheel(path, 'moshi_server-1.0-py3-none-any.whl', distribution)
}

describe('wheels', () => {
  test.each([{}, { zip: { zip64: true } }, { zip: { comment: 'PK\u0005\u0006 in a comment' } }])('metadata is found: %j', async (options) => {
    const wheel = makeWheel('moshi_server', '1.0', { ...options, requiresPython: '>=3.9' })
    const found = await read(wheel.bytes)
    expect(found.bytes.toString()).toBe(wheel.metadata)
    expect(found.fields).toMatchObject({ name: 'moshi_server', version: '1.0', requiresPython: '>=3.9' })
  })

  const metadata = { name: 'moshi_server-1.0.dist-info/METADATA', data: 'Name: moshi-server\nVersion: 1.0\n' }
  test.each([
    ['no zip', Buffer.from('hello'), 'no zip file'],
    ['nothing', Buffer.alloc(0), 'no zip file'],
    ['cut off', makeWheel('moshi_server', '1.0').bytes.subarray(0, -30), 'no zip file'],
    ['bytes behind the end', Buffer.concat([makeWheel('moshi_server', '1.0').bytes, Buffer.from('x')]), 'no zip file'],
    ['no metadata', makeZip([{ name: 'a', data: 'b' }]), 'has 0 *.dist-info/METADATA'],
    ['two metadata files', makeZip([metadata, { ...metadata, name: 'other-1.0.dist-info/METADATA' }]), 'has 2 *.dist-info/METADATA'],
    ['the same metadata twice', makeZip([metadata, metadata]), 'has 2 *.dist-info/METADATA'],
    ['another folder', makeZip([{ ...metadata, name: 'other-1.0.dist-info/METADATA' }]), 'disagrees with its file name'],
    ['another version folder', makeZip([{ ...metadata, name: 'moshi_server-2.0.dist-info/METADATA' }]), 'disagrees with its file name'],
    ['another Name', makeZip([{ ...metadata, data: 'Name: other\nVersion: 1.0\n' }]), 'says Name: other'],
    ['another Version', makeZip([{ ...metadata, data: 'Name: moshi-server\nVersion: 1.1\n' }]), 'says Version: 1.1'],
    ['no Version', makeZip([{ ...metadata, data: 'Name: moshi-server\n' }]), 'lacks Version'],
    ['a member that escapes', makeZip([metadata, { name: '../../etc/passwd', data: 'x' }]), 'outside of the target folder'],
    ['an absolute member', makeZip([metadata, { name: '/etc/passwd', data: 'x' }]), 'outside of the target folder'],
    ['two names for one member', makeZip([{ ...metadata, localName: 'moshi_server-1.0.dist-info/metadata' }]), 'another name in its own header'],
    ['a bomb', makeZip([{ ...metadata, data: Buffer.alloc(9 * 1024 * 1024, 65) }]), 'is larger than 8388608 bytes'],
    ['a bomb that lies about its size', makeZip([{ ...metadata, data: Buffer.alloc(9 * 1024 * 1024, 65), claimedBytes: 100 }]), 'cannot be unpacked'],
    ['a size that is not right', makeZip([{ ...metadata, claimedBytes: 1000 }]), 'does not have the size'],
  ])('%s is refused', async (_what, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message)
  })

  test('damage anywhere gives an answer or a ZipError, never another failure', async () => {
    const { bytes } = makeWheel('moshi_server', '1.0', { zip: { zip64: true } })
    const path = join(folder, 'damaged')
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Buffer.from(bytes)
        damaged[at] = (damaged[at] ?? 0) ^ change
        await writeFile(path, damaged)
        const file = await open(path)
        try {
          for (const entry of await readZipDirectory(file, damaged.length)) await readZipMember(file, damaged.length, entry, 1_000_000)
        } catch (error) {
          expect(error).toBeInstanceOf(ZipError)
        } finally {
          await file.close()
        }
      }),
      { numRuns: 200 },
    )
  })
})

/** Values of Python's hashlib.blake2b(data, digest_size=32). */
test.each([
  [0, '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8'],
  [3, '3d8c3d594928271f44aad7a04b177154806867bcf918e1549c0bc16f9da2b09b'],
  [128, 'c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1'],
  [129, 'f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9'],
  [100_000, '916cfaa800ee55811e82095babeb88ea29c9ef8a36e8d7e20c7b772c344c9e1c'],
])('BLAKE2b-256 of %i bytes', async (length, digest) => {
  const data = Buffer.from(Array.from({ length }, (_, index) => index % 251))
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += 1000) yield data.subarray(at, at + 1000)
  }
  expect(await blake2b256Hex(chunks())).toBe(digest)
})
