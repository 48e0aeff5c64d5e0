import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../host/exec.ts'
import { kilnHome } from '../host/home.ts'
import { acceleratorFile, rememberedAccelerator } from './accelerator.ts'
import { probeMarker, probeProgram } from './accelerator-guest.ts'
import { cpioArchive } from './cpio.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-accel-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('before any probe, after a broken result, and with a result of another machine it is emulation', async () => {
  const home = kilnHome({ KILN_HOME: folder })
  expect(await rememberedAccelerator(home)).toBe('tcg')
  await writeFile(acceleratorFile(home), '{')
  expect(await rememberedAccelerator(home)).toBe('tcg')
  await writeFile(acceleratorFile(home), JSON.stringify({ version: 1, machine: { hostKernel: 'other', processor: 'other', qemu: 'other' }, accelerator: 'kvm', attempts: [] }))
  expect(await rememberedAccelerator(home)).toBe('tcg')
})

test.runIf(process.arch === 'x64')('the program of the probe runs on Linux and says its marker', async () => {
  const path = join(folder, 'init')
  await writeFile(path, probeProgram(), { mode: 0o755 })
  // It asks for power-off, which in a pid name space of its own only ends that name space (pid_namespaces(7)); `unshare` runs nothing when it cannot make one.
  const result = await run({ program: 'unshare', args: ['--user', '--map-root-user', '--pid', '--fork', '--kill-child', path] }, { okCodes: [0, 128, 130], timeoutMs: 10_000 })
  expect(result.stdout).toBe(`${probeMarker}\n`)
})

test('an archive in the layout of newc: aligned entries, folders, a trailer, the same bytes each time', () => {
  const files = [
    { path: 'lib', mode: 0o755 },
    { path: 'lib/odd', mode: 0o644, data: Buffer.from('abcde') },
    { path: 'init', mode: 0o755, data: Buffer.from('#!/bin/sh') },
  ]
  const archive = Buffer.from(cpioArchive(files))
  expect(Buffer.from(cpioArchive(files)).equals(archive)).toBe(true)
  expect(readNewc(archive)).toEqual([
    { path: 'lib', mode: 0o040755, text: '' },
    { path: 'lib/odd', mode: 0o100644, text: 'abcde' },
    { path: 'init', mode: 0o100755, text: '#!/bin/sh' },
    { path: 'TRAILER!!!', mode: 0, text: '' },
  ])
})

/** Reads as the kernel does: a header of 110 characters, name and data each padded to four bytes. */
function readNewc(archive: Buffer): { path: string; mode: number; text: string }[] {
  const entries = []
  for (let at = 0; at < archive.length;) {
    const header = archive.subarray(at, at + 110).toString()
    const field = (index: number): number => Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16)
    expect(header.slice(0, 6)).toBe('070701')
    const [mode, dataBytes, nameBytes] = [field(1), field(6), field(11)]
    const path = archive.subarray(at + 110, at + 110 + nameBytes - 1).toString()
    const data = Math.ceil((at + 110 + nameBytes) / 4) * 4
    entries.push({ path, mode, text: archive.subarray(data, data + dataBytes).toString() })
    at = Math.ceil((data + dataBytes) / 4) * 4
  }
  return entries
}
