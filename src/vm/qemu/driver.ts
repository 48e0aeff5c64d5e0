/** Starts QEMU machines that outlive this process, and finds them again. Contract: `../driver.ts`. */
import { appendFile, stat } from 'node:fs/promises'
import { KilnError } from '../../base/errors.ts'
import { formatDuration } from '../../base/units.ts'
import { removeAll } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { endProcess, isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import { rememberedAccelerator } from '../accelerator.ts'
import type { Accelerator } from '../accelerator.ts'
import type { StartOptions, VmDriver, VmSpec } from '../driver.ts'
import { readSerialFile } from '../serial.ts'
import { identityTaken } from '../warm-protocol.ts'
import { productSerial } from './arguments.ts'
import type { WarmArguments } from './arguments.ts'
import { findProcess, qmpSocketPath, readMachine, readProcess, servesSpec, vmFiles, warmSocketPath, writeMachine, writeProcess } from './folder.ts'
import type { MachineRecord, VmFiles } from './folder.ts'
import { tellIdentity } from './identity.ts'
import { launchMachine, untilReady } from './launch.ts'
import { QemuVm } from './machine.ts'
import { withQmp } from './qmp.ts'
import { createSnapshots } from './seed.ts'
import { loadState } from './snapshot.ts'
import { withStartLock } from './start-lock.ts'

export interface QemuDriverOptions {
  readonly home: KilnHome
  /** Which accelerator to use. Default: what the probe found and remembered in this data folder, else TCG. */
  readonly accelerator?: () => Promise<Accelerator>
  /** Milliseconds that QEMU may take from its start to answering QMP. Default 60 s. */
  readonly startTimeoutMs?: number
  /** Milliseconds that a guest may take from its snapshot's state being loaded to having its identity. Default 60 s. */
  readonly resumeTimeoutMs?: number
}

/**
 * The driver for real machines.
 * @example const vm = await createQemuDriver({ home: kilnHome() }).start('/data/vms/dev', spec)
 */
export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const startTimeoutMs = options.startTimeoutMs ?? 60_000
  const resumeTimeoutMs = options.resumeTimeoutMs ?? 60_000
  const accelerator = options.accelerator ?? (() => rememberedAccelerator(options.home))

  async function openVm(folder: string): Promise<QemuVm | undefined> {
    const files = vmFiles(folder)
    const record = await readMachine(files)
    if (record === undefined) return undefined
    return new QemuVm(files, record, (await findProcess(files)) ?? (await readProcess(files)))
  }

  /** Until here a machine that goes on from a snapshot is nobody's. Repeatable. */
  async function finishResume(files: VmFiles, record: MachineRecord, identity: ProcessIdentity, signal?: AbortSignal): Promise<MachineRecord> {
    const { resume, spec } = record
    if (resume === undefined || resume.done) return record
    const start = performance.now()
    try {
      await withQmp(record.qmpSocket, (qmp) => loadState(qmp, resume.snapshot, signal))
      const isTaken = async (): Promise<boolean> => {
        if (!(await isRunning(identity))) throw new KilnError('E_VM', `the machine ${spec.name} ended while it went on from a snapshot`)
        return (await readSerialFile(files.serial, resume.serialOffset)).text.includes(identityTaken)
      }
      await tellIdentity(resume.port, spec, productSerial(spec), isTaken, { timeoutMs: resumeTimeoutMs, signal })
    } catch (error) {
      await endProcess(identity)
      await removeAll(resume.port)
      await removeAll(record.qmpSocket)
      throw error
    }
    const done: MachineRecord = { ...record, resume: { ...resume, done: true } }
    await writeMachine(files, done)
    await appendFile(files.serial, `kiln: it took ${formatDuration(performance.now() - start)} from the snapshot to here\n`)
    return done
  }

  async function adopt(folder: string, spec: VmSpec, signal?: AbortSignal): Promise<QemuVm | undefined> {
    const files = vmFiles(folder)
    const record = await readMachine(files)
    const identity = record === undefined ? undefined : await findProcess(files)
    if (record === undefined || identity === undefined) return undefined
    if (!(await servesSpec(identity, spec))) {
      throw new KilnError('E_VM', `the machine ${record.spec.name} already runs in ${files.folder} with other settings`, { hint: 'stop it first' })
    }
    // Its starter may have been killed a moment ago, so it may still be opening its disks and sockets.
    const exit = async (): Promise<string | undefined> => ((await isRunning(identity)) ? undefined : 'an unknown exit code')
    await untilReady({ identity, files, exit }, record, startTimeoutMs, signal)
    const vm = new QemuVm(files, await finishResume(files, record, identity, signal), identity)
    await vm.setForwards(spec.forwards)
    return vm
  }

  async function startFresh(folder: string, spec: VmSpec, signal: AbortSignal | undefined, how: StartOptions): Promise<QemuVm> {
    const files = vmFiles(folder)
    const port = warmSocketPath(options.home, folder)
    const { snapshot } = how
    const warm: WarmArguments | undefined = snapshot === undefined ? undefined : { role: 'resumed', memory: snapshot.memory, port }
    const record: MachineRecord = {
      version: 1,
      spec,
      qmpSocket: qmpSocketPath(options.home, folder),
      accelerator: await accelerator(),
      ...(snapshot === undefined ? {} : { resume: { snapshot, port, serialOffset: await sizeOf(files.serial), done: false } }),
    }
    const launched = await launchMachine(options.home, files, record, warm, how.note)
    try {
      await untilReady(launched, record, startTimeoutMs, signal)
      await writeProcess(files, launched.identity)
    } catch (error) {
      await endProcess(launched.identity)
      // A QEMU that a killed starter left, too young to be seen before, has the pid file and keeps ours from starting.
      const other = await adopt(folder, spec, signal)
      if (other !== undefined) return other
      throw error
    }
    return new QemuVm(files, await finishResume(files, record, launched.identity, signal), launched.identity)
  }

  async function start(folder: string, spec: VmSpec, signal?: AbortSignal, how: StartOptions = {}): Promise<QemuVm> {
    signal?.throwIfAborted()
    return withStartLock(folder, startTimeoutMs + resumeTimeoutMs, signal, async () => (await adopt(folder, spec, signal)) ?? (await startFresh(folder, spec, signal, how)))
  }

  return { id: 'qemu', start, open: openVm, snapshots: createSnapshots({ home: options.home, accelerator, startTimeoutMs }) }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
