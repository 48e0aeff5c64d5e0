/**
 * The files of one machine's folder. `machine.json` is written before QEMU is started and `process.json` after it, so a folder
 * with the first alone may still have a live QEMU: its pid file tells.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { KilnError, systemErrorCode } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json.ts'
import { readTextIfExists, removeAll, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { identifyProcess, isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import type { Accelerator } from '../accelerator.ts'
import type { SnapshotFiles, VmSpec } from '../driver.ts'
import { parseEvent } from './qmp.ts'
import type { QmpEvent } from './qmp.ts'

export interface MachineRecord {
  readonly version: 1
  readonly spec: VmSpec
  /** Kept here since the folder for sockets depends on the environment of whoever starts the machine. */
  readonly qmpSocket: string
  readonly accelerator: Accelerator
  /** For a machine that goes on from a snapshot. */
  readonly resume?: ResumeRecord
}

export interface ResumeRecord {
  readonly snapshot: SnapshotFiles
  /** Unix socket on which its guest is told who it is. */
  readonly port: string
  /** Where in the serial log to look for the guest's word. */
  readonly serialOffset: number
  /** The guest has its identity. Before, the machine is nobody's. */
  readonly done: boolean
}

export interface VmFiles {
  readonly folder: string
  readonly machine: string
  readonly process: string
  readonly pid: string
  readonly serial: string
  /** QEMU's own words on stderr. */
  readonly stderr: string
  readonly vars: string
  /** `.in` holds the command that opens the event stream, `.out` receives it. */
  readonly events: string
}

/** Absolute paths of everything in a machine's folder. */
export function vmFiles(folder: string): VmFiles {
  const root = resolve(folder)
  return {
    folder: root,
    machine: join(root, 'machine.json'),
    process: join(root, 'process.json'),
    pid: join(root, 'qemu.pid'),
    serial: join(root, 'serial.log'),
    stderr: join(root, 'qemu.log'),
    vars: join(root, 'vars.fd'),
    events: join(root, 'events'),
  }
}

/** The QMP socket for a folder: short, since a socket's path has at most 107 bytes (unix(7)). */
export function qmpSocketPath(home: KilnHome, folder: string): string {
  return join(home.sockets, `vm-${sha256Hex(resolve(folder)).slice(0, 16)}.qmp`)
}

/** The socket on which a guest is told who it is. */
export function warmSocketPath(home: KilnHome, folder: string): string {
  return join(home.sockets, `vm-${sha256Hex(resolve(folder)).slice(0, 16)}.id`)
}

/** What was last started in the folder; undefined when nothing was. @throws KilnError E_DATA_BROKEN, E_DATA_NEWER. */
export async function readMachine(files: VmFiles): Promise<MachineRecord | undefined> {
  const record = (await readJson(files.machine)) as MachineRecord | undefined
  if (record === undefined) return undefined
  if (record.version !== 1) throw new KilnError('E_DATA_NEWER', `${files.machine} was written by a newer Kiln`, { hint: 'use that version of Kiln, or delete the machine' })
  return record
}

/** Replaces machine.json, durably. */
export async function writeMachine(files: VmFiles, record: MachineRecord): Promise<void> {
  await writeFileDurable(files.machine, `${JSON.stringify(record, undefined, 2)}\n`)
}

/**
 * Prepares the folder for a new run. The serial log stays, since it is the machine's history as on Compute Engine. The pid file stays too:
 * QEMU locks it before it opens anything else, so of two QEMUs for one folder the second always ends at once, even when the first
 * one was left by a starter that was killed a moment ago and had no time to write its pid.
 */
export async function prepareRun(files: VmFiles): Promise<void> {
  await mkdir(files.folder, { recursive: true })
  await removeAll(files.process)
  await writeFile(`${files.events}.in`, '{"execute":"qmp_capabilities"}\n')
  await writeFile(`${files.events}.out`, '')
}

/** Remembers the process that serves this folder. */
export async function writeProcess(files: VmFiles, identity: ProcessIdentity): Promise<void> {
  await writeFileDurable(files.process, `${JSON.stringify(identity)}\n`)
}

/** The identity of the last known process, running or not. */
export async function readProcess(files: VmFiles): Promise<ProcessIdentity | undefined> {
  return (await readJson(files.process)) as ProcessIdentity | undefined
}

/**
 * The process that serves this folder now. Finds it by process.json, else by QEMU's pid file, when whoever started it was killed
 * before it could write the former; a process found that way is remembered.
 */
export async function findProcess(files: VmFiles): Promise<ProcessIdentity | undefined> {
  const known = await readProcess(files)
  if (known !== undefined && (await isRunning(known))) return known
  const pid = Number((await readTextIfExists(files.pid))?.trim() || Number.NaN)
  if (!Number.isInteger(pid) || pid === known?.pid) return undefined
  const identity = await identifyProcess(pid)
  if (identity === undefined || !(await servesFolder(pid, files))) return undefined
  await writeProcess(files, identity)
  return identity
}

/** A pid may have been given to another program since: only a process that was started with this pid file is ours. */
async function servesFolder(pid: number, files: VmFiles): Promise<boolean> {
  return (await argumentOf(pid, '-pidfile')) === files.pid
}

/** True when the process was started for this spec: machine.json may have been rewritten by a start that then found it running. */
export async function servesSpec(identity: ProcessIdentity, spec: VmSpec): Promise<boolean> {
  return (await argumentOf(identity.pid, '-fw_cfg')) === specMark(spec)
}

/** QEMU's argument that tells one spec from another on the command line of a live process. Forwards may change, so they do not count. */
export function specMark(spec: VmSpec): string {
  return `name=opt/kiln/spec,string=${sha256Hex(canonicalJson({ ...spec, forwards: [] })).slice(0, 32)}`
}

async function argumentOf(pid: number, option: string): Promise<string | undefined> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    const at = words.indexOf(option)
    return at < 0 ? undefined : words[at + 1]
  } catch {
    return undefined
  }
}

/** What QEMU reported since the machine was started. A half line at the end, of an event being written, is left out. */
export async function readEvents(files: VmFiles): Promise<QmpEvent[]> {
  const text = (await readTextIfExists(`${files.events}.out`)) ?? ''
  const events: QmpEvent[] = []
  // A QEMU whose start was cut off may have written after the file was emptied for the next one, which leaves zeros before.
  for (const line of text.replaceAll('\0', '').split('\n')) {
    if (!line.includes('"event"')) continue
    try {
      events.push(parseEvent(JSON.parse(line) as Readonly<Record<string, unknown>>))
    } catch {
      // cut off by the end of the process
    }
  }
  return events
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw new KilnError('E_DATA_BROKEN', `${path} cannot be read`, { hint: 'delete the machine and create it again', cause: error })
  }
}
