/**
 * What one room may need of another, as small interfaces. A room provides one at start and others ask the kernel for it, so
 * that no room imports another.
 */
import type { Readable } from 'node:stream'

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
  /** A JWT signed with a Google-managed key of the account (RS256), for identity tokens. */
  signJwt(email: string, claims: Readonly<Record<string, unknown>>): Promise<string>
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

export interface Ports {
  serviceAccounts: ServiceAccountsPort
  objects: ObjectsPort
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
