import { mkdtemp, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256Hex } from '../base/ids.ts'
import { removeAll } from '../host/files.ts'
import { fileSha256 } from './file-hash.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-hash-'))
})
afterAll(() => removeAll(folder))

test.each([0, 1, 256 * 1024 - 1, 256 * 1024, 512 * 1024, 700_001])('a file of %d bytes', async (size) => {
  const bytes = Buffer.from(Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 0xff))
  await writeFile(join(folder, `${size}`), bytes)
  expect(await fileSha256(join(folder, `${size}`))).toBe(sha256Hex(bytes))
})

test('a hole counts as zeros', async () => {
  const path = join(folder, 'sparse')
  await writeFile(path, 'kiln')
  await truncate(path, 3_000_000)
  expect(await fileSha256(path)).toBe(sha256Hex(Buffer.concat([Buffer.from('kiln'), Buffer.alloc(3_000_000 - 4)])))
})

test('a file that is not there is an error', async () => {
  await expect(fileSha256(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
})
