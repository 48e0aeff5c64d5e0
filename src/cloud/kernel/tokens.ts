/**
 * Bearer tokens. Opaque and random; only their SHA-256 is stored, so a copied database opens nothing. They survive a restart
 * of the daemon, since VMs and tools keep them for an hour.
 */
import { newSecret, sha256Hex } from '../../base/ids.ts'
import type { Database, Migrations } from '../../store/database.ts'
import type { Principal } from './principal.ts'

export const tokenMigrations: Migrations = {
  namespace: 'kernel.tokens',
  steps: [
    'CREATE TABLE tokens (sha256 TEXT PRIMARY KEY, member TEXT NOT NULL, email TEXT NOT NULL, scopes TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT',
    // A JSON list: the sets that a federated identity belongs to.
    "ALTER TABLE tokens ADD COLUMN sets TEXT NOT NULL DEFAULT '[]'",
  ],
}

export interface MintedToken {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly expiresAtMs: number
}

export interface TokenInfo {
  readonly principal: Principal
  readonly scopes: readonly string[]
  readonly expiresAtMs: number
}

export interface Tokens {
  /** A token for `lifetimeSeconds` (default one hour, at most twelve). */
  mint(principal: Principal, options?: { readonly scopes?: readonly string[]; readonly lifetimeSeconds?: number }): MintedToken
  /** Who holds this token; undefined when it is unknown or expired. */
  verify(accessToken: string): TokenInfo | undefined
  /** Ends every token of a principal (its account was disabled or deleted). */
  revoke(member: string): void
  /** Ends one token. False when there is none like it. */
  end(accessToken: string): boolean
}

const MAX_LIFETIME_SECONDS = 12 * 3600

/** @param limit how long a principal's new tokens live, when a fault says so */
export function createTokens(
  database: Database,
  nowMs: () => number = Date.now,
  limit: (principal: Principal) => { readonly seconds: number; readonly silent: boolean } | undefined = () => undefined,
): Tokens {
  database.migrate(tokenMigrations)
  database.run('DELETE FROM tokens WHERE expires_at < ?', nowMs())

  const find = database.remember((sha256): TokenInfo | undefined => {
    const row = database.get<{ member: string; email: string; scopes: string; expires_at: number; sets: string }>(
      'SELECT member, email, scopes, expires_at, sets FROM tokens WHERE sha256 = ?',
      sha256,
    )
    if (row === undefined) return undefined
    const sets = JSON.parse(row.sets) as readonly string[]
    return { principal: { member: row.member, email: row.email, ...(sets.length === 0 ? {} : { sets }) }, scopes: row.scopes.split(' '), expiresAtMs: row.expires_at }
  })

  return {
    mint(principal, options = {}) {
      const usualSeconds = Math.min(options.lifetimeSeconds ?? 3600, MAX_LIFETIME_SECONDS)
      const limited = limit(principal)
      const lifetimeSeconds = Math.min(usualSeconds, limited?.seconds ?? usualSeconds)
      const promisedSeconds = limited?.silent === true ? usualSeconds : lifetimeSeconds
      const accessToken = `ya29.${newSecret()}`
      const now = nowMs()
      const expiresAtMs = now + lifetimeSeconds * 1000
      const scopes = options.scopes ?? ['https://www.googleapis.com/auth/cloud-platform']
      const sets = JSON.stringify(principal.sets ?? [])
      database.run('INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)', sha256Hex(accessToken), principal.member, principal.email, scopes.join(' '), expiresAtMs, sets)
      return { accessToken, expiresInSeconds: promisedSeconds, expiresAtMs: now + promisedSeconds * 1000 }
    },
    verify(accessToken) {
      // The look-up is by hash, so its timing tells nothing about the secret.
      const info = find(sha256Hex(accessToken))
      return info === undefined || info.expiresAtMs <= nowMs() ? undefined : info
    },
    revoke(member) {
      database.run('DELETE FROM tokens WHERE member = ?', member)
    },
    end: (accessToken) => database.run('DELETE FROM tokens WHERE sha256 = ?', sha256Hex(accessToken)) > 0,
  }
}
