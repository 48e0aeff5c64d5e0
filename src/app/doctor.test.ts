import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { bakeTools } from '../image/tools.ts'
import { diagnose, installMissing, machineFacts } from './doctor.ts'
import { requirements } from './requirements.ts'

const names = requirements.map((requirement) => requirement.name)

afterEach(() => vi.unstubAllEnvs())

test('the list has what bakes and virtual machines need', () => {
  expect(names).toEqual(expect.arrayContaining([...bakeTools]))
  expect(names).toEqual(expect.arrayContaining(['qemu-system-x86_64', 'qemu-img', 'UEFI firmware', 'socat', 'mmdebstrap']))
  expect(new Set(names).size).toBe(names.length)
})

test('every program that the source runs is in the list', async () => {
  const source = fileURLToPath(new URL('..', import.meta.url))
  const files = (await readdir(source, { recursive: true })).filter(
    (name) => name.endsWith('.ts') && !name.includes('.test.') && !name.includes('testing') && !name.startsWith('cli/'),
  )
  const programs = new Set<string>()
  for (const file of files) {
    const text = await readFile(join(source, file), 'utf8')
    for (const [, program = ''] of text.matchAll(/(?:program: |findProgram\(|missingTool\(|spawn\()'([^']+)'/g)) programs.add(program)
  }
  // `sh` and `rm` are on every Unix; sudo and env only serve the installation; Debian's Packer is too old, and `kiln doctor --target gcp` says so where it is needed.
  const known = [...names, ...requirements.flatMap((requirement) => requirement.files ?? []), 'sh', 'rm', 'chown', 'sudo', 'packer']
  expect(programs.size).toBeGreaterThan(15)
  expect([...programs].filter((program) => !known.includes(program))).toEqual([])
})

test('what is missing comes with the one command that installs it', async () => {
  const missing = { name: 'kiln-no-such-program', package: 'no-such-package', neededBy: 'this test' }
  const diagnosis = await diagnose([
    { name: 'sh', package: 'dash', neededBy: 'this test' },
    missing,
    { ...missing, name: 'kiln-no-other-program' },
    { ...missing, package: 'not-asked-for', optional: true },
  ])
  expect(diagnosis.ok).toBe(false)
  expect(diagnosis.findings[0]?.found).toMatch(/\/sh$/)
  expect(diagnosis.findings[1]).toEqual({ ...missing, found: undefined, optional: false })
  expect(diagnosis.remedy).toBe(`${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y --no-install-recommends no-such-package`)
  expect(await diagnose([{ name: 'sh', package: 'dash', neededBy: 'this test' }])).toMatchObject({ ok: true, remedy: undefined })
})

test('nothing is installed when nothing is missing', async () => {
  vi.stubEnv('PATH', '')
  const notes: string[] = []
  await installMissing(
    { ok: true, findings: [{ name: 'socat', neededBy: 'x', package: 'socat', found: '/usr/bin/socat', optional: false }], remedy: undefined },
    (text) => notes.push(text),
    AbortSignal.abort(),
  )
  expect(notes).toEqual([])
})

test('memory is told in MiB', async () => {
  const facts = await machineFacts()
  expect(facts.memoryMib).toBeGreaterThan(100)
  expect(facts.availableMib).toBeLessThanOrEqual(facts.memoryMib)
})
