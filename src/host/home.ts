/** The data folder and the paths in it that more than one layer needs. */
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { sha256Hex } from '../base/ids.ts'

export interface KilnHome {
  /** Absolute path of the data folder. */
  readonly root: string
  /** State of the pocket cloud: database, blobs, VM folders, daemon file. */
  readonly cloud: string
  /** Baker caches: root layers, wheels, disks. Can be emptied at any time. */
  readonly cache: string
  /** The engine's inventory and leases. */
  readonly engine: string
  /** Short path for sockets (their length limit is 107 bytes, unix(7)), different for each data folder. */
  readonly sockets: string
}

/** The data folder: `KILN_HOME`, else `$XDG_DATA_HOME/kiln`, else `~/.local/share/kiln`. Creates nothing. */
export function kilnHome(env: NodeJS.ProcessEnv = process.env): KilnHome {
  const xdg = env['XDG_DATA_HOME']
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] ?? homedir(), '.local', 'share')
  const root = resolve(env['KILN_HOME'] || join(base, 'kiln'))
  return {
    root,
    cloud: join(root, 'cloud'),
    cache: join(root, 'cache'),
    engine: join(root, 'engine'),
    sockets: join(tmpdir(), `kiln-${process.getuid?.() ?? 0}-${sha256Hex(root).slice(0, 12)}`),
  }
}
