/** Starts QEMU machines that outlive this process, and finds them again. Contract: `../driver.ts`. */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, open, rename, stat } from 'node:fs/promises'
import { KilnError, describeError } from '../../base/errors.ts'
import { sleep } from '../../base/wait.ts'
import { missingTool, tailLines } from '../../host/exec.ts'
import { exists, findProgram, readTextIfExists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { endProcess, identifyProcess, isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import { rememberedAccelerator } from '../accelerator.ts'
import type { Accelerator } from '../accelerator.ts'
import type { VmDriver, VmSpec } from '../driver.ts'
import { readSerialFile } from '../serial.ts'
import { qemuArguments } from './arguments.ts'
import { findProcess, prepareRun, qmpSocketPath, readMachine, readProcess, servesSpec, vmFiles, writeMachine, writeProcess } from './folder.ts'
import type { MachineRecord, VmFiles } from './folder.ts'
import { QemuVm, portTaken } from './machine.ts'
import { withQmp } from './qmp.ts'
import { withStartLock } from './start-lock.ts'

export interface QemuDriverOptions {
  readonly home: KilnHome
  /** Which accelerator to use. Default: what the probe found and remembered in this data folder, else TCG. */
  readonly accelerator?: () => Promise<Accelerator>
  /** Milliseconds that QEMU may take from its start to answering QMP. Default 60 s. */
  readonly startTimeoutMs?: number
}

const qemuProgram = 'qemu-system-x86_64'

/** Code and variables must be of one pair; the 4 MiB pair is the one that Debian still ships everywhere. */
const firmwarePairs = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const

/**
 * The driver for real machines.
 * @example const vm = await createQemuDriver({ home: kilnHome() }).start('/data/vms/dev', spec)
 */
export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const startTimeoutMs = options.startTimeoutMs ?? 60_000

  async function openVm(folder: string): Promise<QemuVm | undefined> {
    const files = vmFiles(folder)
    const record = await readMachine(files)
    if (record === undefined) return undefined
    return new QemuVm(files, record, (await findProcess(files)) ?? (await readProcess(files)))
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
    const vm = new QemuVm(files, record, identity)
    await vm.setForwards(spec.forwards)
    return vm
  }

  async function startFresh(folder: string, spec: VmSpec, signal?: AbortSignal): Promise<QemuVm> {
    const tools = await findTools(spec)
    const files = vmFiles(folder)
    const accelerator = await (options.accelerator ?? (() => rememberedAccelerator(options.home)))()
    const record: MachineRecord = { version: 1, spec, qmpSocket: qmpSocketPath(options.home, folder), accelerator }
    const args = qemuArguments(spec, accelerator, {
      firmwareCode: tools.firmwareCode,
      firmwareVars: files.vars,
      serialLog: files.serial,
      pidFile: files.pid,
      qmpSocket: record.qmpSocket,
      events: files.events,
      socat: tools.socat,
    })
    await requireDisks(spec)
    await makePrivateFolder(options.home.sockets)
    await prepareRun(files)
    await makeVars(files, tools.firmwareVars)
    await writeMachine(files, record)
    const launched = spec.tiedToStarter === true ? await launch('setpriv', ['--pdeathsig', 'KILL', '--', tools.qemu, ...args], files) : await launch(tools.qemu, args, files)
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
    return new QemuVm(files, record, launched.identity)
  }

  async function start(folder: string, spec: VmSpec, signal?: AbortSignal): Promise<QemuVm> {
    signal?.throwIfAborted()
    return withStartLock(folder, startTimeoutMs, signal, async () => (await adopt(folder, spec, signal)) ?? (await startFresh(folder, spec, signal)))
  }

  return { id: 'qemu', start, open: openVm }
}

interface Launched {
  readonly identity: ProcessIdentity
  readonly files: VmFiles
  /** How the process ended, once it did. */
  exit(): Promise<string | undefined>
}

/** Starts QEMU in a session of its own, so that no signal for our terminal or process group reaches it. */
async function launch(program: string, args: readonly string[], files: VmFiles): Promise<Launched> {
  const stderr = await open(files.stderr, 'w')
  try {
    // Temporary disks (discarded writes) lie beside the machine's other files instead of in /var/tmp. QEMU gets no other variable: ours may hold secrets.
    const child = spawn(program, args, {
      cwd: files.folder,
      detached: true,
      stdio: ['ignore', stderr.fd, stderr.fd],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TMPDIR: files.folder },
    })
    let ended: string | undefined
    child.on('exit', (code, signal) => (ended = signal === null ? `exit code ${code}` : `signal ${signal}`))
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    const pid = child.pid ?? 0
    // A process that is gone already has no start time; its pid is ours until its exit was collected, which `exit` tells.
    const identity = (await identifyProcess(pid)) ?? { pid, startTime: 'gone' }
    return { identity, files, exit: async () => ended }
  } catch (error) {
    throw new KilnError('E_VM', `QEMU could not be started: ${program}`, { cause: error })
  } finally {
    await stderr.close()
  }
}

/** Waits until QEMU answers on its QMP socket: then disks are open, ports are bound and the guest runs. */
async function untilReady(launched: Launched, record: MachineRecord, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last = 'no socket yet'
  for (;;) {
    signal?.throwIfAborted()
    const exit = await launched.exit()
    if (exit !== undefined) throw await startFailure(launched, record, `QEMU ended with ${exit}`)
    try {
      // Until our QEMU has the pid file, the socket may still be answered by one that a killed starter left.
      if ((await readTextIfExists(launched.files.pid))?.trim() !== String(launched.identity.pid)) throw new Error('QEMU has not written its pid yet')
      const status = (await withQmp(record.qmpSocket, (qmp) => qmp.execute('query-status'), 5000)) as { running?: boolean; status?: string }
      if (status.running === true) return
      last = `status ${status.status}`
      // KVM stops a machine that it cannot go on with; it would never run again.
      if (status.status === 'internal-error') throw await startFailure(launched, record, 'the accelerator stopped with an internal error')
    } catch (error) {
      if (error instanceof KilnError && error.detail !== undefined) throw error
      last = describeError(error)
    }
    if (performance.now() >= deadline) throw await startFailure(launched, record, `QEMU was not ready within ${timeoutMs} ms (${last})`)
    await sleep(20, signal)
  }
}

async function startFailure(launched: Launched, record: MachineRecord, what: string): Promise<KilnError> {
  const words = tailLines((await readTextIfExists(launched.files.stderr)) ?? '', 20)
  const taken = /Could not set up host forwarding rule '?(?:tcp|udp):([\d.]+):(\d+)-/.exec(words)
  if (taken !== null) return portTaken(taken[1] ?? '', Number(taken[2]), words)
  const serial = (await readSerialFile(launched.files.serial, -4096)).text
  return new KilnError('E_VM', `the machine ${record.spec.name} did not start: ${what}`, {
    hint: `look at ${launched.files.stderr} and ${launched.files.serial}`,
    detail: [words, tailLines(serial, 20)].filter((text) => text !== '').join('\n') || 'QEMU said nothing',
  })
}

/** @throws KilnError E_TOOL_MISSING with the Debian package that has it. */
async function findTools(spec: VmSpec): Promise<{ qemu: string; socat: string; firmwareCode: string; firmwareVars: string }> {
  const qemu = await findProgram(qemuProgram)
  if (qemu === undefined) throw missingTool(qemuProgram)
  const socat = await findProgram('socat')
  if (socat === undefined && spec.metadataSocket !== undefined) throw missingTool('socat')
  for (const [firmwareCode, firmwareVars] of firmwarePairs) {
    if ((await exists(firmwareCode)) && (await exists(firmwareVars))) return { qemu, socat: socat ?? 'socat', firmwareCode, firmwareVars }
  }
  throw new KilnError('E_TOOL_MISSING', `the UEFI firmware for virtual machines is not installed (${firmwarePairs[0][0]})`, {
    hint: 'install the Debian package ovmf, or run `kiln doctor --install`',
  })
}

async function requireDisks(spec: VmSpec): Promise<void> {
  for (const disk of spec.disks) {
    if (!(await exists(disk.path))) throw new KilnError('E_VM', `the disk ${disk.deviceName} of ${spec.name} is missing: ${disk.path}`)
  }
}

/** The machine's UEFI variables, copied once; a copy that was cut off by a kill is never seen under the final name. */
async function makeVars(files: VmFiles, template: string): Promise<void> {
  if (await exists(files.vars)) return
  await copyFile(template, `${files.vars}.tmp`)
  await rename(`${files.vars}.tmp`, files.vars)
}

/** QMP sockets give full control over a machine: only this user may enter their folder, also when it lies in /tmp. */
async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const info = await stat(path)
  const uid = process.getuid?.() ?? info.uid
  if (info.uid === uid && (info.mode & 0o077) === 0) return
  throw new KilnError('E_VM', `the folder for sockets ${path} belongs to another user or is open to others`, { hint: `remove it, or run: chmod 700 ${path}` })
}
