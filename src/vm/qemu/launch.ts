/** From a machine on paper to a QEMU that answers, or an error in its words. */
import { spawn } from 'node:child_process'
import { appendFile, copyFile, mkdir, open, rename, stat } from 'node:fs/promises'
import { KilnError, describeError } from '../../base/errors.ts'
import { sleep } from '../../base/wait.ts'
import { missingTool, tailLines } from '../../host/exec.ts'
import { exists, findProgram, readTextIfExists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { identifyProcess } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import type { VmSpec } from '../driver.ts'
import { readSerialFile } from '../serial.ts'
import { qemuArguments } from './arguments.ts'
import type { WarmArguments } from './arguments.ts'
import { prepareRun, writeMachine } from './folder.ts'
import type { MachineRecord, VmFiles } from './folder.ts'
import { portTaken } from './machine.ts'
import { withQmp } from './qmp.ts'

const qemuProgram = 'qemu-system-x86_64'

/** Code and variables must be of one pair; the 4 MiB pair is the one that Debian still ships everywhere. */
const firmwarePairs = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const

export interface Launched {
  readonly identity: ProcessIdentity
  readonly files: VmFiles
  /** How the process ended, once it did. */
  exit(): Promise<string | undefined>
}

/** Writes what another process must know of the machine, then starts its QEMU. */
export async function launchMachine(home: KilnHome, files: VmFiles, record: MachineRecord, warm: WarmArguments | undefined, note?: string): Promise<Launched> {
  const { spec } = record
  const tools = await findTools(spec)
  const args = qemuArguments(
    spec,
    record.accelerator,
    {
      firmwareCode: tools.firmwareCode,
      firmwareVars: files.vars,
      serialLog: files.serial,
      pidFile: files.pid,
      qmpSocket: record.qmpSocket,
      events: files.events,
      socat: tools.socat,
    },
    warm,
  )
  await requireDisks(spec)
  await makePrivateFolder(home.sockets)
  await prepareRun(files)
  await makeVars(files, tools.firmwareVars)
  if (note !== undefined) await appendFile(files.serial, `${note}\n`)
  await writeMachine(files, record)
  return spec.tiedToStarter === true ? launch('setpriv', ['--pdeathsig', 'KILL', '--', tools.qemu, ...args], files) : launch(tools.qemu, args, files)
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

/** Waits until QEMU answers on its QMP socket: then disks are open, ports are bound and the guest runs, or waits for the state of its snapshot. */
export async function untilReady(launched: Launched, record: MachineRecord, timeoutMs: number, signal?: AbortSignal): Promise<void> {
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
      if (status.running === true || (record.resume?.done === false && ['inmigrate', 'paused', 'prelaunch'].includes(status.status ?? ''))) return
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
export async function findTools(spec: Pick<VmSpec, 'metadataSocket'>): Promise<{ qemu: string; socat: string; firmwareCode: string; firmwareVars: string }> {
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
