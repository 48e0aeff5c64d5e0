/** Clients for the pocket cloud, with the owner's credentials. */
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import type { KilnHome } from '../../host/home.ts'
import { ownerToken } from '../cloud/control.ts'
import { impersonate } from '../cloud/impersonate.ts'
import { kilnVersion } from '../version.ts'

/** Tokens are renewed this long before they end. */
const EARLY_MS = 5 * 60_000

/** Clients that reach the daemon at `url` as the owner of this data folder. */
export function pocketClients(home: KilnHome, url: string): Clients {
  const owner = cachedToken(() => ownerToken(home, url))
  return createClients({ rootUrl: url, accessToken: owner, version: kilnVersion })
}

/** Gives a token, and asks for a new one when it is refused or about to end. */
function cachedToken(get: () => Promise<{ readonly accessToken: string; readonly expiresInSeconds: number }>): (refused: boolean) => Promise<string> {
  let token: { readonly accessToken: string; readonly renewAtMs: number } | undefined
  let pending: Promise<string> | undefined
  return async (refused) => {
    if (!refused && token !== undefined && Date.now() < token.renewAtMs) return token.accessToken
    pending ??= get()
      .then((fresh) => {
        token = { accessToken: fresh.accessToken, renewAtMs: Date.now() + fresh.expiresInSeconds * 1000 - EARLY_MS }
        return fresh.accessToken
      })
      .finally(() => (pending = undefined))
    return pending
  }
}

/** A source of tokens of a service account, asked for by the owner; one token is used for as long as it lasts. */
export function accountToken(clients: Clients, url: string, email: string): () => Promise<string> {
  const get = cachedToken(async () => ({ accessToken: await impersonate(url, await clients.accessToken(), email), expiresInSeconds: 3600 }))
  return () => get(false)
}
