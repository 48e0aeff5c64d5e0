/** The files of the daemon in its data folder, and what they hold. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { newSecret } from '../../base/ids.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import type { ProcessIdentity } from '../../host/process.ts'

/** Written when the daemon answers: it listens, and its rooms have started. Removed when it stops in order. */
export interface DaemonFile extends ProcessIdentity {
  readonly url: string
  readonly port: number
  readonly version: string
  readonly startedAt: string
  /** Its proxy reaches Google's hosts alone. */
  readonly offline: boolean
}

/** In the form of Google's application default credentials, so that Google's libraries read it as it is. */
export interface OwnerCredentials {
  readonly type: 'authorized_user'
  readonly client_id: string
  readonly client_secret: string
  readonly refresh_token: string
}

export function daemonPaths(home: KilnHome): Record<'daemon' | 'lock' | 'log' | 'owner' | 'lastPort' | 'authority' | 'trust' | 'guestSocket', string> {
  return {
    daemon: join(home.cloud, 'daemon.json'),
    lock: join(home.cloud, 'daemon.lock'),
    log: join(home.cloud, 'daemon.log'),
    owner: join(home.cloud, 'owner.json'),
    lastPort: join(home.cloud, 'last-port'),
    authority: join(home.cloud, 'ca.pem'),
    trust: join(home.cloud, 'ca-bundle.pem'),
    guestSocket: join(home.sockets, 'google.sock'),
  }
}

export async function readDaemonFile(home: KilnHome): Promise<DaemonFile | undefined> {
  const text = await readTextIfExists(daemonPaths(home).daemon)
  return text === undefined ? undefined : (JSON.parse(text) as DaemonFile)
}

/** The owner's credentials; made at first use, readable by this user only. */
export async function ownerCredentials(home: KilnHome): Promise<OwnerCredentials> {
  await mkdir(home.cloud, { recursive: true, mode: 0o700 })
  const path = daemonPaths(home).owner
  const text = await readTextIfExists(path)
  if (text !== undefined) return JSON.parse(text) as OwnerCredentials
  const made: OwnerCredentials = { type: 'authorized_user', client_id: 'kiln-owner', client_secret: 'not-a-secret', refresh_token: newSecret() }
  await writeFileDurable(path, `${JSON.stringify(made, null, 2)}\n`, 0o600)
  return made
}
