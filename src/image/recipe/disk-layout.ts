/** The one disk layout of all images. Every id is fixed, so that the same content gives the same bytes. */
import { MIB } from '../../base/units.ts'
import { warmPartition } from '../../vm/warm-protocol.ts'

export const SECTOR_BYTES = 512

export const diskLayout = {
  diskGuid: '6B696C6E-0000-4000-8000-000000000001',
  esp: {
    partitionGuid: '6B696C6E-0000-4000-8000-000000000002',
    type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    /** Says that the guest knows how to go on from a snapshot. */
    name: warmPartition,
    /** FAT serial number. */
    serial: '4b494c4e',
    startBytes: MIB,
    sizeBytes: 48 * MIB,
  },
  root: {
    partitionGuid: '6B696C6E-0000-4000-8000-000000000003',
    /** "Root partition (amd64)" of the Discoverable Partitions Specification. */
    type: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
    /** The initial RAM disk finds the root file system by this name. */
    name: 'kiln-root',
    fileSystemUuid: '6b696c6e-0000-4000-8000-000000000004',
    hashSeed: '6b696c6e-0000-4000-8000-000000000005',
    startBytes: 49 * MIB,
  },
  /** Room at the end of the disk for the second copy of the partition table. */
  tailBytes: MIB,
} as const

/**
 * The kernel's command line. The serial port is the log channel; the loader's own partition search is off since there is one root;
 * CPU random numbers are trusted so that the first SSH key does not wait for entropy. Mitigations stay as the kernel sets them. Whether the timer's interrupts arrive is not
 * tried out: an emulated machine whose host is busy gets none for a while, and the kernel would end there ("IO-APIC + timer doesn't work").
 */
export const kernelCommandLine = [
  'console=ttyS0,115200',
  'quiet',
  'loglevel=4',
  'net.ifnames=0',
  'random.trust_cpu=on',
  'no_timer_check',
  'nowatchdog',
  'cryptomgr.notests',
  'rcupdate.rcu_expedited=1',
  '8250.nr_uarts=1',
  'i8042.noaux',
  'i8042.nokbd',
  'audit=0',
  'systemd.gpt_auto=no',
  'systemd.show_status=yes',
  'systemd.firstboot=off',
].join(' ')

/** Modules that the initial RAM disk loads, if the kernel has them as modules: disks and network cards of Compute Engine and of QEMU, and the root file system. */
export const earlyModules = ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'nvme', 'ext4', 'virtio_net', 'gve'] as const

/** The whole program of the initial RAM disk. Modules are listed in /modules in the order in which they must be loaded. */
export const initScript = `#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
while read -r module; do busybox insmod "/modules.d/$module"; done < /modules
tries=0
root=
while [ -z "$root" ] && [ $tries -lt 3000 ]; do
  for entry in /sys/class/block/*/uevent; do
    if busybox grep -q '^PARTNAME=${diskLayout.root.name}$' "$entry" 2>/dev/null; then root=\${entry%/uevent}; root=/dev/\${root##*/}; break; fi
  done
  [ -n "$root" ] || busybox usleep 10000
  tries=$((tries + 1))
done
if [ -z "$root" ] || ! busybox mount -t ext4 -o rw,noatime "$root" /root; then
  echo "kiln: no root partition (wanted a partition named ${diskLayout.root.name})"
  busybox cat /proc/partitions
  busybox poweroff -f
fi
busybox mount --move /dev /root/dev
busybox mount --move /proc /root/proc
busybox mount --move /sys /root/sys
exec busybox switch_root /root /sbin/init
`
