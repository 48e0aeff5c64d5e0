/** A QEMU machine in its folder. Holds no connection and no process handle: any number of processes may look at one machine. */
import { sameJson } from '../../base/json.ts'
import { KilnError } from '../../base/errors.ts'
import { sleep, waitFor } from '../../base/wait.ts'
import { tailLines } from '../../host/exec.ts'
import { readTextIfExists, removeAll } from '../../host/files.ts'
import { endProcess, isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import type { PortForward, SerialChunk, Vm, VmSpec, VmState } from '../driver.ts'
import { readSerialFile } from '../serial.ts'
import { readEvents, readMachine, readProcess, writeMachine } from './folder.ts'
import type { MachineRecord, VmFiles } from './folder.ts'
import { forwardRule, parseUsernet, requireLoopback, subnetNetdev } from './network.ts'
import { withQmp } from './qmp.ts'
import type { QmpClient } from './qmp.ts'

type Stopped = VmState & { status: 'stopped' }

/** A young guest does not hear the power button yet, so it is pressed again. */
const powerButtonIntervalMs = 5000

export class QemuVm implements Vm {
  readonly folder: string
  #record: MachineRecord
  readonly #files: VmFiles
  readonly #process: ProcessIdentity | undefined

  /** `identity`: the process that serves the folder or served it last; undefined when it never came up. */
  constructor(files: VmFiles, record: MachineRecord, identity: ProcessIdentity | undefined) {
    this.folder = files.folder
    this.#files = files
    this.#record = record
    this.#process = identity
  }

  get spec(): VmSpec {
    return this.#record.spec
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  async state(): Promise<VmState> {
    if (await this.#isRunning()) return { status: 'running' }
    return this.#howItStopped()
  }

  async waitStopped(signal?: AbortSignal): Promise<Stopped> {
    while (await this.#isRunning()) await sleep(200, signal)
    return this.#howItStopped()
  }

  async stop(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs
    let nextPressMs = performance.now()
    while (await this.#isRunning()) {
      const now = performance.now()
      if (now >= deadline) return this.kill()
      if (now >= nextPressMs) {
        await this.#try('system_powerdown')
        nextPressMs = now + powerButtonIntervalMs
      }
      await sleep(100)
    }
    await this.#forgetSocket()
  }

  async kill(): Promise<void> {
    if (this.#process === undefined || !(await this.#isRunning())) return
    if (!(await this.#quit())) await endProcess(this.#process)
    await this.#forgetSocket()
  }

  async reset(): Promise<void> {
    await this.#requireRunning('reset')
    await withQmp(this.#record.qmpSocket, (qmp) => qmp.execute('system_reset'))
  }

  async setForwards(forwards: readonly PortForward[]): Promise<void> {
    for (const forward of forwards) requireLoopback(forward)
    await this.#requireRunning('change the forwards of')
    // Noted first: if this process dies half way, the next `start` brings the live set to what is noted.
    await this.#noteForwards(forwards)
    await withQmp(this.#record.qmpSocket, async (qmp) => {
      const live = await liveForwards(qmp)
      for (const forward of live) {
        if (forwards.some((wanted) => sameJson(wanted, forward))) continue
        await qmp.humanCommand(`hostfwd_remove ${subnetNetdev} ${forward.protocol}:${forward.hostAddress}:${forward.hostPort}`)
      }
      for (const wanted of forwards) {
        if (live.some((forward) => sameJson(wanted, forward))) continue
        const answer = await qmp.humanCommand(`hostfwd_add ${subnetNetdev} ${forwardRule(wanted, this.spec.internalAddress)}`)
        if (answer.trim() === '') continue
        await this.#noteForwards(await liveForwards(qmp))
        throw portTaken(wanted.hostAddress, wanted.hostPort, answer.trim())
      }
    })
  }

  async readSerial(startOffset: number, maxBytes?: number): Promise<SerialChunk> {
    return readSerialFile(this.#files.serial, startOffset, maxBytes)
  }

  async #noteForwards(forwards: readonly PortForward[]): Promise<void> {
    this.#record = { ...((await readMachine(this.#files)) ?? this.#record), spec: { ...this.spec, forwards } }
    await writeMachine(this.#files, this.#record)
  }

  /** QEMU's own end: it writes cached disk blocks out and notes the reason. False when it does not react. */
  async #quit(): Promise<boolean> {
    if (!(await this.#try('quit'))) return false
    try {
      await waitFor({ what: 'the end of QEMU', timeoutMs: 5000, intervalMs: 25 }, async () =>
        (await this.#isRunning()) ? { done: false, status: 'still running' } : { done: true, value: undefined },
      )
      return true
    } catch {
      return false
    }
  }

  /** A killed QEMU leaves the names of its sockets behind. Only called when this run is known to be over and no other began. */
  async #forgetSocket(): Promise<void> {
    const process = await readProcess(this.#files)
    if (process?.pid !== this.#process?.pid) return
    await removeAll(this.#record.qmpSocket)
    if (this.#record.resume !== undefined) await removeAll(this.#record.resume.port)
  }

  async #isRunning(): Promise<boolean> {
    return this.#process !== undefined && (await isRunning(this.#process))
  }

  async #requireRunning(what: string): Promise<void> {
    if (!(await this.#isRunning())) throw new KilnError('E_VM', `cannot ${what} the machine ${this.spec.name}: it is not running`)
  }

  /** True when QEMU took the command. A machine that ends at this moment does not answer, which is no error for callers of this. */
  async #try(command: string): Promise<boolean> {
    try {
      await withQmp(this.#record.qmpSocket, (qmp) => qmp.execute(command), 5000)
      return true
    } catch {
      return false
    }
  }

  async #howItStopped(): Promise<Stopped> {
    return describeStop(this.#files)
  }
}

async function liveForwards(qmp: QmpClient): Promise<PortForward[]> {
  return parseUsernet(await qmp.humanCommand('info usernet')).map(({ forward }) => forward)
}

const shutdownReasons: Readonly<Record<string, string>> = {
  'guest-shutdown': 'guest power-off',
  'guest-reset': 'guest reset',
  'guest-panic': 'guest panic',
  'host-qmp-quit': 'ended by Kiln',
  'host-signal': 'QEMU was ended by a signal',
  'host-error': 'QEMU met an error',
}

/** How the last run in this folder ended, from QEMU's event file and stderr: they are there also when nobody watched. */
async function describeStop(files: VmFiles): Promise<Stopped> {
  const shutdown = (await readEvents(files)).findLast((event) => event.event === 'SHUTDOWN')
  const words = tailLines((await readTextIfExists(files.stderr)) ?? '', 5).trim()
  if (shutdown !== undefined) {
    const reason = String(shutdown.data['reason'])
    const text = shutdownReasons[reason] ?? reason
    return { status: 'stopped', clean: reason === 'guest-shutdown', reason: reason === 'host-signal' && words !== '' ? `${text}: ${words}` : text }
  }
  return { status: 'stopped', clean: false, reason: words === '' ? 'killed (SIGKILL), or the host went down' : `QEMU ended: ${words}` }
}

/** The error for a forward that QEMU cannot listen on. */
export function portTaken(address: string, port: number, words: string): KilnError {
  return new KilnError('E_PORT_TAKEN', `the port ${address}:${port} cannot be forwarded to the machine`, {
    hint: `find the program that listens there with: ss -ltnup 'sport = :${port}' (ports below net.ipv4.ip_unprivileged_port_start need root)`,
    detail: words,
  })
}
