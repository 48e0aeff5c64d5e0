/** Workload identity pools and providers: their life cycle, and what the token exchange and policies learn of them. */
import { alreadyExists, ApiError, failedPrecondition, invalidArgument, notFound } from '../../kernel/api-error.ts'
import { conditionError, mappingError } from '../../../oidc/attributes.ts'
import { issuerUriProblem, parseKeySetText } from '../../../oidc/issuer-keys.ts'
import { poolOfMember, poolPath } from '../../../oidc/provider.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import type { Project } from '../../kernel/projects.ts'
import { UNDELETE_DAYS } from './store.pools.ts'
import type { PoolRecord, PoolStore, ProviderRecord } from './store.pools.ts'

const SERVICE = 'iam.googleapis.com'
/** https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools/create */
const ID = /^[a-z0-9-]{4,32}$/
const MAX_DISPLAY_NAME = 32
const MAX_DESCRIPTION = 256
const MAX_AUDIENCES = 10
const MAX_AUDIENCE_LENGTH = 256

export type PoolEdit = Partial<Pick<PoolRecord, 'displayName' | 'description' | 'disabled' | 'mode'>>
export type ProviderEdit = Partial<Pick<ProviderRecord, 'displayName' | 'description' | 'disabled' | 'attributeMapping' | 'attributeCondition'>> & {
  readonly oidc?: Partial<ProviderRecord['oidc']>
}

export type PoolService = ReturnType<typeof createPoolService>

export function createPoolService(kernel: Kernel, store: PoolStore) {
  const { database, policies, projects } = kernel

  /** Deleted ones too: clients look at their state. @throws ApiError 404 */
  function getPool(project: string, poolId: string): PoolRecord {
    purge()
    const found = store.pool(projectIdOf(project), poolId)
    if (found === undefined) throw missing(`workloadIdentityPools/${poolId}`)
    return found
  }

  /** @throws ApiError 404 */
  function getProvider(project: string, poolId: string, providerId: string): ProviderRecord {
    const pool = getPool(project, poolId)
    const found = store.provider(pool.projectId, poolId, providerId)
    if (found === undefined) throw missing(`workloadIdentityPools/${poolId}/providers/${providerId}`)
    return found
  }

  function projectIdOf(idOrNumber: string): string {
    return projects.find(idOrNumber)?.projectId ?? idOrNumber
  }

  function requireProject(idOrNumber: string): Project {
    return projects.requireActive(idOrNumber, SERVICE)
  }

  function purge(): void {
    store.purge(new Date(Date.now() - UNDELETE_DAYS * 86_400_000).toISOString())
  }

  function savePool(pool: PoolRecord): PoolRecord {
    checkTexts(pool)
    store.putPool(pool)
    return pool
  }

  function saveProvider(provider: ProviderRecord): ProviderRecord {
    checkProvider(provider)
    store.putProvider(provider)
    return provider
  }

  function activePool(projectNumber: string, poolId: string): PoolRecord | undefined {
    const project = projects.find(projectNumber)
    if (project?.state !== 'ACTIVE' || project.projectNumber !== projectNumber) return undefined
    const pool = store.pool(project.projectId, poolId)
    return pool === undefined || pool.deletedAt !== undefined || pool.disabled ? undefined : pool
  }

  kernel.ports.provide('workloadIdentity', {
    isPoolActive: ({ projectNumber, poolId }) => activePool(projectNumber, poolId) !== undefined,
    provider({ projectNumber, poolId, providerId }) {
      const pool = activePool(projectNumber, poolId)
      const found = pool === undefined ? undefined : store.provider(pool.projectId, poolId, providerId)
      if (found === undefined || found.deletedAt !== undefined || found.disabled) return undefined
      const { oidc, attributeMapping, attributeCondition } = found
      return { projectNumber, poolId, providerId, attributeMapping, attributeCondition, ...oidc }
    },
  })

  policies.checkMembers((member) => {
    if (!/^principal(Set)?:\/\/[^/]+\/projects\//.test(member)) return undefined
    const pool = poolOfMember(member)
    const rest = member.startsWith('principal:') ? /^subject\/.+$/ : /^(group\/.+|attribute\.[a-z0-9_]+\/.+|\*|namespace\/.+)$/
    if (pool === undefined || !rest.test(pool.rest)) return `The member ${member} is not a valid principal identifier of a workload identity pool.`
    const project = projects.find(pool.projectNumber)
    const found = project?.projectNumber === pool.projectNumber ? store.pool(project.projectId, pool.poolId) : undefined
    if (found !== undefined && found.deletedAt === undefined) return undefined
    const hint = project !== undefined && project.projectNumber !== pool.projectNumber ? ` Policies name pools by the project's number: ${project.projectNumber}.` : ''
    return `Identity Pool does not exist (${poolPath(pool)}). Please check that you specified a valid resource name as returned in the \`name\` attribute in the configuration API.${hint}`
  })

  return {
    getPool,
    getProvider,

    /** By id. `showDeleted` includes those that can still come back. @throws ApiError 403 */
    listPools(project: string, request: PageRequest, showDeleted: boolean): Page<PoolRecord> {
      purge()
      const found = store.pools(requireProject(project).projectId).filter((pool) => showDeleted || pool.deletedAt === undefined)
      return page(found, request, (pool) => pool.poolId, { size: 50, max: 1000 })
    },

    /** @throws ApiError 400, 403, 409 also for the id of a deleted one */
    createPool(project: string, poolId: string, edit: PoolEdit): PoolRecord {
      checkId('workload_identity_pool_id', poolId)
      if (edit.mode !== undefined && !['MODE_UNSPECIFIED', 'FEDERATION_ONLY'].includes(edit.mode))
        throw new ApiError('UNIMPLEMENTED', `Pools of mode ${edit.mode} are not implemented by the pocket cloud: use FEDERATION_ONLY.`)
      return database.transaction(() => {
        purge()
        const { projectId } = requireProject(project)
        if (store.pool(projectId, poolId) !== undefined) throw existing()
        return savePool({ projectId, poolId, displayName: '', description: '', disabled: false, ...defined(edit) })
      })
    },

    /** @throws ApiError 400, also for a deleted one, 404 */
    updatePool: (project: string, poolId: string, edit: PoolEdit): PoolRecord => database.transaction(() => savePool({ ...live(getPool(project, poolId)), ...defined(edit) })),

    /** Its tokens stop working at once; policies keep naming it. @throws ApiError 404 */
    removePool: (project: string, poolId: string): PoolRecord => database.transaction(() => savePool({ ...live(getPool(project, poolId)), deletedAt: new Date().toISOString() })),

    /** @throws ApiError 400 when it is not deleted, 404 */
    undeletePool: (project: string, poolId: string): PoolRecord => database.transaction(() => savePool(revived(getPool(project, poolId)))),

    /** By id. @throws ApiError 404 */
    listProviders(project: string, poolId: string, request: PageRequest, showDeleted: boolean): Page<ProviderRecord> {
      const pool = getPool(project, poolId)
      const found = store.providers(pool.projectId, poolId).filter((provider) => showDeleted || provider.deletedAt === undefined)
      return page(found, request, (provider) => provider.providerId, { size: 50, max: 100 })
    },

    /** @throws ApiError 400, 404, 409 also for the id of a deleted one */
    createProvider(project: string, poolId: string, providerId: string, edit: ProviderEdit): ProviderRecord {
      checkId('workload_identity_pool_provider_id', providerId)
      return database.transaction(() => {
        const { projectId } = live(getPool(project, poolId))
        if (store.provider(projectId, poolId, providerId) !== undefined) throw existing()
        const { oidc, ...rest } = edit
        return saveProvider({
          projectId,
          poolId,
          providerId,
          displayName: '',
          description: '',
          disabled: false,
          attributeMapping: {},
          attributeCondition: '',
          ...defined(rest),
          oidc: withoutEmptyKeys({ issuerUri: '', allowedAudiences: [], ...defined(oidc ?? {}) }),
        })
      })
    },

    /** @throws ApiError 400, also for a deleted one, 404 */
    updateProvider(project: string, poolId: string, providerId: string, edit: ProviderEdit): ProviderRecord {
      return database.transaction(() => {
        const current = live(getProvider(project, poolId, providerId))
        const { oidc, ...rest } = edit
        return saveProvider({ ...current, ...defined(rest), oidc: withoutEmptyKeys({ ...current.oidc, ...defined(oidc ?? {}) }) })
      })
    },

    /** @throws ApiError 404 */
    removeProvider: (project: string, poolId: string, providerId: string): ProviderRecord =>
      database.transaction(() => saveProvider({ ...live(getProvider(project, poolId, providerId)), deletedAt: new Date().toISOString() })),

    /** @throws ApiError 400 when it is not deleted, 404 */
    undeleteProvider: (project: string, poolId: string, providerId: string): ProviderRecord =>
      database.transaction(() => saveProvider(revived(getProvider(project, poolId, providerId)))),
  }
}

function missing(what: string): ApiError {
  return notFound(`Requested entity was not found: ${what}`)
}

function existing(): ApiError {
  return alreadyExists('Requested entity already exists')
}

/** What is deleted can only be undeleted. */
function live<T extends { readonly deletedAt?: string }>(found: T): T {
  if (found.deletedAt !== undefined) throw failedPrecondition('The resource is deleted: undelete it first.')
  return found
}

function revived<T extends { readonly deletedAt?: string }>(found: T): Omit<T, 'deletedAt'> {
  if (found.deletedAt === undefined) throw failedPrecondition('The resource is not deleted.')
  const { deletedAt: _deletedAt, ...rest } = found
  return rest
}

/** Drops what is undefined, so that a spread keeps what was. */
function defined<T extends object>(edit: T): Partial<T> {
  return Object.fromEntries(Object.entries(edit).filter(([, value]) => value !== undefined)) as Partial<T>
}

function withoutEmptyKeys(oidc: ProviderRecord['oidc']): ProviderRecord['oidc'] {
  const { jwksJson, ...rest } = oidc
  return jwksJson === undefined || jwksJson === '' ? rest : { ...rest, jwksJson }
}

function checkId(field: string, id: string): void {
  if (!ID.test(id)) throw invalidArgument(`Invalid ${field} ${JSON.stringify(id)}: it must be 4-32 characters, and may contain the characters [a-z0-9-].`)
  if (id.startsWith('gcp-')) throw invalidArgument(`Invalid ${field} ${JSON.stringify(id)}: the prefix "gcp-" is reserved for use by Google.`)
}

function checkTexts({ displayName, description }: { readonly displayName: string; readonly description: string }): void {
  if (displayName.length > MAX_DISPLAY_NAME) throw invalidArgument(`The display name may have at most ${MAX_DISPLAY_NAME} characters.`)
  if (description.length > MAX_DESCRIPTION) throw invalidArgument(`The description may have at most ${MAX_DESCRIPTION} characters.`)
}

function checkProvider(provider: ProviderRecord): void {
  checkTexts(provider)
  const { issuerUri, allowedAudiences, jwksJson } = provider.oidc
  if (issuerUri === '') throw invalidArgument('The OIDC issuer_uri is required.')
  const problem = issuerUriProblem(issuerUri)
  if (problem !== undefined) throw invalidArgument(`The OIDC issuer_uri ${JSON.stringify(issuerUri)} ${problem}.`)
  if (allowedAudiences.length > MAX_AUDIENCES) throw invalidArgument(`A maximum of ${MAX_AUDIENCES} audiences may be configured (allowed_audiences).`)
  if (allowedAudiences.some((audience) => audience === '' || audience.length > MAX_AUDIENCE_LENGTH))
    throw invalidArgument(`Each of the allowed_audiences must have 1 to ${MAX_AUDIENCE_LENGTH} characters.`)
  if (jwksJson !== undefined && jwksJson !== '') checkKeySet(jwksJson)
  const wrong = mappingError(provider.attributeMapping) ?? conditionError(provider.attributeCondition, issuerUri)
  if (wrong !== undefined) throw invalidArgument(wrong)
}

function checkKeySet(text: string): void {
  try {
    const keys = parseKeySetText(text)
    if (keys.length === 0 || keys.some((key) => key['kty'] !== 'RSA' && key['kty'] !== 'EC')) throw new Error('it must have keys, all of type RSA or EC')
  } catch (error) {
    throw invalidArgument(`The oidc.jwks_json is not valid: ${error instanceof Error ? error.message : 'it cannot be read'}.`, { cause: error })
  }
}
