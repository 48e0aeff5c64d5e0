/** The instances of managed groups, one by one: listing them, and what users ask to be done with some of them. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import type { Operation } from '../../../kernel/operations.ts'
import { resourceExists } from '../errors.ts'
import { parseLink, resourcePath, selfLink } from '../links.ts'
import { requireName } from '../service.ts'
import type { Caller, Compute } from '../service.ts'
import { toUpdateAction, strongerAction, restVersion } from './policy.ts'
import type { Balancing } from './members.ts'
import type { Reconciler } from './reconciler.ts'
import type { ApplyUpdatesBody, InstancesBody } from './schema.ts'
import type { Managers } from './service.managers.ts'
import type { GroupStore, ManagedInstance } from './store.ts'
import type { Manager, Work } from './work.ts'

export interface ManagedInstances {
  list(manager: Manager): readonly compute_v1.Schema$ManagedInstance[]
  errors(manager: Manager): readonly (compute_v1.Schema$InstanceManagedByIgmError & { readonly id: string })[]
  recreate(caller: Caller, manager: Manager, body: InstancesBody): Operation
  /** The group gets smaller by them. */
  remove(caller: Caller, manager: Manager, body: InstancesBody): Operation
  /** They go on without the group, which gets smaller by them. */
  abandon(caller: Caller, manager: Manager, body: InstancesBody): Operation
  /** The group gets larger by them. */
  create(caller: Caller, manager: Manager, names: readonly string[]): Operation
  applyUpdates(caller: Caller, manager: Manager, body: ApplyUpdatesBody): Operation
}

export interface ManagedParts {
  readonly groupStore: GroupStore
  readonly managers: Managers
  readonly reconciler: Reconciler
  readonly work: Work
  readonly balancing: () => Balancing | undefined
}

export function createManagedInstances(compute: Compute, parts: ManagedParts): ManagedInstances {
  const { store } = compute
  const { groupStore, managers, reconciler, work, balancing } = parts

  /** Those that a request names and that may be worked on. @throws ApiError 400 for one that is not in the group */
  function named(manager: Manager, body: { instances?: string[] | null; skipInstancesOnValidationError?: boolean | null }): readonly ManagedInstance[] {
    const links = body.instances ?? []
    if (links.length === 0) throw invalidArgument("Invalid value for field 'instances': ''. At least one instance is required.")
    return [...new Set(links.map((link) => parseLink(link, { projectId: manager.projectId, scope: manager.scope, collection: 'instances' }).name))].flatMap((name) => {
      const managed = groupStore.managed(manager.id, name)
      if (managed !== undefined && managed.action !== 'DELETING') return [managed]
      if (body.skipInstancesOnValidationError === true) return []
      throw invalidArgument(`Invalid value for field 'instances': '${name}'. Instance is not a member of ${resourcePath(manager)}.`)
    })
  }

  function resized(manager: Manager, by: number): Manager {
    return { ...manager, record: { ...manager.record, targetSize: Math.max(0, (manager.record.targetSize ?? 0) + by) } }
  }

  function healthOf(manager: Manager, managed: ManagedInstance): compute_v1.Schema$ManagedInstanceInstanceHealth[] {
    const instance = work.instanceOf(managed)
    const by = balancing()
    if (instance === undefined || by === undefined || !work.isUp(instance)) return []
    return (manager.record.autoHealingPolicies ?? []).flatMap((policy) =>
      policy.healthCheck ? [{ healthCheck: policy.healthCheck, detailedHealthState: by.healthByCheck(instance, policy.healthCheck) }] : [],
    )
  }

  function toManagedInstance(manager: Manager, managed: ManagedInstance): compute_v1.Schema$ManagedInstance {
    const instance = work.instanceOf(managed)
    const health = healthOf(manager, managed)
    return {
      name: managed.name,
      instance: selfLink({ ...manager, collection: 'instances', name: managed.name }),
      ...(instance === undefined ? {} : { id: instance.id, instanceStatus: instance.record.status ?? '' }),
      currentAction: managed.action,
      version: managed.version,
      ...(managed.lastErrors === undefined ? {} : { lastAttempt: { errors: { errors: managed.lastErrors.map((error) => ({ ...error })) } } }),
      ...(health.length === 0 ? {} : { instanceHealth: health }),
    }
  }

  return {
    list: (manager) => groupStore.listManaged(manager.id).map((managed) => toManagedInstance(manager, managed)),
    errors: (manager) =>
      groupStore.listErrors(manager.id).map((error) => ({
        id: String(error.id),
        error: { code: error.code, message: error.message },
        instanceActionDetails: { action: error.action, instance: error.instance, version: error.version },
        timestamp: error.timestamp,
      })),
    recreate: (caller, manager, body) =>
      managers.change(caller, 'recreateInstances', manager, (current) => {
        for (const managed of named(current, body)) groupStore.saveManaged(work.begin(managed, 'RECREATING', reconciler.versionFor(current, managed)))
        return current
      }),
    remove: (caller, manager, body) =>
      managers.change(caller, 'deleteInstances', manager, (current) => {
        const doomed = named(current, body)
        for (const managed of doomed) groupStore.saveManaged(work.begin(managed, 'DELETING'))
        return resized(current, -doomed.length)
      }),
    abandon: (caller, manager, body) =>
      managers.change(caller, 'abandonInstances', manager, (current) => {
        const chosen = named(current, body)
        for (const managed of chosen) groupStore.removeManaged(current.id, managed.name)
        return resized(current, -chosen.length)
      }),
    create: (caller, manager, names) =>
      managers.change(caller, 'createInstances', manager, (current) => {
        if (names.length === 0) throw invalidArgument("Invalid value for field 'instances': ''. At least one instance is required.")
        for (const name of names) {
          const key = { ...current, collection: 'instances', name: requireName(name, 'instances.name') }
          if (store.get(key) !== undefined || groupStore.managed(current.id, name) !== undefined) throw resourceExists(key)
          groupStore.saveManaged(work.fresh(current, name, restVersion(current.record.versions ?? []), 'CREATING'))
        }
        return resized(current, names.length)
      }),
    applyUpdates: (caller, manager, body) =>
      managers.change(caller, 'applyUpdatesToInstances', manager, (current) => {
        const least = toUpdateAction(body.minimalAction, 'NONE')
        const most = toUpdateAction(body.mostDisruptiveAllowedAction, 'REPLACE')
        const chosen = body.allInstances === true ? groupStore.listManaged(current.id).filter((each) => each.action !== 'DELETING') : named(current, body)
        for (const managed of chosen) {
          const version = reconciler.versionFor(current, managed)
          const action = strongerAction(least, reconciler.needed(managed.version, version))
          if (strongerAction(action, most) !== most)
            throw new ApiError('INVALID_ARGUMENT', `Updating instance '${managed.name}' needs the action ${action}, which is more disruptive than the allowed ${most}.`, {
              reason: 'invalid',
            })
          const isSame = version.name === managed.version.name && version.instanceTemplate === managed.version.instanceTemplate
          if (action === 'NONE' && isSame) continue
          groupStore.saveManaged(work.begin(managed, action === 'REPLACE' ? 'RECREATING' : action === 'RESTART' ? 'RESTARTING' : 'REFRESHING', version))
        }
        return current
      }),
  }
}
