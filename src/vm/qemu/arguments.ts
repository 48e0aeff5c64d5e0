/** QEMU's command line as a pure function of the machine. Reference: https://www.qemu.org/docs/master/system/invocation.html */
import { sha256Hex } from '../../base/ids.ts'
import type { Accelerator } from '../accelerator.ts'
import type { VmDisk, VmSpec } from '../driver.ts'
import { seedMark, warmPort, warmSlot } from '../warm-protocol.ts'
import { specMark } from './folder.ts'
import { memoryId } from './identity.ts'
import { escapeOption, metadataMac, metadataNetdev, metadataOption, nowhereOption, subnetNetdev, subnetOption } from './network.ts'

export interface QemuFiles {
  /** OVMF's code, shared and read-only. */
  readonly firmwareCode: string
  /** This machine's own copy of OVMF's variables. */
  readonly firmwareVars: string
  readonly serialLog: string
  readonly pidFile: string
  readonly qmpSocket: string
  /** QEMU reads commands from `PATH.in` and writes events to `PATH.out`: both exist as plain files. */
  readonly events: string
  readonly socat: string
}

/** What a machine that begins or ends with a memory snapshot has beside all others. */
export interface WarmArguments {
  /** `seed`: boots, for a snapshot to be made of it, on networks that lead nowhere. `resumed`: waits for the snapshot's state, and for `cont` after it. */
  readonly role: 'seed' | 'resumed'
  /** File of the guest's memory. */
  readonly memory: string
  /** Unix socket of the port on which the guest is told who it is. */
  readonly port: string
}

/**
 * All arguments after the program's name.
 * @throws KilnError E_VM for addresses that do not fit together.
 */
export function qemuArguments(spec: VmSpec, accelerator: Accelerator, files: QemuFiles, warm?: WarmArguments): string[] {
  return [
    '-name',
    `guest=${escapeOption(spec.name)},process=${escapeOption(spec.name)}`,
    '-no-user-config',
    '-nodefaults',
    '-machine',
    warm === undefined ? 'q35,vmport=off' : `q35,vmport=off,memory-backend=${memoryId}`,
    ...memoryArguments(spec, warm),
    ...acceleratorArguments(accelerator),
    '-smp',
    String(spec.cpus),
    '-m',
    String(spec.memoryMib),
    '-display',
    'none',
    '-rtc',
    'base=utc',
    // The metadata card spawns socat, which the options spawn=deny and elevateprivileges=deny would stop.
    '-sandbox',
    'on,obsolete=deny,resourcecontrol=deny',
    '-pidfile',
    files.pidFile,
    '-fw_cfg',
    specMark(spec),
    ...smbiosArguments(spec, warm),
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${escapeOption(files.firmwareCode)}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${escapeOption(files.firmwareVars)}`,
    ...diskArguments(spec.disks),
    ...networkArguments(spec, files, warm),
    '-object',
    'rng-random,id=rng0,filename=/dev/urandom',
    '-device',
    'virtio-rng-pci,rng=rng0',
    '-chardev',
    `file,id=serial0,append=on,path=${escapeOption(files.serialLog)}`,
    '-serial',
    'chardev:serial0',
    '-chardev',
    `socket,id=qmp0,server=on,wait=off,path=${escapeOption(files.qmpSocket)}`,
    '-mon',
    'chardev=qmp0,mode=control',
    '-chardev',
    `pipe,id=events0,path=${escapeOption(files.events)}`,
    '-mon',
    'chardev=events0,mode=control',
    ...warmArguments(warm),
  ]
}

/**
 * The seed's memory is the file itself. A machine that goes on from it maps the same file for itself alone: nothing is read that the guest does not touch,
 * and machines of one snapshot share what they do not write.
 */
function memoryArguments(spec: VmSpec, warm: WarmArguments | undefined): string[] {
  if (warm === undefined) return []
  return ['-object', `memory-backend-file,id=${memoryId},size=${spec.memoryMib}M,share=${warm.role === 'seed' ? 'on' : 'off'},mem-path=${escapeOption(warm.memory)}`]
}

function warmArguments(warm: WarmArguments | undefined): string[] {
  if (warm === undefined) return []
  return [
    '-chardev',
    `socket,id=warm0,server=on,wait=off,path=${escapeOption(warm.port)}`,
    '-device',
    `virtio-serial-pci,id=warm,addr=${warmSlot}`,
    '-device',
    `virtserialport,bus=warm.0,chardev=warm0,name=${warmPort}`,
    ...(warm.role === 'seed' ? [] : ['-S', '-incoming', 'defer']),
  ]
}

/**
 * `qemu64` boots about 1.5 times faster than `max` under emulation; the four additions make it x86-64-v2, the least that
 * some Python wheels ask for.
 */
export function acceleratorArguments(accelerator: Accelerator): string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host']
  return ['-accel', 'tcg,thread=multi', '-cpu', 'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt']
}

/** What cloud-init and the guest agent look at: https://cloud.google.com/compute/docs/instances/detect-compute-engine */
function smbiosArguments(spec: VmSpec, warm: WarmArguments | undefined): string[] {
  return [
    '-smbios',
    'type=0,vendor=Google,version=Google',
    '-smbios',
    `type=1,manufacturer=Google,product=Google Compute Engine,serial=${productSerial(spec)}`,
    '-smbios',
    'type=2,manufacturer=Google,product=Google Compute Engine',
    ...(warm?.role === 'seed' ? ['-smbios', `type=3,asset=${seedMark}`] : []),
  ]
}

/** What the guest sees as the serial number of its machine. */
export function productSerial(spec: VmSpec): string {
  return `GoogleCloud-${sha256Hex(`${spec.name}/${spec.macAddress}`).slice(0, 32).toUpperCase()}`
}

/** virtio-scsi, since Compute Engine's persistent disks are SCSI disks too: an image that boots here has the driver it needs there. */
function diskArguments(disks: readonly VmDisk[]): string[] {
  const parts = ['-device', 'virtio-scsi-pci,id=scsi0']
  for (const [index, disk] of disks.entries()) {
    const discard = disk.discardWrites === true
    const name = escapeOption(disk.deviceName)
    parts.push(
      '-drive',
      `if=none,id=disk${index},format=${disk.format},discard=unmap,cache=${discard ? 'unsafe,snapshot=on' : 'writeback'},file=${escapeOption(disk.path)}`,
      '-device',
      `scsi-hd,bus=scsi0.0,lun=${index},drive=disk${index},vendor=Google,product=PersistentDisk,serial=${name},device_id=${name}${disk.boot ? ',bootindex=1' : ''}`,
    )
  }
  return parts
}

/** `romfile=` empty: without a network boot ROM the firmware has nothing to try but the disk. */
function networkArguments(spec: VmSpec, files: QemuFiles, warm: WarmArguments | undefined): string[] {
  const isSeed = warm?.role === 'seed'
  const parts = ['-netdev', isSeed ? nowhereOption(subnetNetdev, 1) : subnetOption(spec), '-device', `virtio-net-pci,netdev=${subnetNetdev},mac=${spec.macAddress},romfile=`]
  if (spec.metadataSocket === undefined) return parts
  return [
    ...parts,
    '-netdev',
    isSeed ? nowhereOption(metadataNetdev, 2) : metadataOption(spec.metadataSocket, files.socat, spec.googleSocket),
    '-device',
    `virtio-net-pci,netdev=${metadataNetdev},mac=${metadataMac(spec.macAddress)},romfile=`,
  ]
}
