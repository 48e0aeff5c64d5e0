/** A project's configuration of Identity Platform, and the API key that its apps call with. */
import { randomBytes } from 'node:crypto'
import type { Kernel } from '../../kernel/kernel.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import { apiKeyInvalid, apiKeyMissing, authError, configurationNotFound } from './errors.ts'
import type { ConfigBody } from './schema.ts'
import type { IdentityStore, StoredConfig } from './store.ts'

export const IDENTITY_SERVICE = 'identitytoolkit.googleapis.com'

export interface ConfigService {
  /** @throws ApiError 400 when it is there already */
  initialize(project: string): void
  /** @throws ApiError 404 CONFIGURATION_NOT_FOUND */
  get(project: string): StoredConfig
  /** Sets what the mask names, dotted paths in either spelling; without a mask what the body has. @throws ApiError 400, 404 */
  change(project: string, body: ConfigBody, updateMask: string | undefined): StoredConfig
  /** In Google's shape, with what the server fills in. */
  present(stored: StoredConfig, withHash: boolean): Record<string, unknown>
  /** The project that an API key stands for. @throws ApiError 400 for an unknown key, 403 without one or when the service is disabled */
  ofKey(apiKey: string | undefined): StoredConfig
}

/** What clients may set. The rest of a configuration belongs to the server. */
const CHANGEABLE = [
  'signIn',
  'notification',
  'quota',
  'monitoring',
  'multiTenant',
  'authorizedDomains',
  'client',
  'mfa',
  'blockingFunctions',
  'smsRegionConfig',
  'autodeleteAnonymousUsers',
  'passwordPolicyConfig',
  'emailPrivacyConfig',
  'recaptchaConfig',
  'mobileLinksConfig',
  'defaultHostingSite',
]

export function createConfigService(kernel: Kernel, store: IdentityStore): ConfigService {
  const { database, projects } = kernel

  function get(project: string): StoredConfig {
    const stored = store.findConfig(projects.requireActive(project, IDENTITY_SERVICE).projectId)
    if (stored === undefined) throw configurationNotFound()
    return stored
  }

  return {
    initialize(project) {
      const { projectId } = projects.requireActive(project, IDENTITY_SERVICE)
      database.transaction(() => {
        if (store.findConfig(projectId) !== undefined) throw authError('INVALID_PROJECT_ID', 'Identity Platform has already been enabled for this project.')
        store.insertConfig({
          projectId,
          // The form of Google's keys: AIza and 35 more characters.
          apiKey: `AIza${randomBytes(27).toString('base64url').slice(0, 35)}`,
          config: { authorizedDomains: ['localhost', `${projectId}.firebaseapp.com`, `${projectId}.web.app`], emailPrivacyConfig: { enableImprovedEmailPrivacy: true } },
          hashKey: randomBytes(64).toString('base64'),
        })
      })
    },
    get,
    change(project, body, updateMask) {
      return database.transaction(() => {
        const stored = get(project)
        const paths = pathsOf(body, updateMask)
        let { config } = stored
        for (const path of paths) config = setAt(config, path, valueAt(body, path))
        const changed: StoredConfig = { ...stored, config: withoutServersOwn(config) }
        store.updateConfig(changed)
        return changed
      })
    },
    present(stored, withHash) {
      const { config, projectId } = stored
      const hashConfig = { algorithm: 'SCRYPT', signerKey: stored.hashKey, saltSeparator: 'Bw==', rounds: 8, memoryCost: 14 }
      return {
        name: `projects/${projects.find(projectId)?.projectNumber ?? projectId}/config`,
        ...config,
        signIn: { ...asObject(config['signIn']), ...(withHash ? { hashConfig } : {}) },
        notification: config['notification'] ?? {},
        quota: config['quota'] ?? {},
        monitoring: config['monitoring'] ?? { requestLogging: {} },
        multiTenant: config['multiTenant'] ?? {},
        mfa: { state: 'DISABLED', ...asObject(config['mfa']) },
        blockingFunctions: config['blockingFunctions'] ?? {},
        subtype: 'IDENTITY_PLATFORM',
        client: { permissions: {}, ...asObject(config['client']), apiKey: stored.apiKey, firebaseSubdomain: projectId },
      }
    },
    ofKey(apiKey) {
      if (apiKey === undefined || apiKey === '') throw apiKeyMissing()
      const stored = store.configOfKey(apiKey)
      if (stored === undefined) throw apiKeyInvalid()
      projects.requireService(projects.requireActive(stored.projectId, IDENTITY_SERVICE).projectId, IDENTITY_SERVICE)
      return stored
    },
  }
}

/** @throws ApiError 400 for a field that cannot be changed */
function pathsOf(body: ConfigBody, updateMask: string | undefined): readonly (readonly string[])[] {
  const names = (updateMask ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  if (names.length === 0) return CHANGEABLE.filter((field) => body[field] !== undefined).map((field) => [field])
  return names.map((name) => {
    const path = name.split('.').map((part) => part.replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase()))
    if (!CHANGEABLE.includes(path[0] ?? '')) throw invalidArgument(`Invalid field mask: ${name} cannot be changed.`)
    return path
  })
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function valueAt(body: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, part) => asObject(value)[part], body)
}

function setAt(target: Readonly<Record<string, unknown>>, path: readonly string[], value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = path
  const next = rest.length === 0 ? value : setAt(asObject(target[first]), rest, value)
  return Object.fromEntries(Object.entries({ ...target, [first]: next }).filter(([, each]) => each !== undefined && each !== null))
}

/** Keys and hashes come from the server, whatever a client sends back. */
function withoutServersOwn(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { hashConfig: _hash, ...signIn } = asObject(config['signIn'])
  const { apiKey: _key, firebaseSubdomain: _domain, ...client } = asObject(config['client'])
  return { ...config, ...(config['signIn'] === undefined ? {} : { signIn }), ...(config['client'] === undefined ? {} : { client }) }
}
