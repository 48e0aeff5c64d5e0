/**
 * Keeps managed groups as they should be. The database is the truth: each pass reads it, decides, and does the next small steps, so that passes may come at any
 * time, twice, or after a crash in the middle of anything.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { shortId } from '../../../../base/ids.ts'
import { selfLink } from '../links.ts'
import type { Compute } from '../service.ts'
import { neededAction } from './bodies.ts'
import type { InstanceGroup } from './members.ts'
import { decide, sortOut } from './planner.ts'
import type { Availability, GroupWish, InstanceView } from './planner.ts'
import { calculated, restVersion, strongerAction, toUpdateAction, updateActions, versionKey, versionWishes } from './policy.ts'
import type { UpdateAction } from './policy.ts'
import type { Groups } from './service.groups.ts'
import type { Templates } from './service.templates.ts'
import type { GroupStore, ManagedInstance, ManagedVersion } from './store.ts'
import { configRevision } from './work.ts'
import type { Manager, Work } from './work.ts'

export interface Reconciler {
  /** Begins to watch all groups. */
  start(): void
  /** Ends watching; what is under way is gone on with by the next daemon. */
  stop(): void
  /** Something changed: look soon. */
  wake(): void
  status(manager: Manager): compute_v1.Schema$InstanceGroupManagerStatus
  wish(manager: Manager): GroupWish
  /** The version that an instance gets when it is made anew now: its own while the group has a place for it. */
  versionFor(manager: Manager, managed: ManagedInstance): ManagedVersion
  /** What bringing an instance from one version to another takes at least. */
  needed(from: ManagedVersion, to: ManagedVersion): UpdateAction
}

export interface ReconcilerParts {
  readonly groupStore: GroupStore
  readonly groups: Groups
  readonly templates: Templates
  readonly work: Work
  /** Between two looks while something is under way. */
  readonly busyMs: number
  /** Between two looks at groups that are stable. */
  readonly idleMs: number
}

export function createReconciler(compute: Compute, parts: ReconcilerParts): Reconciler {
  const { store, kernel } = compute
  const { groupStore, work, templates } = parts
  let timer: NodeJS.Timeout | undefined
  let isRunning = false

  function needed(from: ManagedVersion, to: ManagedVersion): UpdateAction {
    const target = templates.find(to.instanceTemplate)?.record.properties ?? {}
    return from.instanceTemplate === to.instanceTemplate ? 'NONE' : neededAction(templates.find(from.instanceTemplate)?.record.properties, target)
  }

  function updateTo(manager: Manager, managed: ManagedInstance, key: string): UpdateAction | 'blocked' {
    const policy = manager.record.updatePolicy ?? {}
    const action = strongerAction(toUpdateAction(policy.minimalAction, 'REPLACE'), needed(managed.version, versionByKey(manager, key)))
    const allowed = toUpdateAction(policy.mostDisruptiveAllowedAction, 'REPLACE')
    return strongerAction(action, allowed) === allowed ? action : 'blocked'
  }

  function availabilityOf(manager: Manager, managed: ManagedInstance): Availability {
    const instance = work.instanceOf(managed)
    if (!managed.verified || instance === undefined || !work.isUp(instance)) return 'starting'
    const { all } = work.health(manager, instance)
    return all === undefined || all === 'HEALTHY' ? 'available' : all === 'UNHEALTHY' ? 'sick' : 'unknown'
  }

  function viewOf(manager: Manager, managed: ManagedInstance): InstanceView {
    return {
      name: managed.name,
      version: versionKey(managed.version),
      availability: availabilityOf(manager, managed),
      isLeaving: managed.action === 'DELETING',
      isBusy: ['RECREATING', 'RESTARTING', 'REFRESHING'].includes(managed.action),
      updateTo: (key) => updateTo(manager, managed, key),
    }
  }

  function wish(manager: Manager): GroupWish {
    const { targetSize, versions, updatePolicy } = manager.record
    const size = manager.hidden.isDeleting === true ? 0 : (targetSize ?? 0)
    return {
      targetSize: size,
      versions: versionWishes(versions ?? [], size),
      isProactive: updatePolicy?.type === 'PROACTIVE',
      maxSurge: calculated(updatePolicy?.maxSurge, size),
      maxUnavailable: calculated(updatePolicy?.maxUnavailable, size),
      method: updatePolicy?.replacementMethod === 'RECREATE' ? 'RECREATE' : 'SUBSTITUTE',
    }
  }

  function freeName(manager: Manager): string {
    for (;;) {
      const name = `${manager.record.baseInstanceName ?? manager.name}-${shortId(4)}`
      const isTaken = ['instances', 'disks'].some((collection) => store.get({ ...manager, collection, name }) !== undefined)
      if (!isTaken && groupStore.managed(manager.id, name) === undefined) return name
    }
  }

  function versionByKey(manager: Manager, key: string): ManagedVersion {
    return wish(manager).versions.find((each) => each.key === key)?.version ?? restVersion(manager.record.versions ?? [])
  }

  /** The next changes of the group as a whole. */
  function plan(manager: Manager): void {
    const managed = groupStore.listManaged(manager.id)
    const byName = new Map(managed.map((each) => [each.name, each]))
    const views = managed.map((each) => viewOf(manager, each))
    for (const decision of decide(wish(manager), views)) {
      if (decision.kind === 'create') {
        groupStore.saveManaged(work.fresh(manager, freeName(manager), versionByKey(manager, decision.version), 'CREATING'))
        continue
      }
      const one = byName.get(decision.name)
      if (one === undefined) continue
      groupStore.saveManaged(decision.kind === 'remove' ? work.begin(one, 'DELETING') : work.begin(one, decision.action, versionByKey(manager, decision.version)))
    }
    refreshConfig(manager)
  }

  /** Instances that have the right version and an older all-instances configuration. */
  function refreshConfig(manager: Manager): void {
    if (manager.record.updatePolicy?.type !== 'PROACTIVE' || manager.record.updatePolicy.mostDisruptiveAllowedAction === 'NONE') return
    const revision = configRevision(manager)
    for (const managed of groupStore.listManaged(manager.id)) {
      const isSettled = managed.step === 'idle' || managed.step === 'verify'
      if (isSettled && managed.configRevision !== revision) groupStore.saveManaged(work.begin(managed, 'REFRESHING'))
    }
  }

  function removeGroup(manager: Manager): void {
    kernel.database.transaction(() => {
      groupStore.forget(manager.id)
      const group = store.get({ ...manager, collection: 'instanceGroups' })
      if (group !== undefined) parts.groups.removeRow(group as InstanceGroup)
      store.remove(manager.id)
    })
  }

  /** True when nothing is under way. */
  function pass(manager: Manager): boolean {
    for (const managed of groupStore.listManaged(manager.id)) {
      // Steps may change the group (a creation without retries that failed), so each reads it anew.
      const current = store.byId(manager.id) as Manager | undefined
      if (current !== undefined) work.advance(current, managed)
    }
    const current = store.byId(manager.id) as Manager | undefined
    if (current === undefined) return true
    if (current.hidden.isDeleting === true && groupStore.listManaged(current.id).length === 0) {
      removeGroup(current)
      return true
    }
    kernel.database.transaction(() => plan(current))
    return status(current).isStable === true
  }

  function status(manager: Manager): compute_v1.Schema$InstanceGroupManagerStatus {
    const managed = groupStore.listManaged(manager.id)
    const views = managed.map((each) => viewOf(manager, each))
    const wanted = wish(manager)
    const { surplus, missing } = sortOut(wanted, views)
    const isSettled = managed.every((each) => each.action === 'NONE')
    const isOutdated = surplus.length > missing.length || surplus.some((view) => missing.some((key) => view.updateTo(key) !== 'blocked'))
    const awaits = wanted.isProactive ? isOutdated || missing.length > surplus.length : managed.length !== wanted.targetSize
    const isReached = surplus.length === 0 && missing.length === 0 && managed.every((each) => each.step === 'idle' || each.step === 'verify')
    const revision = configRevision(manager)
    return {
      isStable: manager.hidden.isDeleting !== true && isSettled && !awaits,
      versionTarget: { isReached },
      allInstancesConfig: {
        effective: managed.every((each) => each.configRevision === undefined || each.configRevision === revision),
        ...(manager.record.allInstancesConfig ? { currentRevision: revision } : {}),
      },
      stateful: { hasStatefulConfig: false, perInstanceConfigs: { allEffective: true } },
    }
  }

  function versionFor(manager: Manager, managed: ManagedInstance): ManagedVersion {
    const { kept, missing } = sortOut(
      wish(manager),
      groupStore.listManaged(manager.id).map((each) => viewOf(manager, each)),
    )
    if (kept.some((view) => view.name === managed.name)) return managed.version
    const choices = missing
      .map((key) => versionByKey(manager, key))
      .toSorted((left, right) => updateActions.indexOf(needed(managed.version, left)) - updateActions.indexOf(needed(managed.version, right)))
    return choices[0] ?? restVersion(manager.record.versions ?? [])
  }

  function look(): void {
    timer = undefined
    if (!isRunning) return
    let isQuiet = true
    for (const manager of store.list('instanceGroupManagers') as readonly Manager[]) {
      try {
        isQuiet = pass(manager) && isQuiet
      } catch (error) {
        // One broken group must not keep the others waiting.
        isQuiet = false
        kernel.log.error({ err: error, group: selfLink(manager) }, 'a managed group could not be looked after')
      }
    }
    schedule(isQuiet ? parts.idleMs : parts.busyMs)
  }

  function schedule(delayMs: number): void {
    if (!isRunning) return
    clearTimeout(timer)
    timer = setTimeout(look, delayMs)
    timer.unref()
  }

  return {
    start() {
      isRunning = true
      schedule(0)
    },
    stop() {
      isRunning = false
      clearTimeout(timer)
    },
    wake: () => schedule(0),
    status,
    wish,
    versionFor,
    needed,
  }
}
