/**
 * The work on one managed instance, as a machine of small durable steps: each call looks at what is there and does at most one thing, together with its
 * record in one transaction. A daemon that dies between any two steps goes on from the record. Machines are made and deleted by the room's own instance service.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError } from '../../../kernel/api-error.ts'
import { serviceAccountPrincipal } from '../../../kernel/principal.ts'
import { describeError } from '../../../../base/errors.ts'
import { operationCode } from '../errors.ts'
import { lastSegment, linkTail, selfLink } from '../links.ts'
import { InstanceBody } from '../schema.ts'
import type { Caller, Compute } from '../service.ts'
import type { InstanceChanges } from '../service.instance-changes.ts'
import type { Instance, Instances } from '../service.instances.ts'
import { fingerprint } from '../shapes.ts'
import type { Resource } from '../store.ts'
import { instanceBody, labelsOf, metadataOf } from './bodies.ts'
import type { BodyParts } from './bodies.ts'
import type { Balancing, Health } from './members.ts'
import type { Templates } from './service.templates.ts'
import type { GroupStore, ManagedAction, ManagedError, ManagedInstance, ManagedVersion } from './store.ts'

export interface ManagerHidden {
  /** The group goes when its last instance is gone. */
  readonly isDeleting?: boolean
}

export type Manager = Resource<compute_v1.Schema$InstanceGroupManager, ManagerHidden>

export interface Work {
  /** Does the next small thing for one instance, if it is time. */
  advance(manager: Manager, managed: ManagedInstance): void
  /** The record of an instance that is to be made. */
  fresh(manager: Manager, name: string, version: ManagedVersion, action: 'CREATING' | 'CREATING_WITHOUT_RETRIES'): ManagedInstance
  /** The record after an action on the instance was begun. */
  begin(managed: ManagedInstance, action: 'DELETING' | 'RECREATING' | 'RESTARTING' | 'REFRESHING', version?: ManagedVersion): ManagedInstance
  instanceOf(managed: ManagedInstance): Instance | undefined
  /** By the group's own health check, and by that and the backend services together; undefined: nothing tells. */
  health(manager: Manager, instance: Instance): { readonly healing: Health | undefined; readonly all: Health | undefined }
  isUp(instance: Instance | undefined): boolean
}

export interface WorkParts {
  readonly groupStore: GroupStore
  readonly templates: Templates
  readonly instances: Instances
  readonly changes: InstanceChanges
  readonly balancing: () => Balancing | undefined
  /** The version that an instance gets when it is made anew with the group's latest configuration. */
  versionFor(manager: Manager, managed: ManagedInstance): ManagedVersion
  /** First pause after a failure; it doubles up to two minutes. */
  readonly backoffMs: number
}

const MAX_BACKOFF_MS = 120_000
/** An instance that ran well for so long starts anew with its count of failures. */
const STEADY_MS = 60_000

export function configRevision(manager: Manager): string {
  return fingerprint(manager.record.allInstancesConfig ?? {})
}

export function createWork(compute: Compute, parts: WorkParts): Work {
  const { store, kernel } = compute
  const { groupStore, templates, instances, changes } = parts
  /** Draining lives only here: a new daemon drains again. */
  const drains = new Map<string, 'running' | 'done'>()

  function save(managed: ManagedInstance): void {
    groupStore.saveManaged(managed)
  }

  function instanceOf(managed: ManagedInstance): Instance | undefined {
    return managed.instanceId === undefined ? undefined : (store.byId(managed.instanceId) as Instance | undefined)
  }

  function isUp(instance: Instance | undefined): boolean {
    return instance?.record.status === 'RUNNING'
  }

  /** Google's own agent works for groups; the user's right to let it do so was checked when the group was changed. */
  function agent(manager: Manager): Caller {
    const { projectNumber } = compute.project(manager.projectId)
    return { principal: serviceAccountPrincipal(`${projectNumber}@cloudservices.gserviceaccount.com`), require() {} }
  }

  function operationOf(managed: ManagedInstance): { readonly isDone: boolean; readonly errors: readonly ManagedError[] } {
    const operation = managed.operation === undefined ? undefined : kernel.operations.get(managed.operation)
    // Users may delete finished operations.
    if (operation === undefined) return { isDone: true, errors: [] }
    return { isDone: operation.status === 'DONE', errors: operation.error === undefined ? [] : [{ code: operationCode(operation.error.reason), message: operation.error.message }] }
  }

  function errorsOf(error: unknown): readonly ManagedError[] {
    if (error instanceof ApiError) return [{ code: operationCode(error.reason), message: error.message }]
    kernel.log.error({ err: error }, 'a step of a managed instance failed unexpectedly')
    return [{ code: 'INTERNAL_ERROR', message: describeError(error) }]
  }

  function linkOf(manager: Manager, managed: ManagedInstance): string {
    return selfLink({ ...manager, collection: 'instances', name: managed.name })
  }

  /** Records what went wrong and when to try again, as `next`. */
  function fail(manager: Manager, managed: ManagedInstance, errors: readonly ManagedError[], next: Partial<ManagedInstance>): void {
    const attempts = managed.attempts + 1
    for (const error of errors)
      groupStore.addError(manager.id, { ...error, action: managed.action, instance: linkOf(manager, managed), version: managed.version, timestamp: new Date().toISOString() })
    save({
      ...managed,
      attempts,
      notBeforeMs: Date.now() + Math.min(MAX_BACKOFF_MS, parts.backoffMs * 2 ** (attempts - 1)),
      ...(errors.length === 0 ? {} : { lastErrors: errors }),
      ...next,
    })
  }

  function without<Name extends keyof ManagedInstance>(managed: ManagedInstance, ...names: readonly Name[]): ManagedInstance {
    return Object.fromEntries(Object.entries(managed).filter(([name]) => !names.includes(name as Name))) as unknown as ManagedInstance
  }

  function bodyParts(manager: Manager, managed: ManagedInstance): BodyParts {
    const template = templates.find(managed.version.instanceTemplate)
    if (template === undefined) throw new ApiError('NOT_FOUND', `The resource '${linkTail(managed.version.instanceTemplate)}' was not found`)
    const { projectNumber } = compute.project(manager.projectId)
    return {
      name: managed.name,
      properties: template.record.properties ?? {},
      ...(manager.record.allInstancesConfig ? { config: manager.record.allInstancesConfig } : {}),
      templatePath: `projects/${projectNumber}/${template.scope}/instanceTemplates/${template.name}`,
      managerPath: `projects/${projectNumber}/${manager.scope}/instanceGroupManagers/${manager.name}`,
    }
  }

  function create(manager: Manager, managed: ManagedInstance): void {
    const body = InstanceBody.parse(instanceBody(bodyParts(manager, managed)))
    const operation = instances.insert(agent(manager), manager.projectId, lastSegment(manager.scope), body)
    save({ ...managed, step: 'creating', instanceId: operation.targetId, operation: operation.name, configRevision: configRevision(manager), verified: false })
  }

  /** Creation ended without a machine that runs. */
  function giveUp(manager: Manager, managed: ManagedInstance, instance: Instance | undefined, errors: readonly ManagedError[]): void {
    const told = errors.length > 0 ? errors : [{ code: 'INTERNAL_ERROR', message: instance?.record.statusMessage ?? 'The instance was deleted while it was being created.' }]
    const isOnce = managed.action === 'CREATING_WITHOUT_RETRIES'
    if (isOnce) {
      const current = store.byId(manager.id) as Manager | undefined
      if (current !== undefined) store.update({ ...current, record: { ...current.record, targetSize: Math.max(0, (current.record.targetSize ?? 0) - 1) } })
    }
    if (instance !== undefined) fail(manager, isOnce ? { ...managed, action: 'DELETING' } : managed, told, { step: 'delete' })
    else if (isOnce) {
      fail(manager, managed, told, {})
      groupStore.removeManaged(manager.id, managed.name)
    } else fail(manager, without(managed, 'instanceId', 'operation'), told, { step: 'create' })
  }

  function repair(manager: Manager, managed: ManagedInstance, instance: Instance | undefined, why: string): void {
    kernel.log.info({ group: manager.name, instance: managed.name, why }, 'a managed instance is repaired')
    const step = isUp(instance) ? 'drain' : instance === undefined ? 'create' : 'delete'
    // Unless asked for, a repair changes nothing but the machine.
    const version = manager.record.instanceLifecyclePolicy?.forceUpdateOnRepair === 'YES' ? parts.versionFor(manager, managed) : managed.version
    fail(manager, { ...managed, action: 'RECREATING', version }, [], { step, verified: false })
  }

  function brings(manager: Manager, managed: ManagedInstance): void {
    save({ ...without(managed, 'operation', 'lastErrors'), step: 'verify', action: 'VERIFYING', verified: false, runningSinceMs: startedMs(instanceOf(managed)) })
    const now = groupStore.managed(manager.id, managed.name)
    if (now !== undefined) watch(manager, now)
  }

  function startedMs(instance: Instance | undefined): number {
    return Date.parse(instance?.record.lastStartTimestamp ?? '') || 0
  }

  /** `verify` and `idle`: the instance should run. */
  function watch(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    const { defaultActionOnFailure = 'REPAIR', onFailedHealthCheck = 'DEFAULT_ACTION' } = manager.record.instanceLifecyclePolicy ?? {}
    const repairs = defaultActionOnFailure !== 'DO_NOTHING'
    if (instance === undefined) {
      if (repairs) repair(manager, managed, undefined, 'its machine is gone')
      return
    }
    if (!isUp(instance)) {
      if (repairs && instance.record.status === 'TERMINATED') repair(manager, managed, instance, instance.record.statusMessage ?? 'it does not run')
      return
    }
    const since = startedMs(instance)
    const { healing, all } = health(manager, instance)
    const initialDelayMs = (manager.record.autoHealingPolicies?.[0]?.initialDelaySec ?? 0) * 1000
    const heals = onFailedHealthCheck === 'DEFAULT_ACTION' ? repairs : onFailedHealthCheck !== 'DO_NOTHING'
    // Started again by somebody else: it has to be proven again.
    if (managed.runningSinceMs !== since) save({ ...managed, step: 'verify', action: 'VERIFYING', verified: false, runningSinceMs: since })
    else if (managed.step === 'verify' && (all === undefined || all === 'HEALTHY')) save({ ...managed, step: 'idle', action: 'NONE', verified: true })
    else if (healing === 'UNHEALTHY' && heals && Date.now() >= since + initialDelayMs && Date.now() >= managed.notBeforeMs)
      repair(manager, managed, instance, 'its health check fails')
    else if (managed.step === 'idle' && managed.attempts > 0 && Date.now() - since > STEADY_MS) save({ ...managed, attempts: 0 })
  }

  function health(manager: Manager, instance: Instance): { healing: Health | undefined; all: Health | undefined } {
    const balancing = parts.balancing()
    if (balancing === undefined) return { healing: undefined, all: undefined }
    const checks = (manager.record.autoHealingPolicies ?? []).flatMap((policy) => (policy.healthCheck ? [balancing.healthByCheck(instance, policy.healthCheck)] : []))
    const healing = worst(checks)
    return { healing, all: worst([...checks, ...[balancing.healthAsBackend(instance, manager.record.instanceGroup ?? '')].filter((each) => each !== undefined)]) }
  }

  /** Starts draining, or goes on when it has ended. */
  function drain(managed: ManagedInstance, next: ManagedInstance['step']): void {
    const instance = instanceOf(managed)
    const balancing = parts.balancing()
    const key = `${managed.groupId}/${managed.name}/${managed.instanceId ?? ''}`
    if (instance === undefined || balancing === undefined || !isUp(instance) || drains.get(key) === 'done') {
      drains.delete(key)
      save({ ...managed, step: next })
      return
    }
    if (drains.has(key)) return
    drains.set(key, 'running')
    balancing
      .drain(instance)
      .catch((error: unknown) => kernel.log.error({ err: error, instance: instance.name }, 'draining failed; the instance goes without'))
      .finally(() => drains.set(key, 'done'))
  }

  function remove(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    if (instance === undefined) {
      save({ ...managed, step: 'deleting' })
      return
    }
    // Deleting under way by somebody else is awaited by this one's turn.
    const operation = instances.remove(agent(manager), instance)
    save({ ...managed, step: 'deleting', operation: operation.name })
  }

  function removed(manager: Manager, managed: ManagedInstance): void {
    const { isDone, errors } = operationOf(managed)
    if (!isDone) return
    if (instanceOf(managed) !== undefined) fail(manager, without(managed, 'operation'), errors, { step: 'delete' })
    else if (managed.action === 'DELETING') groupStore.removeManaged(manager.id, managed.name)
    else save({ ...without(managed, 'instanceId', 'operation', 'runningSinceMs'), step: 'create', verified: false })
  }

  /** Metadata, labels and tags of the version, on the instance as it is. */
  function refresh(manager: Manager, managed: ManagedInstance, instance: Instance): void {
    const { properties, ...rest } = bodyParts(manager, managed)
    const by = agent(manager)
    changes.setMetadata(by, instance, { items: metadataOf({ properties, ...rest }), fingerprint: instance.record.metadata?.fingerprint })
    changes.setLabels(by, instance, { labels: labelsOf({ properties, ...rest }), labelFingerprint: instance.record.labelFingerprint })
    changes.setTags(by, instance, { items: properties.tags?.items ?? [], fingerprint: instance.record.tags?.fingerprint })
    if (instance.record.status === 'TERMINATED' && properties.machineType) changes.setMachineType(by, instance, properties.machineType)
  }

  function restart(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    if (instance === undefined) save({ ...managed, step: 'create', action: 'RECREATING', verified: false })
    else save({ ...managed, step: 'stopping', operation: instances.stop(agent(manager), instance).name, verified: false })
  }

  function restartStopped(manager: Manager, managed: ManagedInstance): void {
    const { isDone, errors } = operationOf(managed)
    const instance = instanceOf(managed)
    if (instance === undefined) save({ ...managed, step: 'create', action: 'RECREATING' })
    else if (instance.record.status === 'TERMINATED') {
      refresh(manager, managed, instance)
      const operation = instances.start(agent(manager), compute.get<Instance>(instance))
      save({ ...managed, step: 'starting', operation: operation.name, configRevision: configRevision(manager) })
    } else if (isDone) fail(manager, managed, errors, { step: 'restart' })
  }

  function restarted(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    const { isDone, errors } = operationOf(managed)
    if (instance === undefined) save({ ...managed, step: 'create', action: 'RECREATING' })
    else if (isUp(instance)) brings(manager, managed)
    else if (isDone) fail(manager, { ...managed, action: 'RECREATING' }, errors, { step: 'delete' })
  }

  function refreshed(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    if (instance !== undefined) refresh(manager, managed, instance)
    save({ ...managed, step: managed.verified ? 'idle' : 'verify', action: managed.verified ? 'NONE' : 'VERIFYING', configRevision: configRevision(manager) })
  }

  function created(manager: Manager, managed: ManagedInstance): void {
    const instance = instanceOf(managed)
    const { isDone, errors } = operationOf(managed)
    if (isUp(instance)) brings(manager, managed)
    else if (isDone) giveUp(manager, managed, instance, errors)
  }

  function step(manager: Manager, managed: ManagedInstance): void {
    const steps: Readonly<Record<ManagedInstance['step'], () => void>> = {
      create: () => create(manager, managed),
      creating: () => created(manager, managed),
      verify: () => watch(manager, managed),
      idle: () => watch(manager, managed),
      drain: () => drain(managed, managed.action === 'RESTARTING' ? 'restart' : 'delete'),
      delete: () => remove(manager, managed),
      deleting: () => removed(manager, managed),
      restart: () => restart(manager, managed),
      stopping: () => restartStopped(manager, managed),
      starting: () => restarted(manager, managed),
      refresh: () => refreshed(manager, managed),
    }
    steps[managed.step]()
  }

  return {
    advance(manager, managed) {
      const waits = ['create', 'delete', 'restart', 'refresh'].includes(managed.step) && Date.now() < managed.notBeforeMs
      if (waits) return
      try {
        kernel.database.transaction(() => step(manager, managed))
      } catch (error) {
        kernel.database.transaction(() => fail(manager, managed, errorsOf(error), {}))
      }
    },
    fresh: (manager, name, version, action) => ({
      groupId: manager.id,
      name,
      action,
      step: 'create',
      version,
      verified: false,
      createdMs: Date.now(),
      attempts: 0,
      notBeforeMs: 0,
    }),
    begin(managed, action, version = managed.version) {
      const instance = instanceOf(managed)
      const next: ManagedInstance = { ...managed, action, version, notBeforeMs: 0 }
      // A creation under way is not cut short: its end is awaited by the deletion's turn.
      if (action === 'DELETING' || action === 'RECREATING')
        return { ...next, verified: false, step: instance === undefined ? (action === 'DELETING' ? 'delete' : 'create') : 'drain' }
      if (instance === undefined || managed.step === 'creating') return { ...next, action: 'RECREATING', verified: false, step: instance === undefined ? 'create' : 'drain' }
      return action === 'RESTARTING' ? { ...next, verified: false, step: 'drain' } : { ...next, step: 'refresh' }
    },
    instanceOf,
    health,
    isUp,
  }
}

function worst(states: readonly Health[]): Health | undefined {
  if (states.length === 0) return undefined
  return states.includes('UNHEALTHY') ? 'UNHEALTHY' : states.includes('UNKNOWN') ? 'UNKNOWN' : 'HEALTHY'
}

/** Actions in the order in which the API's summary lists them. */
export const summaryFields: Readonly<Record<ManagedAction, keyof compute_v1.Schema$InstanceGroupManagerActionsSummary>> = {
  NONE: 'none',
  CREATING: 'creating',
  CREATING_WITHOUT_RETRIES: 'creatingWithoutRetries',
  VERIFYING: 'verifying',
  RECREATING: 'recreating',
  DELETING: 'deleting',
  RESTARTING: 'restarting',
  REFRESHING: 'refreshing',
}
