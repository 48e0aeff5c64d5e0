/**
 * Which QEMU accelerator to use on this machine. That /dev/kvm exists and opens says nothing: on some hosts a kernel hangs in it
 * or stops with an internal error. So a real Linux kernel is booted once, up to a program in user mode, and the result is remembered.
 */
import { constants } from 'node:fs'
import { mkdtemp, open, stat, writeFile } from 'node:fs/promises'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { KilnError, describeError } from '../base/errors.ts'
import { sameJson } from '../base/json.ts'
import { formatDuration } from '../base/units.ts'
import { sleep } from '../base/wait.ts'
import { missingTool, tailLines } from '../host/exec.ts'
import { exists, findProgram, readTextIfExists, removeAll, writeFileDurable } from '../host/files.ts'
import type { KilnHome } from '../host/home.ts'
import { launchProbe, probeArguments, probeInitrd, probeMarker } from './accelerator-guest.ts'

export type Accelerator = 'kvm' | 'tcg'

interface ProbeAttempt {
  readonly accelerator: Accelerator
  readonly booted: boolean
  /** What was seen: "reached user mode", "no sign of user mode within 20.0 s; last line: …". */
  readonly seen: string
  readonly durationMs: number
}

/** The content of the result file. */
export interface AcceleratorResult {
  readonly version: 1
  /** The machine that this was found on; another one means: probe again. */
  readonly machine: MachineKey
  readonly accelerator: Accelerator
  readonly attempts: readonly ProbeAttempt[]
}

interface MachineKey {
  readonly hostKernel: string
  readonly processor: string
  /** Path, size and time of the QEMU binary: changes with every update. */
  readonly qemu: string
}

export interface ProbeOptions {
  readonly home: KilnHome
  /** A Linux kernel (bzImage) with a serial console, such as Debian's cloud kernel. */
  readonly kernel: string
  readonly signal?: AbortSignal
  /** Probe even when a result for this machine is remembered. */
  readonly force?: boolean
  /** Limit for KVM, where a working one needs about a second. Default 20 s. */
  readonly kvmTimeoutMs?: number
  /** Limit for emulation, which may share a busy machine. Default 180 s. */
  readonly tcgTimeoutMs?: number
}

const kvmDevice = '/dev/kvm'

/** Where the probe's result is kept. */
export function acceleratorFile(home: KilnHome): string {
  return join(home.root, 'accelerator.json')
}

/** What the last probe on this very machine found; TCG, which works everywhere, when there was none. Boots nothing. */
export async function rememberedAccelerator(home: KilnHome): Promise<Accelerator> {
  const qemu = await findProgram('qemu-system-x86_64')
  if (qemu === undefined) return 'tcg'
  return (await remembered(home, await machineKey(qemu)))?.accelerator ?? 'tcg'
}

/**
 * Finds out which accelerator boots `kernel`, once per machine, and remembers it for `rememberedAccelerator`. KVM is tried when its device
 * can be opened; emulation only when KVM failed. Without a usable device nothing is booted.
 * @throws KilnError E_ACCELERATOR when neither boots, E_TOOL_MISSING without QEMU, E_NOT_FOUND without the kernel.
 */
export async function probeAccelerator(options: ProbeOptions): Promise<AcceleratorResult> {
  const qemu = await findProgram('qemu-system-x86_64')
  if (qemu === undefined) throw missingTool('qemu-system-x86_64')
  const machine = await machineKey(qemu)
  const known = options.force === true ? undefined : await remembered(options.home, machine)
  if (known !== undefined) return known
  const attempts: ProbeAttempt[] = []
  const unusable = await whyNoKvm()
  if (unusable !== undefined) {
    attempts.push({ accelerator: 'kvm', booted: false, seen: unusable, durationMs: 0 })
    return remember(options.home, { version: 1, machine, accelerator: 'tcg', attempts })
  }
  if (!(await exists(options.kernel))) throw new KilnError('E_NOT_FOUND', `the kernel for the accelerator probe is missing: ${options.kernel}`)
  for (const accelerator of ['kvm', 'tcg'] as const) {
    const timeoutMs = accelerator === 'kvm' ? (options.kvmTimeoutMs ?? 20_000) : (options.tcgTimeoutMs ?? 180_000)
    const attempt = await tryToBoot(qemu, accelerator, options.kernel, timeoutMs, options.signal)
    attempts.push(attempt)
    if (attempt.booted) return remember(options.home, { version: 1, machine, accelerator, attempts })
  }
  throw new KilnError('E_ACCELERATOR', 'no QEMU accelerator boots a kernel on this machine', {
    hint: `try it by hand: qemu-system-x86_64 ${probeArguments('tcg', options.kernel, 'INITRD', '/dev/stdout').join(' ')}`,
    detail: attempts.map((attempt) => `${attempt.accelerator}: ${attempt.seen}`).join('\n'),
  })
}

async function tryToBoot(qemu: string, accelerator: Accelerator, kernel: string, timeoutMs: number, signal?: AbortSignal): Promise<ProbeAttempt> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-probe-'))
  const started = performance.now()
  const ended = (booted: boolean, seen: string): ProbeAttempt => ({ accelerator, booted, seen, durationMs: Math.round(performance.now() - started) })
  try {
    const initrd = join(folder, 'initrd')
    const serial = join(folder, 'serial.log')
    await writeFile(initrd, probeInitrd())
    await using guest = await launchProbe(qemu, probeArguments(accelerator, kernel, initrd, serial), timeoutMs)
    for (;;) {
      const text = (await readTextIfExists(serial)) ?? ''
      if (text.includes(probeMarker)) return ended(true, 'reached user mode')
      const last = tailLines(text.replaceAll('\r', ''), 1) || 'nothing on the serial port'
      if (guest.output().includes('KVM internal error')) return ended(false, `KVM stopped with an internal error; last line: ${last}`)
      if (guest.hasEnded()) return ended(false, `QEMU ended: ${tailLines(guest.output(), 2) || 'without a word'}; last line: ${last}`)
      if (performance.now() - started >= timeoutMs) return ended(false, `no sign of user mode within ${formatDuration(timeoutMs)}; last line: ${last}`)
      await sleep(50, signal)
    }
  } finally {
    await removeAll(folder)
  }
}

/** Undefined when the device can be opened for reading and writing. */
async function whyNoKvm(): Promise<string | undefined> {
  if (process.arch !== 'x64') return `this machine is ${process.arch}; KVM runs only guests of the host's own architecture`
  try {
    const device = await open(kvmDevice, constants.O_RDWR)
    await device.close()
    return undefined
  } catch (error) {
    return `${kvmDevice} cannot be opened: ${describeError(error)}`
  }
}

async function machineKey(qemu: string): Promise<MachineKey> {
  const info = await stat(qemu)
  return { hostKernel: release(), processor: cpus()[0]?.model ?? process.arch, qemu: `${qemu} ${info.size} ${info.mtime.toISOString()}` }
}

async function remembered(home: KilnHome, machine: MachineKey): Promise<AcceleratorResult | undefined> {
  const text = await readTextIfExists(acceleratorFile(home))
  if (text === undefined) return undefined
  try {
    const result = JSON.parse(text) as AcceleratorResult
    return result.version === 1 && sameJson(result.machine, machine) ? result : undefined
  } catch {
    return undefined
  }
}

async function remember(home: KilnHome, result: AcceleratorResult): Promise<AcceleratorResult> {
  await writeFileDurable(acceleratorFile(home), `${JSON.stringify(result, undefined, 2)}\n`)
  return result
}
