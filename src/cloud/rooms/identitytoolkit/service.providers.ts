/** Identity providers that Google knows by name, such as google.com: kept and shown; nobody can sign in by them here. */
import { alreadyExists, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { authError } from './errors.ts'
import type { ProviderBody } from './schema.ts'
import type { ConfigService } from './service.config.ts'
import type { IdentityStore, StoredProvider } from './store.ts'

/** https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects.defaultSupportedIdpConfigs */
const KNOWN = ['apple.com', 'facebook.com', 'gc.apple.com', 'github.com', 'google.com', 'linkedin.com', 'microsoft.com', 'playgames.google.com', 'twitter.com', 'yahoo.com']

export interface ProviderService {
  /** @throws ApiError 400 for one that Google does not know or without client, 404 without a configuration, 409 */
  create(project: string, idpId: string | undefined, body: ProviderBody): StoredProvider
  /** @throws ApiError 404 */
  get(project: string, idpId: string): StoredProvider
  list(project: string): readonly StoredProvider[]
  /** Sets what the mask names; without one what the body has. @throws ApiError 400, 404 */
  change(project: string, idpId: string, body: ProviderBody, updateMask: string | undefined): StoredProvider
  /** @throws ApiError 404 */
  remove(project: string, idpId: string): void
}

export function createProviderService(kernel: Kernel, store: IdentityStore, configs: ConfigService): ProviderService {
  const { database } = kernel

  function get(project: string, idpId: string): StoredProvider {
    const found = store.findProvider(configs.get(project).projectId, idpId)
    if (found === undefined) throw notFound('CONFIGURATION_NOT_FOUND')
    return found
  }

  return {
    create(project, idpId, body) {
      if (idpId === undefined || !KNOWN.includes(idpId)) throw authError('INVALID_IDP_ID', `Invalid IDP ID: ${idpId ?? ''}. Known are ${KNOWN.join(', ')}.`)
      return database.transaction(() => {
        const { projectId } = configs.get(project)
        if (store.findProvider(projectId, idpId) !== undefined) throw alreadyExists('DUPLICATE_IDP : The IDP is configured already.')
        return save({ projectId, idpId, enabled: body.enabled ?? false, clientId: body.clientId ?? '', clientSecret: body.clientSecret ?? '' })
      })
    },
    get,
    list: (project) => store.listProviders(configs.get(project).projectId),
    change(project, idpId, body, updateMask) {
      return database.transaction(() => {
        const before = get(project, idpId)
        const has = inMask(body, updateMask)
        return save({
          ...before,
          ...(has('enabled') ? { enabled: body.enabled ?? false } : {}),
          ...(has('clientId') ? { clientId: body.clientId ?? '' } : {}),
          ...(has('clientSecret') ? { clientSecret: body.clientSecret ?? '' } : {}),
        })
      })
    },
    remove: (project, idpId) => store.removeProvider(get(project, idpId)),
  }

  function save(provider: StoredProvider): StoredProvider {
    if (provider.clientId === '') throw authError('INVALID_CONFIG', 'client_id is required.')
    if (provider.clientSecret === '' && provider.enabled) throw authError('INVALID_CONFIG', 'client_secret is required.')
    store.putProvider(provider)
    return provider
  }
}

function inMask(body: ProviderBody, updateMask: string | undefined): (field: 'enabled' | 'clientId' | 'clientSecret') => boolean {
  const names = (updateMask ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase())]))
  const unknown = names.find((name) => !['enabled', 'clientId', 'clientSecret', 'name'].includes(name))
  if (unknown !== undefined) throw invalidArgument(`Invalid field mask: ${unknown} cannot be changed.`)
  return (field) => (names.length === 0 ? body[field] !== undefined : names.includes(field))
}
