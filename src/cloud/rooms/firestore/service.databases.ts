/** Databases: made and removed at once, reported through operations as Google does. */
import { randomUUID } from 'node:crypto'
import { newEtag } from '../../../base/ids.ts'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { toLongRunning } from '../../kernel/operations.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import { databaseExists, databaseNotFound, deleteProtected, etagMismatch, operationNotFound } from './errors.ts'
import { checkDatabaseId, enumValue } from './schema.ts'
import type { DatabaseBody } from './schema.ts'
import { checkLocation } from './service.locations.ts'
import type { DatabaseConfig, DatabaseRecord, FirestoreStore } from './store.ts'

export const FIRESTORE_SERVICE = 'firestore.googleapis.com'
export const ADMIN_TYPE = 'type.googleapis.com/google.firestore.admin.v1'

/** Seconds for which old versions are kept: an hour, or a week with point-in-time recovery. */
const RETENTION_SECONDS = { POINT_IN_TIME_RECOVERY_DISABLED: 3600, POINT_IN_TIME_RECOVERY_ENABLED: 604_800 } as const

export interface DatabaseService {
  /** @throws ApiError 404 */
  get(project: string, databaseId: string): DatabaseRecord
  /** Sorted by id. */
  list(project: string): readonly DatabaseRecord[]
  /** @throws ApiError 400, 409 */
  create(project: string, databaseId: string | undefined, body: DatabaseBody, principal: Principal): Operation
  /** @throws ApiError 400, 404 */
  change(project: string, databaseId: string, body: DatabaseBody, updateMask: string | undefined, principal: Principal): Operation
  /** @throws ApiError 400 while it is protected or for another etag, 404 */
  remove(project: string, databaseId: string, etag: string | undefined, principal: Principal): Operation
  present(record: DatabaseRecord): Record<string, unknown>
  /** `projects/P/databases/D`. */
  nameOf(record: DatabaseRecord): string
  /** @throws ApiError 404 */
  operation(project: string, databaseId: string, name: string): Operation
  operations(project: string, databaseId: string): readonly Operation[]
  presentOperation(operation: Operation): Record<string, unknown>
}

/** What every operation of this room carries; its work is done when it starts, apart from indexes. */
export interface OperationArgs {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly response: Readonly<Record<string, unknown>>
}

export function createDatabaseService(kernel: Kernel, store: FirestoreStore): DatabaseService {
  const { database, projects, operations } = kernel
  for (const type of ['CreateDatabase', 'UpdateDatabase', 'DeleteDatabase']) operations.register('firestore', type, async ({ response }: OperationArgs) => response)

  function projectIdOf(project: string): string {
    return projects.requireActive(project, FIRESTORE_SERVICE).projectId
  }

  function get(project: string, databaseId: string): DatabaseRecord {
    const projectId = projectIdOf(project)
    const record = store.find(projectId, databaseId)
    if (record === undefined) throw databaseNotFound(projectId, databaseId)
    return record
  }

  function start(type: string, record: DatabaseRecord, principal: Principal): Operation {
    const args: OperationArgs = { metadata: { '@type': `${ADMIN_TYPE}.${type}Metadata` }, response: { '@type': `${ADMIN_TYPE}.Database`, ...present(record) } }
    return operations.start({
      room: 'firestore',
      type,
      projectId: record.projectId,
      scope: record.databaseId,
      target: `databases/${record.databaseId}`,
      targetId: record.uid,
      principal,
      args,
    })
  }

  return {
    get,
    list: (project) => store.list(projectIdOf(project)),
    create(project, id, body, principal) {
      const databaseId = checkDatabaseId(id)
      const projectId = projectIdOf(project)
      return database.transaction(() => {
        const others = store.list(projectId)
        if (others.some((each) => each.databaseId === databaseId)) throw databaseExists()
        const now = new Date().toISOString()
        const record: DatabaseRecord = {
          projectId,
          databaseId,
          uid: randomUUID(),
          createTime: now,
          updateTime: now,
          etag: newEtag(),
          config: toConfig(
            body,
            others.every((each) => !each.config.freeTier),
          ),
        }
        store.insert(record)
        return start('CreateDatabase', record, principal)
      })
    },
    change(project, databaseId, body, updateMask, principal) {
      return database.transaction(() => {
        const record = get(project, databaseId)
        if (typeof body.etag === 'string' && body.etag !== '' && body.etag !== record.etag) throw etagMismatch()
        const fields = maskOf(body, updateMask)
        const asked = Object.fromEntries(fields.map((field) => [field, body[field]]))
        const changed: DatabaseRecord = {
          ...record,
          config: toConfig({ ...record.config, ...asked }, record.config.freeTier),
          updateTime: new Date().toISOString(),
          etag: newEtag(),
        }
        store.update(changed)
        return start('UpdateDatabase', changed, principal)
      })
    },
    remove(project, databaseId, etag, principal) {
      return database.transaction(() => {
        const record = get(project, databaseId)
        if (etag !== undefined && etag !== '' && etag !== record.etag) throw etagMismatch()
        if (record.config.deleteProtectionState === 'DELETE_PROTECTION_ENABLED') throw deleteProtected()
        store.remove(record.uid)
        return start('DeleteDatabase', record, principal)
      })
    },
    present,
    nameOf,
    operation(project, databaseId, name) {
      const operation = operations.get(name)
      if (operation === undefined || operation.room !== 'firestore' || operation.projectId !== projectIdOf(project) || operation.scope !== databaseId)
        throw operationNotFound(`projects/${project}/databases/${databaseId}/operations/${name}`)
      return operation
    },
    operations: (project, databaseId) => operations.list('firestore', projectIdOf(project), databaseId),
    presentOperation(operation) {
      const { metadata } = operation.args as OperationArgs
      const state = operation.status === 'DONE' ? 'SUCCESSFUL' : 'PROCESSING'
      const times = 'startTime' in metadata ? { state, ...(operation.endTime === undefined ? {} : { endTime: operation.endTime }) } : {}
      return toLongRunning(operation, `projects/${operation.projectId}/databases/${operation.scope}/operations/`, { ...metadata, ...times })
    },
  }
}

function nameOf(record: DatabaseRecord): string {
  return `projects/${record.projectId}/databases/${record.databaseId}`
}

function present(record: DatabaseRecord): Record<string, unknown> {
  const { config } = record
  const retention = RETENTION_SECONDS[config.pointInTimeRecoveryEnablement as keyof typeof RETENTION_SECONDS]
  const earliest = Math.max(Date.parse(record.createTime), Date.now() - retention * 1000)
  return {
    name: nameOf(record),
    uid: record.uid,
    createTime: record.createTime,
    updateTime: record.updateTime,
    locationId: config.locationId,
    type: config.type,
    concurrencyMode: config.concurrencyMode,
    versionRetentionPeriod: `${retention}s`,
    earliestVersionTime: new Date(earliest).toISOString(),
    appEngineIntegrationMode: config.appEngineIntegrationMode,
    keyPrefix: config.appEngineIntegrationMode === 'ENABLED' ? 's' : undefined,
    pointInTimeRecoveryEnablement: config.pointInTimeRecoveryEnablement,
    deleteProtectionState: config.deleteProtectionState,
    databaseEdition: config.databaseEdition,
    freeTier: config.freeTier,
    etag: record.etag,
  }
}

/** With the values that Google fills in. */
function toConfig(body: DatabaseBody, freeTier: boolean): DatabaseConfig {
  if (typeof body.cmekConfig?.kmsKeyName === 'string' && body.cmekConfig.kmsKeyName !== '')
    throw new ApiError('UNIMPLEMENTED', 'Customer-managed keys (cmekConfig) are not implemented by the pocket cloud.')
  const type = enumValue('database.type', body.type, ['FIRESTORE_NATIVE', 'DATASTORE_MODE'], '')
  if (type === '') throw invalidArgument('Database type is required.')
  const edition = enumValue('database.database_edition', body.databaseEdition, ['STANDARD', 'ENTERPRISE'], 'STANDARD')
  if (edition === 'ENTERPRISE') throw new ApiError('UNIMPLEMENTED', 'Databases of the Enterprise edition are not implemented by the pocket cloud.')
  return {
    locationId: checkLocation(body.locationId),
    type,
    concurrencyMode: enumValue(
      'database.concurrency_mode',
      body.concurrencyMode,
      ['OPTIMISTIC', 'PESSIMISTIC', 'OPTIMISTIC_WITH_ENTITY_GROUPS'],
      type === 'FIRESTORE_NATIVE' ? 'PESSIMISTIC' : 'OPTIMISTIC',
    ),
    appEngineIntegrationMode: enumValue('database.app_engine_integration_mode', body.appEngineIntegrationMode, ['ENABLED', 'DISABLED'], 'DISABLED'),
    pointInTimeRecoveryEnablement: enumValue(
      'database.point_in_time_recovery_enablement',
      body.pointInTimeRecoveryEnablement,
      Object.keys(RETENTION_SECONDS),
      'POINT_IN_TIME_RECOVERY_DISABLED',
    ),
    deleteProtectionState: enumValue(
      'database.delete_protection_state',
      body.deleteProtectionState,
      ['DELETE_PROTECTION_DISABLED', 'DELETE_PROTECTION_ENABLED'],
      'DELETE_PROTECTION_DISABLED',
    ),
    databaseEdition: edition,
    freeTier,
  }
}

const CHANGEABLE = ['type', 'concurrencyMode', 'appEngineIntegrationMode', 'pointInTimeRecoveryEnablement', 'deleteProtectionState'] as const

/** Fields named by the mask in either spelling; without one, those that the body has. @throws ApiError 400 */
function maskOf(body: DatabaseBody, updateMask: string | undefined): readonly (typeof CHANGEABLE)[number][] {
  const names = (updateMask ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  if (names.length === 0) return CHANGEABLE.filter((field) => typeof body[field] === 'string')
  return names.map((name) => {
    const camel = name.replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase())
    const field = CHANGEABLE.find((each) => each === camel)
    if (field === undefined) throw invalidArgument(`Invalid update_mask: the field ${name} cannot be changed.`)
    return field
  })
}
