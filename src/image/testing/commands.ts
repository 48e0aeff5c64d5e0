/** For tests of plans: what a command of `namespace.ts` does, without the wrapper, which differs between root and other users. */
import type { Command } from '../../host/exec.ts'

export interface PlainCommand {
  readonly argv: readonly string[]
  /** "layers -> upper" of the joined root, when there is one. */
  readonly root?: string
  readonly inside?: { readonly folder: string; readonly user: string; readonly binds: readonly string[] }
  readonly network: boolean
}

export function plainCommand(command: Command): PlainCommand {
  if (command.program !== 'setpriv') return { argv: [command.program, ...command.args], network: true }
  const wrapped = command.args.slice(command.args.indexOf('unshare'))
  const start = wrapped.indexOf('--')
  const network = !wrapped.slice(0, start).includes('--net')
  const argv = wrapped.slice(start + 1)
  if (argv[0] !== 'sh' || argv[3] !== 'kiln' || !(argv[2] ?? '').includes('mount -t overlay')) return { argv, network }
  const [, layers, upper, , , ...rest] = argv.slice(4)
  const root = `${layers} -> ${upper}`
  if (!(argv[2] ?? '').includes('chroot')) return { argv: rest, root, network }
  const end = rest.indexOf('--')
  return { argv: rest.slice(end + 1), root, inside: { folder: rest[0] ?? '', user: rest[1] ?? '', binds: rest.slice(2, end) }, network }
}
