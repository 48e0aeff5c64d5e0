/** QEMU's command line as a pure function of the machine. Reference: https://www.qemu.org/docs/master/system/invocation.html */
import { sha256Hex } from '../../base/ids.ts'
import type { Accelerator } from '../accelerator.ts'
import type { VmDisk, VmSpec } from '../driver.ts'
import { specMark } from './folder.ts'
import { escapeOption, metadataMac, metadataNetdev, metadataOption, subnetNetdev, subnetOption } from './network.ts'

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

/**
 * All arguments after the program's name.
 * @throws KilnError E_VM for addresses that do not fit together.
 */
export function qemuArguments(spec: VmSpec, accelerator: Accelerator, files: QemuFiles): string[] {
  return [
    '-name',
    `guest=${escapeOption(spec.name)},process=${escapeOption(spec.name)}`,
    '-no-user-config',
    '-nodefaults',
    '-machine',
    'q35,vmport=off',
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
    ...smbiosArguments(spec),
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${escapeOption(files.firmwareCode)}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${escapeOption(files.firmwareVars)}`,
    ...diskArguments(spec.disks),
    ...networkArguments(spec, files),
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
function smbiosArguments(spec: VmSpec): string[] {
  const serial = sha256Hex(`${spec.name}/${spec.macAddress}`).slice(0, 32).toUpperCase()
  return [
    '-smbios',
    'type=0,vendor=Google,version=Google',
    '-smbios',
    `type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-${serial}`,
    '-smbios',
    'type=2,manufacturer=Google,product=Google Compute Engine',
  ]
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
function networkArguments(spec: VmSpec, files: QemuFiles): string[] {
  const parts = ['-netdev', subnetOption(spec), '-device', `virtio-net-pci,netdev=${subnetNetdev},mac=${spec.macAddress},romfile=`]
  if (spec.metadataSocket === undefined) return parts
  return [
    ...parts,
    '-netdev',
    metadataOption(spec.metadataSocket, files.socat, spec.googleSocket),
    '-device',
    `virtio-net-pci,netdev=${metadataNetdev},mac=${metadataMac(spec.macAddress)},romfile=`,
  ]
}
