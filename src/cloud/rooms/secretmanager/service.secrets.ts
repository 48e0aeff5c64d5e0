/** Secrets: names, labels, replication as it was asked for, expiry. The payloads are in their versions. */
import { newEtag } from '../../../base/ids.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import { etagMismatch, secretExists, secretNotFound } from './errors.ts'
import { checkLabels, checkSecretId } from './schema.ts'
import type { SecretBody } from './schema.ts'
import type { Secret, SecretConfig, SecretStore } from './store.ts'

export interface SecretService {
  /** @throws ApiError 404 */
  get(project: string, secretId: string): Secret
  /** Sorted by id. */
  list(project: string): readonly Secret[]
  /** @throws ApiError 400, 409 */
  create(project: string, secretId: string | undefined, body: SecretBody): Secret
  /** Changes the fields that the mask names (in either spelling). @throws ApiError 400, 404 */
  change(project: string, secretId: string, body: SecretBody, updateMask: string | undefined): Secret
  /** @throws ApiError 400 for another etag, 404 */
  remove(project: string, secretId: string, etag: string | undefined): void
  /** `projects/NUMBER/secrets/ID`. */
  nameOf(secret: { readonly projectId: string; readonly secretId: string }): string
  /** What permissions are asked on; the secret need not exist, so that nobody learns which do. */
  target(project: string, secretId: string): Target
}

const CHANGEABLE = ['labels', 'annotations', 'topics', 'rotation', 'versionAliases', 'versionDestroyTtl', 'expireTime', 'ttl'] as const

export function createSecretService(kernel: Kernel, store: SecretStore): SecretService {
  const { database, projects, policies } = kernel

  function projectIdOf(project: string): string {
    return projects.requireActive(project, 'secretmanager.googleapis.com').projectId
  }

  function nameOf(secret: { readonly projectId: string; readonly secretId: string }): string {
    return `projects/${projects.find(secret.projectId)?.projectNumber ?? secret.projectId}/secrets/${secret.secretId}`
  }

  function policyName(secret: { readonly projectId: string; readonly secretId: string }): string {
    return `projects/${secret.projectId}/secrets/${secret.secretId}`
  }

  function removeExpired(): void {
    for (const secret of store.expired(new Date().toISOString())) removeNow(secret)
  }

  function removeNow(secret: Secret): void {
    database.transaction(() => {
      store.remove(secret.projectId, secret.secretId)
      policies.remove(policyName(secret))
    })
  }

  function get(project: string, secretId: string): Secret {
    removeExpired()
    const projectId = projectIdOf(project)
    const secret = store.find(projectId, secretId)
    if (secret === undefined) throw secretNotFound(nameOf({ projectId, secretId }))
    return secret
  }

  return {
    get,
    list(project) {
      removeExpired()
      return store.list(projectIdOf(project))
    },
    create(project, id, body) {
      const secretId = checkSecretId(id)
      const projectId = projectIdOf(project)
      removeExpired()
      const { automatic, userManaged } = body.replication ?? {}
      if ((automatic === undefined) === (userManaged === undefined)) throw invalidArgument('Secret.replication must be set to either automatic or userManaged.')
      const secret: Secret = {
        projectId,
        secretId,
        createTime: new Date().toISOString(),
        expireTime: toExpireTime(body),
        etag: newEtag(),
        lastVersion: 0,
        config: toConfig(body),
      }
      checkConfig(secret)
      database.transaction(() => {
        if (store.find(projectId, secretId) !== undefined) throw secretExists(nameOf(secret))
        store.insert(secret)
      })
      return secret
    },
    change(project, secretId, body, updateMask) {
      const fields = parseMask(updateMask)
      return database.transaction(() => {
        const secret = get(project, secretId)
        if (typeof body.etag === 'string' && body.etag !== '' && body.etag !== secret.etag) throw etagMismatch(nameOf(secret))
        const config: Record<string, unknown> = { ...secret.config }
        for (const field of fields) if (field !== 'expireTime' && field !== 'ttl') config[field] = body[field] ?? undefined
        const isExpiryChanged = fields.includes('expireTime') || fields.includes('ttl')
        const changed: Secret = { ...secret, config: config as SecretConfig, expireTime: isExpiryChanged ? toExpireTime(body) : secret.expireTime, etag: newEtag() }
        checkConfig(changed)
        store.update(changed)
        return changed
      })
    },
    remove(project, secretId, etag) {
      const secret = get(project, secretId)
      if (etag !== undefined && etag !== '' && etag !== secret.etag) throw etagMismatch(nameOf(secret))
      removeNow(secret)
    },
    nameOf,
    target(project, secretId) {
      const projectId = projects.find(project)?.projectId ?? project
      return { projectId, resource: policyName({ projectId, secretId }) }
    },
  }
}

function toConfig(body: SecretBody): SecretConfig {
  const { replication, labels, annotations, topics, rotation, versionAliases, versionDestroyTtl } = body
  return { replication, labels, annotations, topics, rotation, versionAliases, versionDestroyTtl }
}

function checkConfig(secret: Secret): void {
  const { labels, annotations, versionAliases } = secret.config
  checkLabels(labels ?? {})
  const annotationBytes = Object.entries(annotations ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (annotationBytes > 16 * 1024) throw invalidArgument('Annotations may have at most 16 KiB.')
  for (const [alias, version] of Object.entries(versionAliases ?? {})) {
    if (!/^[A-Za-z][\w-]{0,62}$/.test(alias) || alias === 'latest' || alias === 'NEW') throw invalidArgument(`Invalid version alias: ${alias}`)
    if (!/^[1-9]\d*$/.test(version) || Number(version) > secret.lastVersion) throw invalidArgument(`The version alias ${alias} names version ${version}, which does not exist.`)
  }
}

/** @throws ApiError 400 for a time that is over */
function toExpireTime(body: SecretBody): string | undefined {
  const { expireTime, ttl } = body
  if (typeof expireTime === 'string' && typeof ttl === 'string') throw invalidArgument('Only one of expireTime and ttl can be set.')
  if (typeof ttl === 'string') {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(ttl)?.[1]
    if (seconds === undefined || Number(seconds) <= 0) throw invalidArgument(`Invalid ttl: ${ttl}`)
    return new Date(Date.now() + Number(seconds) * 1000).toISOString()
  }
  if (typeof expireTime !== 'string') return undefined
  const time = Date.parse(expireTime)
  if (Number.isNaN(time) || time <= Date.now()) throw invalidArgument(`expireTime must be a time in the future: ${expireTime}`)
  return new Date(time).toISOString()
}

function parseMask(updateMask: string | undefined): readonly (typeof CHANGEABLE)[number][] {
  const names = (updateMask ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  if (names.length === 0) throw invalidArgument('The update mask must name at least one field.')
  return names.map((name) => {
    const camel = name.replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase())
    const field = CHANGEABLE.find((each) => camel === each || camel.startsWith(`${each}.`))
    if (field === undefined) throw invalidArgument(`The field ${name} cannot be changed.`)
    return field
  })
}
