/** Makes memory snapshots: a machine that nobody uses boots up to the point where it would become somebody, and is saved there. Contract: `Snapshots` in `../driver.ts`. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { KilnError } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json.ts'
import { run } from '../../host/exec.ts'
import { removeAll, syncFile } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { endProcess, isRunning, processorMs, setSessionNiceness } from '../../host/process.ts'
import type { Accelerator } from '../accelerator.ts'
import type { Snapshots, VmSpec } from '../driver.ts'
import { readSerialFile } from '../serial.ts'
import { qemuArguments } from './arguments.ts'
import type { WarmArguments } from './arguments.ts'
import { qmpSocketPath, vmFiles, warmSocketPath } from './folder.ts'
import type { MachineRecord } from './folder.ts'
import { seedMac, untilSeedReady } from './identity.ts'
import { findTools, launchMachine, untilReady } from './launch.ts'
import { withQmp } from './qmp.ts'
import { saveState } from './snapshot.ts'

export interface SeedOptions {
  readonly home: KilnHome
  readonly accelerator: () => Promise<Accelerator>
  readonly startTimeoutMs: number
}

/** A third of what another machine gets, where they have to share. */
const SEED_NICENESS = 5

/** Nothing answers on this socket; its being there gives the machine its second card. */
const NO_METADATA = '/nonexistent/kiln-metadata'

export function createSnapshots({ home, accelerator, startTimeoutMs }: SeedOptions): Snapshots {
  return {
    async fingerprint() {
      const tools = await findTools({})
      const used = await accelerator()
      const version = (await run({ program: tools.qemu, args: ['--version'] }, { what: 'asking for the version of QEMU' })).stdout
      const firmware = await stat(tools.firmwareCode)
      return sha256Hex(
        canonicalJson({
          version: version.split('\n')[0] ?? '',
          firmware: `${firmware.size} ${firmware.mtimeMs}`,
          accelerator: used,
          // Emulation gives the same processor on every host.
          processor: used === 'kvm' ? await hostProcessor() : '',
          arguments: argumentsShape(used),
        }),
      )
    },
    async make(folder, spec, files, { timeoutMs, signal, onBegun }) {
      const paths = vmFiles(folder)
      const port = warmSocketPath(home, folder)
      const seed: VmSpec = { ...asSeed(spec), tiedToStarter: true }
      const record: MachineRecord = { version: 1, spec: seed, qmpSocket: qmpSocketPath(home, folder), accelerator: await accelerator() }
      try {
        // QEMU makes the file itself, but for everybody to read.
        await writeFile(files.memory, '', { mode: 0o600 })
        await writeFile(files.state, '', { mode: 0o600 })
        const launched = await launchMachine(home, paths, record, { role: 'seed', memory: files.memory, port })
        let givesWay: boolean | undefined
        const giveWay = async (wanted: boolean): Promise<void> => {
          givesWay = wanted
          if (await isRunning(launched.identity)) await setSessionNiceness(launched.identity.pid, wanted ? SEED_NICENESS : 0)
        }
        onBegun?.({ processorMs: () => processorMs(launched.identity), hurry: () => giveWay(false) })
        let usedMs = 0
        try {
          await untilReady(launched, record, startTimeoutMs, signal)
          const alive = async (): Promise<void> => {
            const exit = await launched.exit()
            if (exit !== undefined) throw new KilnError('E_VM', `the machine for a snapshot of ${spec.name} ended with ${exit}`)
            const { text } = await readSerialFile(paths.serial, -65_536)
            const panic = /Kernel panic[^\r\n]*/.exec(text)?.[0]
            if (panic !== undefined) throw new KilnError('E_VM', `the kernel of the machine for a snapshot of ${spec.name} gave up: ${panic}`)
            // Not before systemd's greeting: a kernel that begins under emulation takes a timer for broken when the processor keeps it waiting, and gives up.
            if (givesWay === undefined && text.includes('Welcome to')) await giveWay(true)
          }
          await untilSeedReady(port, alive, { timeoutMs, signal })
          await withQmp(record.qmpSocket, (qmp) => saveState(qmp, files, signal))
          usedMs = await processorMs(launched.identity)
        } finally {
          await endProcess(launched.identity)
          await removeAll(record.qmpSocket)
          await removeAll(port)
        }
        await syncFile(files.memory)
        await syncFile(files.state)
        return { processorMs: usedMs }
      } catch (error) {
        for (const path of [files.memory, files.state]) await rm(path, { force: true })
        throw error
      }
    },
  }
}

/** The machine without anything that makes it somebody. What remains must be the same in each machine that goes on from the snapshot. */
function asSeed(spec: VmSpec): VmSpec {
  return {
    name: spec.name,
    cpus: spec.cpus,
    memoryMib: spec.memoryMib,
    disks: spec.disks,
    internalAddress: '10.255.0.2',
    subnetCidr: '10.255.0.0/24',
    macAddress: seedMac,
    forwards: [],
    ...(spec.metadataSocket === undefined ? {} : { metadataSocket: NO_METADATA }),
    outbound: false,
  }
}

/** How this version of Kiln puts machines together. */
function argumentsShape(accelerator: Accelerator): string {
  const spec = asSeed({
    name: 'shape',
    cpus: 1,
    memoryMib: 1024,
    disks: [{ path: '/disk', format: 'qcow2', deviceName: 'disk', boot: true }],
    internalAddress: '',
    subnetCidr: '',
    macAddress: '',
    forwards: [],
    metadataSocket: NO_METADATA,
    outbound: false,
  })
  const files = { firmwareCode: '/code', firmwareVars: '/vars', serialLog: '/serial', pidFile: '/pid', qmpSocket: '/qmp', events: '/events', socat: '/socat' }
  const roles: readonly WarmArguments['role'][] = ['seed', 'resumed']
  return canonicalJson(roles.map((role) => qemuArguments(spec, accelerator, files, { role, memory: '/memory', port: '/port' })))
}

async function hostProcessor(): Promise<string> {
  const text = await readFile('/proc/cpuinfo', 'utf8')
  return ['model name', 'microcode', 'flags'].map((name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '').join(' ')
}
