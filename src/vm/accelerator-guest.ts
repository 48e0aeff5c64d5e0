/** The machine of the accelerator probe: a kernel and an initrd with one program of a few dozen instructions. */
import { spawn } from 'node:child_process'
import type { Accelerator } from './accelerator.ts'
import { cpioArchive } from './cpio.ts'
import { acceleratorArguments } from './qemu/arguments.ts'

/** Written by the program in user mode. The kernel itself never says it. */
export const probeMarker = 'kiln: user mode reached'

/** QEMU's arguments for the probe. Two processors, since starting the second one is where a bad KVM often fails. */
export function probeArguments(accelerator: Accelerator, kernel: string, initrd: string, serialLog: string): string[] {
  return [
    '-no-user-config',
    '-nodefaults',
    '-machine',
    'q35',
    ...acceleratorArguments(accelerator),
    '-smp',
    '2',
    '-m',
    '256',
    '-display',
    'none',
    '-no-reboot',
    '-kernel',
    kernel,
    '-initrd',
    initrd,
    '-append',
    'console=ttyS0 panic=-1',
    '-chardev',
    `file,id=serial0,path=${serialLog.replaceAll(',', ',,')}`,
    '-serial',
    'chardev:serial0',
  ]
}

/** An initrd whose /init writes the marker and powers the machine off. */
export function probeInitrd(): Uint8Array {
  return cpioArchive([{ path: 'init', mode: 0o755, data: probeProgram() }])
}

/**
 * A static x86-64 ELF file made by hand, so that the probe needs no program from elsewhere: write(1, marker), then
 * reboot(LINUX_REBOOT_CMD_POWER_OFF), then a loop. Layout: elf(5); system call numbers: syscall(2) table of x86-64.
 */
export function probeProgram(): Uint8Array {
  const headerBytes = 64 + 56
  const base = 0x400000
  const message = Buffer.from(`${probeMarker}\n`)
  const code = (messageAddress: number): Buffer =>
    Buffer.concat([
      Buffer.from([0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe]), // mov eax, 1 (write); mov edi, 1; mov esi, message
      u32(messageAddress),
      Buffer.from([0xba]), // mov edx, length
      u32(message.length),
      Buffer.from([0x0f, 0x05, 0xb8]), // syscall; mov eax, 169 (reboot)
      u32(169),
      Buffer.from([0xbf]), // mov edi, LINUX_REBOOT_MAGIC1
      u32(0xfee1dead),
      Buffer.from([0xbe]), // mov esi, LINUX_REBOOT_MAGIC2
      u32(0x28121969),
      Buffer.from([0xba]), // mov edx, LINUX_REBOOT_CMD_POWER_OFF
      u32(0x4321fedc),
      Buffer.from([0x0f, 0x05, 0xeb, 0xfe]), // syscall; jump to itself
    ])
  const program = code(base + headerBytes + code(0).length)
  const sizeBytes = headerBytes + program.length + message.length
  const header = Buffer.alloc(headerBytes)
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  header.writeUInt16LE(2, 16) // executable
  header.writeUInt16LE(62, 18) // x86-64
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(base + headerBytes), 24) // entry
  header.writeBigUInt64LE(64n, 32) // program headers follow at once
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64) // PT_LOAD
  header.writeUInt32LE(5, 68) // readable, executable
  header.writeBigUInt64LE(0n, 72)
  header.writeBigUInt64LE(BigInt(base), 80)
  header.writeBigUInt64LE(BigInt(base), 88)
  header.writeBigUInt64LE(BigInt(sizeBytes), 96)
  header.writeBigUInt64LE(BigInt(sizeBytes), 104)
  header.writeBigUInt64LE(0x1000n, 112)
  return Buffer.concat([header, program, message])
}

export interface ProbeGuest extends AsyncDisposable {
  /** stdout and stderr of QEMU so far. */
  output(): string
  hasEnded(): boolean
}

/** Starts the probe's QEMU under timeout(1), so that it ends also when this process is killed. */
export async function launchProbe(qemu: string, args: readonly string[], timeoutMs: number): Promise<ProbeGuest> {
  const seconds = String(Math.ceil(timeoutMs / 1000) + 5)
  const child = spawn('timeout', ['--signal=KILL', seconds, qemu, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let ended = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void closed.then(() => (ended = true))
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  return {
    output: () => output,
    hasEnded: () => ended,
    [Symbol.asyncDispose]: async () => {
      // timeout(1) hands SIGTERM on to QEMU, which ends at once.
      child.kill('SIGTERM')
      await closed
    },
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
