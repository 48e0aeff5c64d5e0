import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect, test } from 'vitest'
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
  // It asks for power-off, which only a machine's root may do, so it runs in a user and pid name space: there the call ends its init.
  const result = spawnSync('unshare', ['--user', '--pid', '--fork', '--kill-child', path], { timeout: 2000, killSignal: 'SIGKILL' })
  expect(result.stdout.toString()).toBe(`${probeMarker}\n`)
})

test('an archive that cpio reads, the same bytes each time', async () => {
  const files = [
    { path: 'lib', mode: 0o755 },
    { path: 'lib/odd', mode: 0o644, data: Buffer.from('abcde') },
    { path: 'init', mode: 0o755, data: Buffer.from('#!/bin/sh\n') },
  ]
  const archive = cpioArchive(files)
  expect(Buffer.from(cpioArchive(files)).equals(archive)).toBe(true)
  const listed = spawnSync('cpio', ['-itv', '--quiet'], { input: archive })
  if (listed.error === undefined) {
    expect(listed.stdout.toString()).toMatch(/^drwxr-xr-x .* lib\n-rw-r--r-- .* 5 .* lib\/odd\n-rwxr-xr-x .* 10 .* init\n$/)
  } else {
    expect(Buffer.from(archive).subarray(0, 6).toString()).toBe('070701')
  }
})
