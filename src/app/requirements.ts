/** The programs and files of Debian packages that Kiln uses. One line each: `kiln doctor` and `make` install from this list. */
export interface Requirement {
  /** Program name, or what the file is. */
  readonly name: string
  /** Debian package. */
  readonly package: string
  readonly neededBy: string
  /** For files that are no programs: any of these paths. */
  readonly files?: readonly string[]
  readonly optional?: boolean
  /** Root does not need it. */
  readonly onlyWithoutRoot?: boolean
}

export const requirements: readonly Requirement[] = [
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', neededBy: 'running virtual machines' },
  { name: 'qemu-img', package: 'qemu-utils', neededBy: 'disks of virtual machines' },
  { name: 'UEFI firmware', package: 'ovmf', neededBy: 'booting images', files: ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'] },
  { name: 'socat', package: 'socat', neededBy: 'the metadata address inside virtual machines' },
  { name: 'mmdebstrap', package: 'mmdebstrap', neededBy: 'baking base images' },
  { name: 'Debian archive keys', package: 'debian-archive-keyring', neededBy: 'baking base images', files: ['/usr/share/keyrings/debian-archive-keyring.gpg'] },
  { name: 'mke2fs', package: 'e2fsprogs', neededBy: 'baking disks' },
  { name: 'debugfs', package: 'e2fsprogs', neededBy: 'baking disks' },
  { name: 'sfdisk', package: 'fdisk', neededBy: 'baking disks' },
  { name: 'mformat', package: 'mtools', neededBy: 'baking disks' },
  { name: 'objcopy', package: 'binutils', neededBy: 'unified kernel images' },
  { name: 'EFI stub', package: 'systemd-boot-efi', neededBy: 'unified kernel images', files: ['/usr/lib/systemd/boot/efi/linuxx64.efi.stub'] },
  { name: 'busybox', package: 'busybox-static', neededBy: 'the initial ramdisk of images' },
  { name: 'pigz', package: 'pigz', neededBy: 'packing images for import' },
  { name: 'ssh', package: 'openssh-client', neededBy: 'kiln ssh' },
  { name: 'ssh-keygen', package: 'openssh-client', neededBy: 'kiln ssh' },
  { name: 'newuidmap', package: 'uidmap', neededBy: 'baking without root', onlyWithoutRoot: true },
]
