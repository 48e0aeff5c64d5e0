/** The cloud that a stack is brought up on: the pocket cloud of this data folder, or Google Cloud. Everything above asks only this. */
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import type { KilnHome } from '../../host/home.ts'
import { startCloud } from '../cloud/control.ts'
import { kilnVersion } from '../version.ts'
import { accountToken, pocketClients } from './cloud-clients.ts'

export type Target = 'pocket' | 'gcp'

export interface StackCloud {
  readonly target: Target
  /** What people are told: the pocket cloud's URL, or "Google Cloud". */
  readonly url: string
  readonly clients: Clients
  /** Tokens of a service account, for the narrow things that are done as one. */
  readonly accountToken: (email: string) => () => Promise<string>
}

export interface CloudOptions {
  readonly home: KilnHome
  readonly note: (text: string) => void
  /** Default: the pocket cloud. */
  readonly target?: Target
}

/** The cloud that a verb was asked to work on. @throws KilnError of the pocket cloud's start */
export async function openCloud({ home, note, target }: CloudOptions): Promise<StackCloud> {
  return target === 'gcp' ? openGoogleCloud() : openPocketCloud(home, note)
}

/** Starts the pocket cloud if it does not run. */
async function openPocketCloud(home: KilnHome, note: (text: string) => void): Promise<StackCloud> {
  const { started, daemon } = await startCloud({ home })
  if (started) note(`started the pocket cloud at ${daemon.url}`)
  const clients = pocketClients(home, daemon.url)
  return { target: 'pocket', url: daemon.url, clients, accountToken: (email) => accountToken(clients, daemon.url, email) }
}

/**
 * Google, with the credentials of this machine. Nothing is sent yet. An owner of a project may not act as its service accounts there, so that
 * everything is done as the caller.
 */
export function openGoogleCloud(): StackCloud {
  const clients = createClients({ version: kilnVersion })
  return { target: 'gcp', url: 'Google Cloud', clients, accountToken: () => clients.accessToken }
}

/** The name under which a stack's inventory is kept: what was made on one cloud says nothing of the other. */
export function inventoryName(stack: string, target: Target): string {
  return target === 'pocket' ? stack : `${target}--${stack}`
}
