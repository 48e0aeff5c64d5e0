/**
 * What one room may need of another, as small interfaces. A room provides one at start and others ask the kernel for it, so
 * that no room imports another.
 */
import type { Readable } from 'node:stream'
import type { OidcProvider, PoolName, ProviderName } from '../../oidc/provider.ts'

export interface ServiceAccountInfo {
  readonly email: string
  readonly uniqueId: string
  readonly projectId: string
  readonly disabled: boolean
}

/** Provided by the iam room. */
export interface ServiceAccountsPort {
  /** By e-mail or unique id. */
  find(emailOrId: string): ServiceAccountInfo | undefined
  /** Checks the JSON text of a key file: right key id, right private key, account not disabled. */
  verifyKeyFile(json: string): Promise<ServiceAccountInfo | undefined>
  /** An identity token with these claims about the account, signed with the cloud's own issuer key (RS256). @throws ApiError 404, 403 when the account is gone or disabled */
  signJwt(email: string, claims: Readonly<Record<string, unknown>>): Promise<string>
}

export interface PublicKeyInfo {
  /** 40 hex digits, the `kid` of tokens signed with it. */
  readonly keyId: string
  readonly email: string
  /** SPKI in PEM. */
  readonly publicKeyPem: string
  /** The same key as a self-signed X.509 certificate in PEM. */
  readonly certificatePem: string
}

/** Provided by the iam room, for the token endpoints. */
export interface ServiceAccountKeysPort {
  /** Keys that may sign an assertion of this account while it may act: user-managed ones that are enabled and not expired, and the Google-managed one (signJwt); only `keyId`, when given. */
  assertionKeys(email: string, keyId?: string): readonly PublicKeyInfo[]
  /** Public half of the account's Google-managed key, once it has one. */
  managedKeys(email: string): readonly PublicKeyInfo[]
  /** What identity tokens are checked with. No caller can have anything signed with these keys, unlike those of accounts. */
  issuerKeys(): readonly PublicKeyInfo[]
  /** A JWT whose claims are exactly this JSON text, signed with the account's Google-managed key. */
  signClaims(email: string, claimsJson: string): Promise<{ readonly keyId: string; readonly jwt: string }>
  /** RSASSA-PKCS1-v1_5 with SHA-256 over the bytes, by the account's Google-managed key. */
  signBytes(email: string, bytes: Uint8Array): Promise<{ readonly keyId: string; readonly signature: Uint8Array }>
}

/** Provided by the iam room, for the token exchange and for the check of its tokens. */
export interface WorkloadIdentityPort {
  /** The provider, when neither it nor its pool is deleted or disabled. */
  provider(name: ProviderName): OidcProvider | undefined
  /** Tokens of a pool that is deleted or disabled open nothing; those of a provider that is, do. */
  isPoolActive(pool: PoolName): boolean
}

export interface ObjectInfo {
  readonly bucket: string
  readonly name: string
  readonly generation: string
  readonly sizeBytes: number
  readonly sha256: string
  readonly projectId: string
}

/** Provided by the storage room. */
export interface ObjectsPort {
  stat(bucket: string, name: string): ObjectInfo | undefined
  read(object: ObjectInfo): Readable
}

/** Provided by the dns room. */
export interface NamesPort {
  /** IPv4 addresses that the public zones of this cloud give for a host; empty for names of no zone. */
  addresses(host: string): readonly string[]
}

/** Requests that a backend service answered, of one class of answers. */
export interface RequestCounts {
  /** Its name. */
  readonly backendService: string
  /** 100 … 500; 0: none of these. */
  readonly codeClass: number
  /** In the order of time. */
  readonly points: readonly { readonly startMs: number; readonly endMs: number; readonly count: number }[]
}

/** Provided by the compute room. */
export interface RequestCountsPort {
  list(projectId: string): readonly RequestCounts[]
}

export interface Ports {
  serviceAccounts: ServiceAccountsPort
  serviceAccountKeys: ServiceAccountKeysPort
  workloadIdentity: WorkloadIdentityPort
  objects: ObjectsPort
  names: NamesPort
  requestCounts: RequestCountsPort
}

export interface PortRegistry {
  provide<Name extends keyof Ports>(name: Name, port: Ports[Name]): void
  /** @throws Error when no room provides it: a wiring mistake, not a user's. */
  use<Name extends keyof Ports>(name: Name): Ports[Name]
}

export function createPorts(): PortRegistry {
  const provided: Partial<Ports> = {}
  return {
    provide(name, port) {
      provided[name] = port
    },
    use(name) {
      const port = provided[name]
      if (port === undefined) throw new Error(`no room provides the port ${name}`)
      return port
    },
  }
}
