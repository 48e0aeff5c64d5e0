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

/** Inside images are tools of their own (pip, the EFI stub, busybox): they come from Debian packages that kiln.lock pins. */
export const requirements: readonly Requirement[] = [
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', neededBy: 'running virtual machines' },
  { name: 'qemu-img', package: 'qemu-utils', neededBy: 'disks of virtual machines' },
  { name: 'UEFI firmware', package: 'ovmf', neededBy: 'booting images', files: ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'] },
  { name: 'haproxy', package: 'haproxy', neededBy: 'load balancers: forwarding rules of the pocket cloud' },
  { name: 'socat', package: 'socat', neededBy: 'the metadata address inside virtual machines' },
  { name: 'timeout', package: 'coreutils', neededBy: 'finding out which accelerator boots a kernel' },
  { name: 'mmdebstrap', package: 'mmdebstrap', neededBy: 'baking base images' },
  { name: 'Debian archive keys', package: 'debian-archive-keyring', neededBy: 'baking base images', files: ['/usr/share/keyrings/debian-archive-keyring.gpg'] },
  { name: 'apt-get', package: 'apt', neededBy: 'finding the Debian mirror of this machine' },
  { name: 'apt-helper', package: 'apt', neededBy: 'finding the Debian mirror of this machine', files: ['/usr/lib/apt/apt-helper'] },
  { name: 'setpriv', package: 'util-linux', neededBy: 'baking: nothing outlives the command that started it' },
  { name: 'unshare', package: 'util-linux', neededBy: 'baking: mounts that no other program sees' },
  { name: 'mount', package: 'mount', neededBy: 'joining the layers of images' },
  { name: 'chroot', package: 'coreutils', neededBy: 'running programs inside images' },
  { name: 'cp', package: 'coreutils', neededBy: 'public images' },
  { name: 'dd', package: 'coreutils', neededBy: 'baking disks' },
  { name: 'touch', package: 'coreutils', neededBy: 'fixed times in images' },
  { name: 'find', package: 'findutils', neededBy: 'fixed times in images' },
  { name: 'mke2fs', package: 'e2fsprogs', neededBy: 'baking disks' },
  { name: 'dumpe2fs', package: 'e2fsprogs', neededBy: 'baking disks' },
  { name: 'debugfs', package: 'e2fsprogs', neededBy: 'baking disks' },
  { name: 'sfdisk', package: 'fdisk', neededBy: 'baking disks' },
  { name: 'mformat', package: 'mtools', neededBy: 'the boot partition of images' },
  { name: 'mmd', package: 'mtools', neededBy: 'the boot partition of images' },
  { name: 'mcopy', package: 'mtools', neededBy: 'the boot partition of images' },
  { name: 'mdir', package: 'mtools', neededBy: 'the boot partition of images' },
  { name: 'xz', package: 'xz-utils', neededBy: "kernel modules of Debian's newer suites" },
  { name: 'tar', package: 'tar', neededBy: 'packing images for import' },
  { name: 'pigz', package: 'pigz', neededBy: 'packing images for import' },
  { name: 'ssh', package: 'openssh-client', neededBy: 'kiln ssh' },
  { name: 'ssh-keygen', package: 'openssh-client', neededBy: 'kiln ssh' },
  { name: 'git', package: 'git', neededBy: 'deliveries: the git remote, commits of webhooks' },
  { name: 'setsid', package: 'util-linux', neededBy: 'deliveries: Ctrl-C at a push ends the watching alone' },
  { name: 'newuidmap', package: 'uidmap', neededBy: 'baking without root', onlyWithoutRoot: true },
]
