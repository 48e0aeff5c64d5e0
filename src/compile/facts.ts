/** What compiling needs to know beside the config. The app reads it beforehand, so that compiling stays pure. */
import { resolve } from 'node:path'
import type { StackConfig } from '../config/schema.ts'
import { identityProviderName } from '../resources/identity-provider/resource.ts'
import { secretName } from '../resources/secret-version/resource.ts'

export interface FileFacts {
  /** Base64 of the MD5. */
  readonly md5: string
}

export interface StackFacts {
  /** Absolute path of the folder with `kiln.config.ts`. */
  readonly stackDir: string
  /** The stack's name, for labels. Default: the project's id. */
  readonly stack?: string
  /** The Python package's normalised name, for its address. Default: the name of its folder. */
  readonly packageName?: string
  /** Where whoever rolls releases out asks VMs from, as CIDR ranges. Default: nowhere, and VMs are not asked for their version. */
  readonly operatorRanges?: readonly string[]
  /** By absolute path; must have every path of `filesToRead`. */
  readonly files: Readonly<Record<string, FileFacts>>
  /** By absolute path; must have every path of `textsToRead`. */
  readonly texts?: Readonly<Record<string, string>>
  /** By the full name of the thing that holds the value (`SecretToRead.name`); those whose value is not on this machine are missing. */
  readonly secretDigests?: Readonly<Record<string, string>>
}

/** A value that the config refers to, and what holds it in the cloud. */
export interface SecretToRead {
  /** `projects/P/secrets/S` and the like: what salts the digest. */
  readonly name: string
  /** `env:NAME`, or `file:` with an absolute path. */
  readonly from: string
}

/** Absolute paths of the files whose checksums compiling needs: those that become objects in buckets. Sorted, without repetition. */
export function filesToRead(config: StackConfig, stackDir: string): readonly string[] {
  const paths = Object.values(config.buckets).flatMap((bucket) => Object.values(bucket.objects).map((path) => resolve(stackDir, path)))
  return [...new Set(paths)].sort()
}

/** Absolute paths of the files whose text becomes part of a resource: security rules and lists of indexes. */
export function textsToRead(config: StackConfig, stackDir: string): readonly string[] {
  const { firestore } = config
  const paths = [firestore?.rules, typeof firestore?.indexes === 'string' ? firestore.indexes : undefined].filter((path) => path !== undefined)
  return paths.map((path) => resolve(stackDir, path))
}

/** The values whose digests compiling needs. */
export function secretsToRead(config: StackConfig, stackDir: string): readonly SecretToRead[] {
  const projectId = config.project.id
  const google = config.auth?.google
  return [
    ...Object.entries(config.secrets).map(([secretId, { from }]) => ({ name: secretName({ projectId, secretId }), from: secretSource(from, stackDir) })),
    ...(google === undefined ? [] : [{ name: identityProviderName({ projectId, idpId: 'google.com' }), from: secretSource(google.clientSecret, stackDir) }]),
  ]
}

/** A reference of the config as it is read: paths made absolute. */
export function secretSource(from: string, stackDir: string): string {
  return from.startsWith('file:') ? `file:${resolve(stackDir, from.slice('file:'.length))}` : from
}
