/**
 * What a base image has beside its packages: network, metadata, SSH, logs, growth of the root file system, and a boot without what a
 * server VM has no use for. Values that differ between clouds come through the metadata server, never from here.
 */

import { cloudNamesScript, cloudNamesUnit, trustEnvironment, trustLinksScript } from './cloud-names.ts'
import { warmStartFiles, warmStartUnits } from './warm-start.ts'

export interface GuestFile {
  /** Absolute path in the image. */
  readonly path: string
  readonly content: string
  readonly mode?: number
}

export interface GuestLink {
  readonly path: string
  readonly target: string
}

/** Units that would only slow the boot of an image that is replaced, not maintained. */
export const maskedUnits: readonly string[] = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'console-getty.service',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty-static.service',
  'getty@tty1.service',
  'kmod-static-nodes.service',
  'logrotate.timer',
  'man-db.timer',
  'proc-sys-fs-binfmt_misc.automount',
  'remote-fs.target',
  'serial-getty@ttyS0.service',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-binfmt.service',
  'systemd-firstboot.service',
  'systemd-hwdb-update.service',
  'systemd-journal-catalog-update.service',
  'systemd-journal-flush.service',
  'systemd-machine-id-commit.service',
  'systemd-networkd-wait-online.service',
  'systemd-pcrphase-sysinit.service',
  'systemd-pcrphase.service',
  'systemd-pstore.service',
  'systemd-repart.service',
  'systemd-rfkill.socket',
  'systemd-sysusers.service',
  'systemd-update-done.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-update-utmp.service',
  'systemd-initctl.socket',
  'cryptsetup.target',
  'integritysetup.target',
  'veritysetup.target',
  'ldconfig.service',
  'modprobe@.service',
  'systemd-modules-load.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-tmpfiles-clean.timer',
]

/** Generators with nothing to generate here; each costs a program start before the first unit. fstab's stays, for users' own disks. */
const maskedGenerators: readonly string[] = [
  'systemd-bless-boot-generator',
  'systemd-cryptsetup-generator',
  'systemd-debug-generator',
  'systemd-getty-generator',
  'systemd-gpt-auto-generator',
  'systemd-hibernate-resume-generator',
  'systemd-integritysetup-generator',
  'systemd-rc-local-generator',
  'systemd-run-generator',
  'systemd-ssh-generator',
  'systemd-system-update-generator',
  'systemd-sysv-generator',
  'systemd-tpm2-generator',
  'systemd-veritysetup-generator',
]

/** Units that wait until the network is up: nobody needs them before, and they would take its processor time. */
const lateUnits: readonly string[] = ['dbus.service', 'systemd-logind.service', 'systemd-resolved.service']

/** Units started at boot, by symlink: no systemctl has to run in the image. */
export const enabledUnits: readonly { readonly unit: string; readonly target: string; readonly path: string }[] = [
  { unit: 'systemd-networkd.service', target: 'multi-user.target', path: '/lib/systemd/system/systemd-networkd.service' },
  { unit: 'kiln-ssh-key.service', target: 'multi-user.target', path: '/etc/systemd/system/kiln-ssh-key.service' },
  { unit: 'kiln-names.service', target: 'multi-user.target', path: '/etc/systemd/system/kiln-names.service' },
  ...warmStartUnits.map((unit) => ({ unit, target: 'multi-user.target', path: `/etc/systemd/system/${unit}` })),
  { unit: 'kiln-late.service', target: 'multi-user.target', path: '/etc/systemd/system/kiln-late.service' },
]

const trustVariables = Object.entries(trustEnvironment).map(([name, value]) => `${name}=${value}`)

/** The files that the recipe puts into a base image. `suite` names the Debian release in apt's sources. */
export function baseGuestFiles(suite: string): GuestFile[] {
  return [
    { path: '/etc/hostname', content: 'localhost\n' },
    { path: '/etc/hosts', content: '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n169.254.169.254 metadata.google.internal metadata\n' },
    { path: '/etc/machine-id', content: '' },
    { path: '/etc/fstab', content: '' },
    {
      path: '/etc/apt/sources.list',
      content:
        [suite, `${suite}-updates`].map((name) => `deb http://deb.debian.org/debian ${name} main\n`).join('') +
        `deb http://deb.debian.org/debian-security ${suite}-security main\n`,
    },
    // Every card by DHCP. A metadata network offers no router, so the default route is the other card's, whichever comes first.
    {
      path: '/etc/systemd/network/10-kiln.network',
      content:
        '[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n[DHCPv4]\nClientIdentifier=mac\nUseMTU=yes\nUseDomains=yes\nUseHostname=no\nSendRelease=no\n',
    },
    ...lateUnits.map((unit) => ({ path: `/etc/systemd/system/${unit}.d/kiln.conf`, content: '[Unit]\nAfter=systemd-networkd.service\n' })),
    // As in Debian's own cloud images: without it cloud-init asks for en_US.UTF-8, which nobody generated, and ends in error.
    { path: '/etc/default/locale', content: 'LANG=C.UTF-8\n' },
    // The journal ends with the machine; the serial port is what every cloud still shows then, and of a machine that lets nobody in.
    {
      path: '/etc/systemd/journald.conf.d/kiln.conf',
      content: '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nAudit=no\nForwardToConsole=yes\nMaxLevelConsole=info\n',
    },
    {
      path: '/etc/systemd/system.conf.d/kiln.conf',
      content: `[Manager]\nDefaultTimeoutStopSec=20s\nDefaultTimeoutStartSec=180s\nDefaultEnvironment=${trustVariables.join(' ')}\n`,
    },
    { path: '/etc/environment', content: `${trustVariables.join('\n')}\n` },
    { path: '/etc/systemd/system/kiln-names.service', content: cloudNamesUnit },
    { path: '/usr/lib/kiln/names', mode: 0o755, content: cloudNamesScript },
    ...warmStartFiles,
    { path: '/usr/lib/kiln/trust-links', mode: 0o755, content: trustLinksScript },
    // One key type: the RSA key that stock images make costs seconds at first boot.
    {
      path: '/etc/systemd/system/kiln-ssh-key.service',
      content: `[Unit]
Description=SSH host key of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
`,
    },
    // Root by key, as Debian has it: whoever may add keys to the metadata is root by sudo anyway, and gcloud run by root signs in as root.
    {
      path: '/etc/ssh/sshd_config.d/kiln.conf',
      content: 'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUseDNS no\nPrintMotd no\n',
    },
    // At first only what a server waits for; drivers for all other devices are loaded when it runs.
    {
      path: '/etc/systemd/system/systemd-udev-trigger.service.d/kiln.conf',
      content: '[Service]\nExecStart=\nExecStart=-/usr/bin/udevadm trigger --type=devices --action=add --subsystem-match=block --subsystem-match=net\n',
    },
    {
      path: '/etc/systemd/system/kiln-late.service',
      content: `[Unit]
Description=What a machine needs and no server waits for
After=ssh.service systemd-logind.service kiln-names.service

[Service]
Type=oneshot
Nice=10
ExecStart=/usr/lib/kiln/late
StandardOutput=journal+console
StandardError=journal+console
`,
    },
    { path: '/usr/lib/kiln/late', mode: 0o755, content: lateScript },
    { path: '/usr/lib/kiln/grow-root', mode: 0o755, content: growRoot },
    { path: '/etc/systemd/timesyncd.conf.d/kiln.conf', content: '[Time]\nNTP=metadata.google.internal\n' },
    // The stock unit orders SSH after the agent; the agent is slow to start and SSH does not need it.
    {
      path: '/etc/systemd/system/google-guest-agent.service',
      content: `[Unit]
Description=Google Compute Engine Guest Agent
After=network.target ssh.service

[Service]
Type=notify
ExecStart=/usr/bin/google_guest_agent
OOMScoreAdjust=-900
Restart=always

[Install]
WantedBy=multi-user.target
`,
    },
    // Scripts of the user have the network and the cloud's names, also when the machine stops, and the serial port shows what they say.
    ...['google-startup-scripts', 'google-shutdown-scripts'].map((name) => ({
      path: `/etc/systemd/system/${name}.service.d/kiln.conf`,
      content: '[Unit]\nAfter=systemd-networkd.service kiln-names.service\n\n[Service]\nStandardOutput=journal+console\nStandardError=journal+console\n',
    })),
    // One group: the agent starts a program for each, and SSH waits for all of them when a user is new.
    {
      path: '/etc/default/instance_configs.cfg',
      content: '[Accounts]\ngroups = adm\n\n[InstanceSetup]\nset_host_keys = false\nset_boto_config = false\nnetwork_enabled = true\n\n[NetworkInterfaces]\nsetup = false\n',
    },
    // Stable names for disks, as Google's own images have: /dev/disk/by-id/google-NAME.
    {
      path: '/etc/udev/rules.d/65-kiln-disks.rules',
      content: `SUBSYSTEM!="block", GOTO="kiln_end"
KERNEL=="vd*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="?*", SYMLINK+="disk/by-id/google-$attr{serial}"
KERNEL=="vd*", ENV{DEVTYPE}=="partition", ATTRS{serial}=="?*", SYMLINK+="disk/by-id/google-$attr{serial}-part%n"
KERNEL=="sd*|nvme*", ENV{DEVTYPE}=="disk", ENV{ID_SERIAL_SHORT}=="?*", SYMLINK+="disk/by-id/google-$env{ID_SERIAL_SHORT}"
KERNEL=="sd*|nvme*", ENV{DEVTYPE}=="partition", ENV{ID_SERIAL_SHORT}=="?*", SYMLINK+="disk/by-id/google-$env{ID_SERIAL_SHORT}-part%n"
LABEL="kiln_end"
`,
    },
  ]
}

const lateScript = `#!/bin/bash
# Drivers for the remaining devices, room on a larger disk, the clock.
# Where the machine went on from a snapshot, the first two were done before that.
if [ ! -e /run/kiln/warm ]; then
  udevadm trigger --type=subsystems --action=add
  udevadm trigger --type=devices --action=add
  /usr/lib/kiln/grow-root || echo "the root file system could not be grown"
fi
systemctl start --no-block systemd-timesyncd.service
/usr/lib/kiln/trust-links || echo "no link to the cloud's own authority"
exit 0
`

const growRoot = `#!/bin/sh
# Extends the last partition and the file system on it when the disk is larger than the image was.
set -eu
part=$(findmnt -no SOURCE /)
name=\${part##*/}
disk=/dev/$(basename "$(dirname "$(readlink -f "/sys/class/block/$name")")")
number=$(cat "/sys/class/block/$name/partition")
sectors=$(cat "/sys/class/block/\${disk##*/}/size")
end=$(( $(cat "/sys/class/block/$name/start") + $(cat "/sys/class/block/$name/size") ))
[ $(( sectors - end )) -gt 65536 ] || exit 0
echo ", +" | sfdisk --quiet --no-reread --force -N "$number" "$disk"
partx -u --nr "$number" "$disk"
resize2fs "$part"
`

/** Symbolic links that the recipe puts into a base image: masks and enabled units. */
export function baseGuestLinks(): GuestLink[] {
  return [
    ...maskedUnits.map((unit) => ({ path: `/etc/systemd/system/${unit}`, target: '/dev/null' })),
    ...maskedGenerators.map((name) => ({ path: `/etc/systemd/system-generators/${name}`, target: '/dev/null' })),
    ...enabledUnits.map(({ unit, target, path }) => ({ path: `/etc/systemd/system/${target}.wants/${unit}`, target: path })),
    { path: '/etc/systemd/system/default.target', target: '/lib/systemd/system/multi-user.target' },
    { path: '/etc/resolv.conf', target: '../run/systemd/resolve/stub-resolv.conf' },
  ]
}

/** Paths, relative to the root, that differ between two installs of the same packages or that an image must not carry. Patterns of sh. */
export const machineLeftovers: readonly string[] = [
  'boot/*',
  'initrd.img*',
  'vmlinuz*',
  'etc/.resolv.conf.systemd-resolved.bak',
  'etc/group-',
  'etc/gshadow-',
  'etc/passwd-',
  'etc/shadow-',
  'etc/subgid-',
  'etc/subuid-',
  'etc/.pwd.lock',
  // Started by kiln-late.service instead.
  'etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service',
  'etc/ssh/ssh_host_*',
  'etc/apt/preferences.d/kiln-pins',
  'etc/apt/sources.list.d/*',
  'run/*',
  'tmp/*',
  'var/tmp/*',
  'var/log/*.log',
  'var/log/apt',
  'var/log/journal',
  'var/log/btmp',
  'var/log/wtmp',
  'var/log/lastlog',
  'var/log/faillog',
  'var/cache/apt/*.bin',
  'var/cache/apt/archives/*.deb',
  'var/cache/apt/archives/lock',
  'var/cache/debconf/*-old',
  'var/cache/ldconfig/aux-cache',
  'var/lib/apt/lists/*',
  'var/lib/apt/extended_states.*',
  'var/lib/dbus/machine-id',
  'var/lib/dpkg/*-old',
  'var/lib/dpkg/lock*',
  'var/lib/dpkg/triggers/Lock',
  'var/lib/systemd/random-seed',
  'root/.cache',
]
