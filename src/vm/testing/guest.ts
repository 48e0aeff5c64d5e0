/**
 * A small bootable disk for the VM tests: Debian's cloud kernel and busybox in one EFI program on an ESP. It boots in a few seconds,
 * takes both network cards up, asks for its metadata, serves HTTP and powers off by its power button.
 * Made from Debian packages alone (linux-image-cloud-amd64 from the archive; busybox-static, systemd-boot-efi, mtools, binutils installed) and cached.
 */
import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '../../base/ids.ts'
import { run } from '../../host/exec.ts'
import { exists, removeAll } from '../../host/files.ts'
import { cpioArchive } from '../cpio.ts'
import type { CpioFile } from '../cpio.ts'
import { identityTaken, seedMark, seedReady } from '../warm-protocol.ts'

export interface TestGuest {
  readonly disk: string
  readonly kernel: string
}

/** The last thing that the guest says when it is up. */
export const guestReady = 'guest: ready'

const modules = [
  'virtio_ring',
  'virtio',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio_pci',
  'failover',
  'net_failover',
  'virtio_net',
  'scsi_common',
  'scsi_mod',
  'sd_mod',
  'virtio_scsi',
  'button',
  'evdev',
  'virtio_console',
]

const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${modules.join(' ')}; do insmod /lib/modules/$module.ko; done
for event in /dev/input/event*; do (dd if=$event of=/dev/null bs=24 count=1 2>/dev/null; echo "guest: power button"; poweroff -f) & done
if [ "$(cat /sys/class/dmi/id/chassis_asset_tag)" = ${seedMark} ]; then
  until [ -e /dev/vport*p1 ]; do usleep 20000; done
  exec 3<>$(ls /dev/vport*p1)
  echo '${seedReady}' >&3
  while true; do
    read -r key first second <&3 || { usleep 20000; continue; }
    case $key in
      hostname) hostname $first ;;
      entropy) entropy=$first ;;
      time) date -s @\${first%.*} >/dev/null ;;
      card) for card in eth0 eth1; do [ "$(cat /sys/class/net/$card/address)" = $first ] && ip link set $card address $second; done ;;
      go) break ;;
    esac
  done
  exec 3>&-
  echo "${identityTaken} as $(hostname)"
  echo "guest: identity $(hostname) $(cat /sys/class/net/eth0/address) \${#entropy} $(date +%s)"
fi
echo "guest: platform $(cat /sys/class/dmi/id/sys_vendor)/$(cat /sys/class/dmi/id/product_name)/$(cat /sys/class/dmi/id/product_serial)"
echo "guest: disk $(cat /sys/block/sda/device/vendor /sys/block/sda/device/model | tr -d ' ' | tr '\\n' ' ')$(tail -c +5 /sys/block/sda/device/vpd_pg80)"
for card in 0 1; do [ -e /sys/class/net/eth$card ] && ip link set eth$card up && udhcpc -i eth$card -n -q -t 20 -T 1 -s /dhcp.sh >/dev/null; done
ip route | sed 's/^/guest: route /'
mkdir /www; echo "hello from $(cat /sys/class/dmi/id/product_serial)" > /www/index.html
httpd -p 80 -h /www
if [ -e /sys/class/net/eth1 ]; then
  for round in 1 2 3 4 5; do
    before=$(cut -d' ' -f1 /proc/uptime)
    echo "guest: metadata $(wget -q -O - --header 'Metadata-Flavor: Google' http://169.254.169.254/computeMetadata/v1/instance/id) $before $(cut -d' ' -f1 /proc/uptime)"
  done
fi
echo "${guestReady} after $(cut -d' ' -f1 /proc/uptime) s"
while true; do sleep 3600; done
`

const dhcp = `#!/bin/sh
[ "$1" = bound ] || exit 0
echo "guest: lease $interface $ip/$mask router=$router dns=$dns hostname=$hostname" > /dev/console
ip addr add $ip/$mask dev $interface
[ -n "$router" ] && ip route add default via $router
exit 0
`

/** The guest's disk and kernel in `cache`, made when they are not there yet (about 5 s and 27 MB of download). */
export async function testGuest(cache: string): Promise<TestGuest> {
  const packageName = await kernelPackage()
  const folder = join(cache, `test-guest-${sha256Hex([packageName, init, dhcp].join('\n')).slice(0, 12)}`)
  if (!(await exists(folder))) await build(cache, folder, packageName)
  return { disk: join(folder, 'disk.raw'), kernel: join(folder, 'vmlinuz') }
}

async function kernelPackage(): Promise<string> {
  const { stdout } = await run({ program: 'apt-cache', args: ['depends', '--important', 'linux-image-cloud-amd64'] })
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1]
  if (name === undefined) throw new Error('the package lists have no linux-image-cloud-amd64; run apt-get update')
  return name
}

async function build(cache: string, target: string, packageName: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'building-'))
  try {
    await run({ program: 'apt-get', args: ['download', packageName], cwd: work })
    const deb = (await readdir(work)).find((name) => name.endsWith('.deb')) ?? ''
    await run({ program: 'dpkg-deb', args: ['-x', deb, 'kernel'], cwd: work })
    const release = (await readdir(join(work, 'kernel/lib/modules')))[0] ?? ''
    const out = join(work, 'out')
    await mkdir(out)
    await copyFile(join(work, `kernel/boot/vmlinuz-${release}`), join(out, 'vmlinuz'))
    await writeFile(join(work, 'initrd'), await makeInitrd(join(work, 'kernel/lib/modules', release)))
    await writeFile(join(work, 'cmdline'), 'console=ttyS0 mitigations=off panic=-1')
    await run({
      program: 'objcopy',
      args: [
        ...section('.cmdline', 'cmdline', 0x30000),
        ...section('.linux', 'out/vmlinuz', 0x2000000),
        ...section('.initrd', 'initrd', 0x3000000),
        '/usr/lib/systemd/boot/efi/linuxx64.efi.stub',
        'kernel.efi',
      ],
      cwd: work,
    })
    // OVMF boots a plain FAT disk too; a partition table would add nothing here.
    await run({ program: 'mformat', args: ['-C', '-F', '-i', 'out/disk.raw', '-T', String((64 * 1024 * 1024) / 512), '::'], cwd: work })
    await run({ program: 'mmd', args: ['-i', 'out/disk.raw', '::/EFI', '::/EFI/BOOT'], cwd: work })
    await run({ program: 'mcopy', args: ['-i', 'out/disk.raw', 'kernel.efi', '::/EFI/BOOT/BOOTX64.EFI'], cwd: work })
    await rename(out, target)
  } catch (error) {
    if (!(await exists(target))) throw error
  } finally {
    await removeAll(work)
  }
}

function section(name: string, file: string, address: number): string[] {
  return ['--add-section', `${name}=${file}`, '--change-section-vma', `${name}=0x${address.toString(16)}`]
}

async function makeInitrd(moduleRoot: string): Promise<Uint8Array> {
  const found = new Map((await readdir(moduleRoot, { recursive: true })).map((path) => [path.slice(path.lastIndexOf('/') + 1), path]))
  const files: CpioFile[] = ['bin', 'dev', 'lib', 'lib/modules', 'proc', 'sys'].map((path) => ({ path, mode: 0o755 }))
  files.push({ path: 'bin/busybox', mode: 0o755, data: await readFile('/bin/busybox') })
  for (const name of modules) {
    const path = found.get(`${name}.ko`)
    if (path === undefined) throw new Error(`the kernel has no module ${name}`)
    files.push({ path: `lib/modules/${name}.ko`, mode: 0o644, data: await readFile(join(moduleRoot, path)) })
  }
  files.push({ path: 'init', mode: 0o755, data: Buffer.from(init) }, { path: 'dhcp.sh', mode: 0o755, data: Buffer.from(dhcp) })
  return cpioArchive(files)
}
