import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { removeAll } from '../../../host/files.ts'
import { extractDisk } from './service.untar.ts'
import { makeArchives, sha256File } from './testing.ts'
import type { Archives } from './testing.ts'

let archives: Archives
let folder = ''

beforeAll(async () => {
  archives = await makeArchives()
  folder = await mkdtemp(join(tmpdir(), 'kiln-untar-'))
})
afterAll(async () => {
  await archives.remove()
  await removeAll(folder)
})

async function extract(bytes: Buffer | string): Promise<Awaited<ReturnType<typeof extractDisk>>> {
  const source = typeof bytes === 'string' ? createReadStream(bytes) : Readable.from([bytes])
  return extractDisk(source, join(folder, 'out.raw'), new AbortController().signal, () => {})
}

test('the disk and its digest are the same, whichever way tar stored it', async () => {
  for (const archive of [archives.sparse, await archives.plain()]) {
    expect(await extract(archive)).toEqual({ sizeBytes: GIB, sha256: archives.rawSha256 })
    expect(await sha256File(join(folder, 'out.raw'))).toBe(archives.rawSha256)
  }
}, 300_000)

test('what is cut off anywhere, or damaged, is refused with the reason', async () => {
  const whole = await readFile(archives.sparse)
  for (const length of [0, 1, 20, whole.length >> 1, whole.length - 4])
    await expect(extract(whole.subarray(0, length)), String(length)).rejects.toMatchObject({ status: 'INVALID_ARGUMENT' })
  const damaged = Buffer.from(whole)
  damaged.writeUInt32LE(0xdeadbeef, whole.length - 8)
  await expect(extract(damaged)).rejects.toThrow('damaged')
  const tar = gunzipSync(whole)
  await expect(extract(gzipSync(tar.subarray(0, tar.length - 20_480 - 512)))).rejects.toThrow(/too early|middle/)
  await expect(extract(gzipSync(Buffer.concat([tar, Buffer.from('more')])))).rejects.toThrow('something follows')
  const wrongSum = Buffer.from(tar)
  wrongSum[148] = 0x31
  await expect(extract(gzipSync(wrongSum))).rejects.toThrow('not a tar header')
})

test('other members and other formats are refused by name', async () => {
  await writeFile(join(folder, 'readme'), 'x')
  const make = async (args: readonly string[]): Promise<string> => {
    const path = join(folder, 'made.tar.gz')
    await run({ program: 'tar', args: ['-czf', path, ...args] })
    return path
  }
  await expect(extract(await make(['-C', archives.folder, '--format=oldgnu', '--sparse', 'disk.raw', '-C', folder, 'readme']))).rejects.toThrow('something follows')
  await expect(extract(await make(['-C', folder, 'readme']))).rejects.toThrow('"readme"')
  await expect(extract(await make(['-C', archives.folder, '--format=oldgnu', '--sparse', './disk.raw']))).rejects.toThrow('"./disk.raw"')
  await expect(extract(await make(['-C', archives.folder, '--format=posix', '--sparse', 'disk.raw']))).rejects.toThrow('--format=oldgnu')
})

test('a stopped import ends with the reason of the stop', async () => {
  const aborter = new AbortController()
  const endless = new Readable({ read() {} })
  endless.push((await readFile(archives.sparse)).subarray(0, 300))
  const extracting = extractDisk(endless, join(folder, 'out.raw'), aborter.signal, () => aborter.abort(new Error('the daemon ends')))
  await expect(extracting).rejects.toThrow('the daemon ends')
})
