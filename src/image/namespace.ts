/**
 * Commands that act as root on an image's root file system: as real root, or as the root of a user namespace.
 * Mounts live in a mount namespace of the one command, so that nothing is left behind however it ends.
 * Root trees are given as a stack of layers; overlayfs joins them and keeps every layer but the top one unchanged.
 */
import type { Command } from '../host/exec.ts'

/** Where the root comes from. Paths in `layers` are relative to `cwd`, since overlayfs gives ':' and ',' in them a meaning. */
export interface RootStack {
  /** Working folder of the command: the cache folder. */
  readonly cwd: string
  /** Lowest layer first. */
  readonly layers: readonly string[]
  /** Takes the writes; relative to `cwd`. Undefined: the stack is only read. */
  readonly writable?: { readonly upper: string; readonly work: string }
  /** An empty folder, relative to `cwd`, on which the joined root is mounted. */
  readonly mountPoint: string
}

export interface ChrootOptions {
  /** Host folder -> absolute path in the root (under /run, which is fresh for each command, or an existing folder). */
  readonly binds?: Readonly<Record<string, string>>
  /** False: no network at all, not even loopback. */
  readonly network: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly workingFolder?: string
  /** "uid:gid" inside the root. Default: root. */
  readonly as?: string
}

/** Times in images: 2024-01-01T00:00:00Z. Anything made by a bake carries this time, so that the same inputs give the same bytes. */
export const SOURCE_DATE_EPOCH = 1_704_067_200

/** The environment of everything that runs for a bake: nothing of the caller's, so that it cannot change the result. */
export const bakeEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  DEBIAN_FRONTEND: 'noninteractive',
  SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH),
}

/** True when this process must go through a user namespace. */
export function needsUserNamespace(): boolean {
  return process.getuid?.() !== 0
}

/** Joins the layers. $1 mount point, $2 layers (top first, ':' between), $3 upper or "-", $4 work, $5 extra mount options; then the command. */
const joinScript = `set -eu
umask 022
root=$1 layers=$2 upper=$3 work=$4 options=$5
shift 5
if [ "$upper" != - ]; then mount -t overlay -o "\${options}lowerdir=$layers,upperdir=$upper,workdir=$work" kiln "$root"
elif [ "\${layers#*:}" != "$layers" ]; then mount -t overlay -o "\${options}ro,lowerdir=$layers" kiln "$root"
else mount --bind "$layers" "$root"; fi
`

const runScript = `${joinScript}exec "$@"
`

/** After the join: what programs expect around them, then chroot. $1 working folder, $2 user; binds as "--bind HOST PATH"; "--"; the command. */
const chrootScript = `${joinScript}folder=$1 user=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do : > "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mkdir "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/systemd/resolve" "$root/run/lock"
if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf > "$root/run/systemd/resolve/stub-resolv.conf"; fi
while [ "$1" = --bind ]; do mkdir -p "$root$3"; mount --bind "$2" "$root$3"; shift 3; done
shift
exec chroot --userspec="$user" "$root" env -C "$folder" "$@"
`

/** Wraps a command so that it runs as root with mounts of its own; it ends, with all it started, when this process ends. */
export function asRoot(command: Command, options: { readonly network?: boolean; readonly userNamespace?: boolean } = {}): Command {
  const userNamespace = options.userNamespace ?? needsUserNamespace()
  return {
    program: 'setpriv',
    args: [
      ...['--pdeathsig', 'KILL', '--'],
      'unshare',
      ...(userNamespace ? ['--user', '--map-root-user', '--map-auto'] : []),
      ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...(options.network === false ? ['--net'] : []),
      ...['--', command.program, ...command.args],
    ],
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: { ...bakeEnvironment, ...command.env },
    cleanEnv: true,
    ...(command.input === undefined ? {} : { input: command.input }),
  }
}

function joinArguments(stack: RootStack, userNamespace: boolean): string[] {
  return [stack.mountPoint, stack.layers.toReversed().join(':'), stack.writable?.upper ?? '-', stack.writable?.work ?? '-', userNamespace ? 'userxattr,' : '']
}

/** A command of this machine that sees the joined root at `stack.mountPoint` (its working folder is `stack.cwd`). */
export function withRoot(stack: RootStack, program: string, args: readonly string[], options: { readonly userNamespace?: boolean } = {}): Command {
  const userNamespace = options.userNamespace ?? needsUserNamespace()
  return asRoot({ program: 'sh', args: ['-c', runScript, 'kiln', ...joinArguments(stack, userNamespace), program, ...args], cwd: stack.cwd }, { userNamespace })
}

/** A command inside the joined root, with /dev, /proc, /run and /tmp of its own. */
export function insideRoot(stack: RootStack, program: string, args: readonly string[], options: ChrootOptions & { readonly userNamespace?: boolean }): Command {
  const userNamespace = options.userNamespace ?? needsUserNamespace()
  const binds = Object.entries(options.binds ?? {}).flatMap(([host, path]) => ['--bind', host, path])
  return asRoot(
    {
      program: 'sh',
      args: ['-c', chrootScript, 'kiln', ...joinArguments(stack, userNamespace), options.workingFolder ?? '/', options.as ?? '0:0', ...binds, '--', program, ...args],
      cwd: stack.cwd,
      ...(options.env === undefined ? {} : { env: options.env }),
    },
    { network: options.network, userNamespace },
  )
}
