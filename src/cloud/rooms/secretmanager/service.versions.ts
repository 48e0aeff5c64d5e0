/** Versions: immutable payloads of up to 64 KiB, numbered from 1. */
import { crc32c } from '@node-rs/crc32'
import { newEtag } from '../../../base/ids.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import { decodeBase64 } from '../../kernel/base64.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { etagMismatch, versionInState, versionNotFound } from './errors.ts'
import type { AddVersionBody } from './schema.ts'
import type { SecretService } from './service.secrets.ts'
import type { Secret, SecretStore, SecretVersion, VersionState } from './store.ts'

/** https://cloud.google.com/secret-manager/quotas */
const MAX_PAYLOAD_BYTES = 64 * 1024

export interface Payload {
  /** Standard base64. */
  readonly data: string
  /** The CRC32C as a decimal number. */
  readonly dataCrc32c: string
}

export interface VersionService {
  /** By number, alias, or `latest`: the newest one in whatever state. @throws ApiError 404 */
  get(project: string, secretId: string, version: string): SecretVersion
  /** Newest first. @throws ApiError 404 */
  list(project: string, secretId: string): readonly SecretVersion[]
  /** @throws ApiError 400 for an empty or large payload and for a wrong checksum, 404 */
  add(project: string, secretId: string, body: AddVersionBody): SecretVersion
  /** @throws ApiError 404, 400 FAILED_PRECONDITION unless it is enabled */
  access(project: string, secretId: string, version: string): { readonly version: SecretVersion; readonly payload: Payload }
  /** Destroying is for ever. @throws ApiError 404, 400 */
  setState(project: string, secretId: string, version: string, state: VersionState, etag: string | undefined): SecretVersion
  /** `projects/NUMBER/secrets/ID/versions/N`. */
  nameOf(version: SecretVersion): string
}

export function createVersionService(kernel: Kernel, store: SecretStore, secrets: SecretService): VersionService {
  const { database } = kernel

  function nameOf(version: SecretVersion): string {
    return `${secrets.nameOf(version)}/versions/${version.version}`
  }

  function find(secret: Secret, text: string): SecretVersion {
    const number = text === 'latest' ? String(secret.lastVersion) : (secret.config.versionAliases?.[text] ?? text)
    const version = /^\d{1,15}$/.test(number) ? store.findVersion(secret, Number(number)) : undefined
    if (version === undefined) throw versionNotFound(`${secrets.nameOf(secret)}/versions/${text}`)
    return version
  }

  return {
    get: (project, secretId, version) => find(secrets.get(project, secretId), version),
    list: (project, secretId) => store.listVersions(secrets.get(project, secretId)),
    add(project, secretId, body) {
      const bytes = decodeBase64(body.payload?.data ?? '', 'payload.data')
      if (bytes.length === 0) throw invalidArgument('Secret Payload cannot be empty.')
      if (bytes.length > MAX_PAYLOAD_BYTES)
        throw invalidArgument(`The request is too large: a payload may have at most ${MAX_PAYLOAD_BYTES} bytes, and this one has ${bytes.length}.`)
      const sent = body.payload?.dataCrc32c
      if (sent !== undefined && sent !== String(crc32c(bytes)))
        throw invalidArgument('The checksum dataCrc32c does not match the payload: the data was changed on its way. Please send it again.')
      return database.transaction(() => {
        const secret = secrets.get(project, secretId)
        const version: SecretVersion = {
          projectId: secret.projectId,
          secretId,
          version: secret.lastVersion + 1,
          state: 'ENABLED',
          createTime: new Date().toISOString(),
          destroyTime: undefined,
          etag: newEtag(),
          hasClientChecksum: sent !== undefined,
        }
        store.update({ ...secret, lastVersion: version.version })
        store.insertVersion(version, bytes)
        return version
      })
    },
    access(project, secretId, text) {
      const version = find(secrets.get(project, secretId), text)
      const payload = store.payload(version)
      if (version.state !== 'ENABLED' || payload === undefined) throw versionInState(nameOf(version), version.state)
      const bytes = Buffer.from(payload)
      return { version, payload: { data: bytes.toString('base64'), dataCrc32c: String(crc32c(bytes)) } }
    },
    setState(project, secretId, text, state, etag) {
      return database.transaction(() => {
        const version = find(secrets.get(project, secretId), text)
        if (etag !== undefined && etag !== '' && etag !== version.etag) throw etagMismatch(nameOf(version))
        if (version.state === state && state !== 'DESTROYED') return version
        if (version.state === 'DESTROYED') throw versionInState(nameOf(version), version.state)
        const changed: SecretVersion = { ...version, state, etag: newEtag(), destroyTime: state === 'DESTROYED' ? new Date().toISOString() : undefined }
        store.updateVersion(changed)
        return changed
      })
    },
    nameOf,
  }
}
