/** Facts about the machine that a measurement needs beside it. */
import { readFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { MIB } from '../src/base/units.ts'
import { run } from '../src/host/exec.ts'

export interface MachineFacts {
  readonly system: string
  readonly kernel: string
  readonly processor: string
  readonly cores: number
  readonly memoryMib: number
  readonly node: string
  readonly qemu: string
}

/** What this machine is. @throws KilnError E_TOOL_MISSING without QEMU */
export async function machineFacts(signal: AbortSignal): Promise<MachineFacts> {
  const system = /^PRETTY_NAME="?([^"\n]+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'unknown'
  const qemu = (await run({ program: 'qemu-system-x86_64', args: ['--version'] }, { signal })).stdout.split('\n')[0] ?? ''
  return {
    system,
    kernel: release(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMib: Math.round(totalmem() / MIB),
    node: process.versions.node,
    qemu: qemu.replace(/^QEMU emulator version /, ''),
  }
}

/** The load average of the last minute: how busy the machine was with other work. */
export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100
}
