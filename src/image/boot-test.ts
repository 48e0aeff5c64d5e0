/** Boots exactly the bytes of a disk, drops what the guest writes, and looks whether the machine becomes healthy before a deadline. */
import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { formatDuration } from '../base/units.ts'
import { sleep } from '../base/wait.ts'
import { tailLines } from '../host/exec.ts'
import { removeAll } from '../host/files.ts'
import { freePort } from '../host/ports.ts'
import type { Vm, VmDriver, VmSpec } from '../vm/driver.ts'
import type { BootTestReport } from './types.ts'

export interface BootTestOptions {
  readonly driver: VmDriver
  /** The raw disk. It is not changed. */
  readonly disk: string
  /** What to ask: a health path on a port of the guest. Undefined: healthy when SSH greets on port 22. */
  readonly health?: { readonly port: number; readonly path: string }
  /** From start to healthy. */
  readonly timeoutMs: number
  /** Folder for the machine's files; undefined: a temporary one, removed afterwards. */
  readonly folder?: string
  /** Unix socket of a metadata server for the guest. */
  readonly metadataSocket?: string
  readonly memoryMib?: number
  readonly cpus?: number
  readonly signal?: AbortSignal
}

const INTERVAL_MS = 250
const MAX_PENDING = 8
const SERIAL_TAIL_BYTES = 64 * 1024

/**
 * Boots the disk and reports. Not being healthy is a report, not an error.
 * @throws KilnError E_VM, E_ACCELERATOR, E_TOOL_MISSING when no machine could be started; the abort reason when aborted.
 */
export async function bootTest(options: BootTestOptions): Promise<BootTestReport> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'kiln-boot-test-')))
  const port = await freePort()
  const start = performance.now()
  let vm: Vm | undefined
  try {
    vm = await options.driver.start(folder, vmSpec(options, port), options.signal)
    const answers: string[] = []
    const probe = options.health === undefined ? () => greeting(port) : healthProbe(`http://127.0.0.1:${port}${options.health.path}`)
    const healthy = await poll(vm, probe, answers, start + options.timeoutMs, options.signal)
    const bootMs = Math.round(performance.now() - start)
    const url = options.health === undefined ? `tcp://127.0.0.1:${port}` : `http://127.0.0.1:${port}${options.health.path}`
    return { healthy, bootMs, url, answers, serialTail: await serialTail(vm) }
  } finally {
    await vm?.kill()
    if (options.folder === undefined) await removeAll(folder)
  }
}

/**
 * As `bootTest`, for those who go on only with a healthy image.
 * @throws KilnError E_BOOT_TEST with the last answers and the end of the serial log.
 */
export async function requireHealthy(name: string, options: BootTestOptions): Promise<BootTestReport> {
  const report = await bootTest(options)
  if (report.healthy) return report
  throw new KilnError('E_BOOT_TEST', `image ${name} did not become healthy within ${formatDuration(options.timeoutMs)}; last answer: ${report.answers.at(-1) ?? 'none'}`, {
    hint: 'the family was left as it was; correct what the log shows and bake again',
    detail: `Answers${options.health === undefined ? ' of SSH' : ` of ${options.health.path}`}:\n${report.answers.join('\n')}\n\nSerial port:\n${tailLines(report.serialTail, 60)}`,
  })
}

function vmSpec(options: BootTestOptions, port: number): VmSpec {
  return {
    name: `boot-test-${port}`,
    cpus: options.cpus ?? 2,
    memoryMib: options.memoryMib ?? 512,
    disks: [{ path: options.disk, format: 'raw', deviceName: 'boot-test', boot: true, discardWrites: true }],
    internalAddress: '10.255.0.2',
    subnetCidr: '10.255.0.0/24',
    macAddress: '42:01:0a:ff:00:02',
    forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: port, guestPort: options.health?.port ?? 22 }],
    ...(options.metadataSocket === undefined ? {} : { metadataSocket: options.metadataSocket }),
    tiedToStarter: true,
    outbound: false,
  }
}

interface Answer {
  readonly healthy: boolean
  readonly text: string
}

/**
 * Asks until healthy, until the machine ends, or until the deadline. Answers that repeat are noted once. A question that hangs does not
 * hold up the next: QEMU's user network takes a connection before the guest has an address, and then tries the guest ever more rarely.
 */
async function poll(vm: Vm, probe: () => Promise<Answer>, answers: string[], deadline: number, signal?: AbortSignal): Promise<boolean> {
  let healthy = false
  let pending = 0
  const ask = async (): Promise<void> => {
    pending += 1
    const answer = await probe()
    pending -= 1
    if (healthy) return
    if (answers.at(-1) !== answer.text) answers.push(answer.text)
    if (answers.length > 50) answers.shift()
    healthy = answer.healthy
  }
  for (;;) {
    signal?.throwIfAborted()
    if (pending < MAX_PENDING) void ask()
    await sleep(INTERVAL_MS, signal)
    if (healthy) return true
    const state = await vm.state()
    if (state.status === 'stopped') {
      answers.push(`the machine stopped: ${state.reason}`)
      return false
    }
    if (performance.now() >= deadline) return false
  }
}

function healthProbe(url: string): () => Promise<Answer> {
  return async () => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: 'manual' })
      const body = (await response.text()).trim().slice(0, 200)
      return { healthy: response.status === 200, text: `${response.status} ${body}`.trim() }
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      return { healthy: false, text: `no answer (${cause || 'connection closed'})` }
    }
  }
}

/** The forwarded port accepts before the guest listens; only the guest's own greeting counts (RFC 4253, section 4.2). */
async function greeting(port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (healthy: boolean, text: string): void => {
      socket.destroy()
      resolve({ healthy, text })
    }
    socket.setTimeout(5000, () => end(false, 'no greeting in 5 s'))
    socket.once('error', (error) => end(false, `no answer (${error.message})`))
    socket.once('close', () => end(false, 'connection closed'))
    socket.once('data', (data: Buffer) => {
      const text = data.toString('latin1').trim()
      end(text.startsWith('SSH-2.0'), text.slice(0, 80))
    })
  })
}

async function serialTail(vm: Vm): Promise<string> {
  let offset = 0
  let tail = ''
  for (;;) {
    const chunk = await vm.readSerial(offset)
    tail = (tail + chunk.text).slice(-SERIAL_TAIL_BYTES)
    if (chunk.nextOffset <= offset) return tail
    offset = chunk.nextOffset
  }
}
