import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { identityTaken, seedMark, seedReady, warmPartition, warmPort, warmSlot } from '../../vm/warm-protocol.ts'
import { diskLayout } from './disk-layout.ts'
import { baseGuestFiles, baseGuestLinks } from './guest-files.ts'
import { serverUnit } from './server-unit.ts'
import { warmStartFiles, warmStartUnit } from './warm-start.ts'

const execute = promisify(execFile)
const file = (path: string): string => baseGuestFiles('bookworm').find((each) => each.path === path)?.content ?? ''

test('the programs are valid', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-warm-start-'))
  try {
    for (const { path, content, mode } of warmStartFiles) {
      if (mode === undefined) continue
      const copy = join(folder, 'program')
      await writeFile(copy, content)
      if (content.startsWith('#!/bin/bash\n')) await execute('bash', ['-n', copy])
      else await execute('perl', ['-c', copy])
      expect(path).toMatch(/^\/usr\/lib\/kiln\//)
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the guest speaks as the driver does, and the disk says that it does', () => {
  const script = file('/usr/lib/kiln/warm')
  for (const word of [seedMark, `"$text" = ${warmPort}`, `echo '${seedReady}' >&3`, `echo "${identityTaken} as $hostname" >/dev/ttyS0`]) expect(script).toContain(word)
  expect(file(`/etc/systemd/system/${warmStartUnit}`)).toContain(`ConditionPathExists=/sys/bus/pci/devices/0000:00:${warmSlot.slice(2)}.0\n`)
  expect(diskLayout.esp.name).toBe(warmPartition)
})

test('nothing that has an identity begins before it is there, and a plain boot waits for nothing', () => {
  const first = file(`/etc/systemd/system/${warmStartUnit}`)
  const rest = file('/etc/systemd/system/kiln-warm-rest.service')
  const unit = serverUnit({ name: 'srv', user: 'srv', entrypoint: '/opt/srv/run', port: 8080, environment: {} })
  expect(unit).toMatch(new RegExp(`^After=.*\\b${warmStartUnit}$`, 'm'))
  expect(first).toMatch(/^Before=kiln-warm-rest\.service$/m)
  const held = [...rest.matchAll(/^Before=(.*)$/gm)].flatMap((match) => (match[1] ?? '').split(' '))
  for (const name of ['dbus', 'google-guest-agent', 'google-startup-scripts', 'kiln-late', 'kiln-names', 'kiln-ssh-key', 'ssh', 'systemd-logind'])
    expect(held).toContain(`${name}.service`)
  for (const text of [first, rest]) {
    expect(text).toContain('DefaultDependencies=no\n')
    expect(text).toContain('ConditionPathExists=/sys/bus/pci/')
  }
  expect(baseGuestLinks().map((link) => link.path)).toContain(`/etc/systemd/system/multi-user.target.wants/${warmStartUnit}`)
})
