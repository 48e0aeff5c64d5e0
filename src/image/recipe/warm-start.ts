/**
 * How a machine goes on from a memory snapshot of another one, as somebody of its own. The snapshot is taken of a machine that nobody uses, made for
 * it alone, before anything ran that knows who the machine is: no server, no SSH, no agent, no address, no metadata. So nothing has to be
 * restarted or taken back. What came too early (machine id, boot id, kernel log, clock, state of the random generator) is renewed
 * while the cards are still down; then the boot goes on from there.
 *
 * The other end is the VM driver (`src/vm/qemu/identity.ts`): a virtio-serial port with one line in each direction.
 */

import { identityTaken, seedMark, seedReady, warmPort, warmSlot } from '../../vm/warm-protocol.ts'

/** Only machines that begin or end with a snapshot have the port's device: all others pay for one look at a path. */
const PCI_DEVICE = `/sys/bus/pci/devices/0000:00:${warmSlot.slice(2)}.0`

/** Servers begin after it. Without the device it is skipped at once. */
export const warmStartUnit = 'kiln-warm.service'

/** Everything else that shows or keeps an identity begins after this one, which lets servers go first: they are what somebody waits for. */
const restUnit = 'kiln-warm-rest.service'

/** One file for each server of an image: its port. */
export const serversFolder = '/usr/lib/kiln/servers'

export const warmStartUnits: readonly string[] = [warmStartUnit, restUnit]

const restUnitFile = `[Unit]
Description=Servers of a machine that goes on from a snapshot
ConditionPathExists=${PCI_DEVICE}
ConditionPathExists=/run/kiln/warm
DefaultDependencies=no
After=${warmStartUnit}
Before=dbus.service google-guest-agent.service google-shutdown-scripts.service google-startup-scripts.service kiln-late.service
Before=kiln-names.service kiln-ssh-key.service ssh.service systemd-logind.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
ExecStart=/usr/lib/kiln/warm-rest
TimeoutStartSec=60

[Install]
WantedBy=multi-user.target
`

const unitFile = `[Unit]
Description=Identity of a machine that goes on from a snapshot
ConditionPathExists=${PCI_DEVICE}
DefaultDependencies=no
After=local-fs.target systemd-journald.socket
Before=${restUnit}
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
ExecStart=/usr/lib/kiln/warm
TimeoutStartSec=infinity
StandardOutput=null
StandardError=null

[Install]
WantedBy=multi-user.target
`

/**
 * Lines from the host: `time SECONDS`, `entropy HEX`, `hostname NAME`, `serial TEXT`, `card OLD-MAC NEW-MAC`, `go`. To the host: one
 * line on the port, and a line on the serial port when it is done, where it is also found by a host that was not there.
 */
const script = `#!/bin/bash
LC_ALL=C
# The machine that a snapshot is made of says so; a restart of one that began with a snapshot is a plain boot.
IFS= read -r tag </sys/class/dmi/id/chassis_asset_tag && [ "$tag" = ${seedMark} ] || exit 0
modprobe virtio_console
port=
for ((try = 0; try < 100; try++)); do
  for name in /sys/class/virtio-ports/*/name; do
    [ -e "$name" ] && IFS= read -r text <"$name" && [ "$text" = ${warmPort} ] && port=\${name%/name} port=/dev/\${port##*/}
  done
  [ -n "$port" ] && exec 3<>"$port" && break
  port=
  sleep 0.1
done
[ -n "$port" ] || exit 1

# All that needs no identity: drivers, the size of the disk, and the programs that are about to start, into memory.
udevadm trigger --type=subsystems --action=add
udevadm trigger --type=devices --action=add
udevadm settle -t 60
/usr/lib/kiln/grow-root
mkdir -p /run/kiln
: >/run/kiln/warm
{
  cat /usr/sbin/sshd /usr/bin/ssh-keygen /usr/bin/google_* /usr/bin/dbus-daemon /usr/lib/systemd/systemd-logind /usr/bin/perl /usr/bin/ip /usr/bin/bash /usr/bin/rm
  cat /usr/lib/systemd/systemd-journald /usr/bin/python3 /usr/lib/x86_64-linux-gnu/*.so*
  find /usr/lib/python3* /opt -xdev \\( -name '*.pyc' -o -name '*.so' \\) -exec cat {} +
} >/dev/null 2>&1
for ((try = 0; try < 300; try++)); do
  [ "$(systemctl list-jobs --no-legend | grep -c ' running$')" -le 1 ] && break
  sleep 0.2
done
cards=()
for card in /sys/class/net/*; do
  [ -e "$card/device" ] || continue
  cards+=("\${card##*/}")
  ip link set dev "\${card##*/}" down
done
journald=$(systemctl show -p MainPID --value systemd-journald.service)
# No animation of this long wait on the serial port.
kill -s RTMIN+21 1
sync
echo '${seedReady}' >&3

# Here the snapshot is taken; each machine that begins with it goes on here. Without a host at the other end there is nothing to read.
entropy= seconds= hostname= serial= batch=
while :; do
  IFS= read -r line <&3 || { sleep 0.05; continue; }
  set -- $line
  case $1 in
    time) seconds=$2 ;;
    entropy) entropy=$2 ;;
    hostname) hostname=$2 ;;
    serial) serial=$2 ;;
    card)
      for card in "\${cards[@]}"; do
        IFS= read -r mac <"/sys/class/net/$card/address"
        [ "$mac" = "$2" ] && batch+="link set dev $card address $3 up"$'\\n'
      done
      ;;
    go) break ;;
  esac
done
exec 3>&-
IFS= read -r old </etc/machine-id
[ -z "$serial" ] || echo "$serial" >/run/kiln/serial
: >/run/kiln/boot-id
# One program for all that takes one, since each start is felt under emulation.
/usr/lib/kiln/warm-renew <<<"$seconds $entropy" || exit 1
[ -z "$hostname" ] || echo "$hostname" >/proc/sys/kernel/hostname
IFS= read -r id </proc/sys/kernel/random/uuid
echo "\${id//-/}" >/etc/machine-id
# systemd starts it anew, and it keeps what others write to it. Nothing of before stays.
kill -KILL "$journald"
rm -rf "/run/log/journal/$old" "/var/log/journal/$old"
ip -batch - <<<"$batch"
kill -s RTMIN+20 1
echo "${identityTaken} as $hostname" >/dev/ttyS0
exit 0
`

/** Perl, since Debian's base always has it, and the shell makes no system calls. Numbers are those of x86-64. */
const renewScript = `#!/usr/bin/perl
# Standard input: seconds since 1970, and random bytes in hexadecimal digits.
use strict;
my ($seconds, $hex) = split ' ', <STDIN>;
my $bytes = pack 'H*', $hex;
# clock_settime
syscall(227, 0, pack('qq', int $seconds, 1e9 * ($seconds - int $seconds))) == 0 or exit 1;
# RNDADDENTROPY and RNDRESEEDCRNG: all processors' generators forget what they shared with the snapshot.
open my $random, '>', '/dev/urandom' or exit 1;
ioctl $random, 0x40085203, pack('ii', 8 * length $bytes, length $bytes) . $bytes or exit 1;
ioctl $random, 0x5207, 0 or exit 1;
# The kernel keeps these two for good; a mount over them (MS_BIND) shows this machine's own.
open my $uuid, '<', '/proc/sys/kernel/random/uuid' or exit 1;
open my $boot, '>', '/run/kiln/boot-id' or exit 1;
print $boot scalar <$uuid>;
close $boot;
sub cover {
  my ($own, $shown) = @_;
  chmod +(stat $shown)[2] & 0777, $own;
  syscall 165, $own, $shown, 0, 4096, 0;
}
cover '/run/kiln/boot-id', '/proc/sys/kernel/random/boot_id';
cover '/run/kiln/serial', '/sys/class/dmi/id/product_serial' if -e '/run/kiln/serial';
# The kernel's log of before (SYSLOG_ACTION_CLEAR).
syscall 103, 5, 0, 0;
`

/** At most ten seconds for servers to listen. */
const restScript = `#!/bin/bash
shopt -s nullglob
exec {never}<> <(:)
deadline=$((SECONDS + 10))
for file in ${serversFolder}/*; do
  IFS= read -r port <"$file"
  until { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || [ $SECONDS -ge $deadline ]; do read -r -t 0.1 -u "$never"; done
done
exit 0
`

/** What a base image has for all this. */
export const warmStartFiles: readonly { readonly path: string; readonly content: string; readonly mode?: number }[] = [
  { path: `/etc/systemd/system/${warmStartUnit}`, content: unitFile },
  { path: `/etc/systemd/system/${restUnit}`, content: restUnitFile },
  { path: '/usr/lib/kiln/warm', mode: 0o755, content: script },
  { path: '/usr/lib/kiln/warm-renew', mode: 0o755, content: renewScript },
  { path: '/usr/lib/kiln/warm-rest', mode: 0o755, content: restScript },
]
