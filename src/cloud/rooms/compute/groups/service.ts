/** Instance templates and groups of the compute room, put together. */
import type { Compute } from '../service.ts'
import type { Images } from '../service.images.ts'
import type { InstanceChanges } from '../service.instance-changes.ts'
import type { InstancePlans } from '../service.instance-plan.ts'
import type { Instances } from '../service.instances.ts'
import { createMembers } from './members.ts'
import type { Balancing, Members } from './members.ts'
import { createReconciler } from './reconciler.ts'
import { createGroupRows } from './service.groups.ts'
import type { Groups } from './service.groups.ts'
import { createManagedInstances } from './service.managed-instances.ts'
import type { ManagedInstances } from './service.managed-instances.ts'
import { createManagers } from './service.managers.ts'
import type { Managers } from './service.managers.ts'
import { createTemplates } from './service.templates.ts'
import type { Templates } from './service.templates.ts'
import { createGroupStore } from './store.ts'
import { createWork } from './work.ts'

export interface InstanceGroups {
  readonly templates: Templates
  readonly groups: Groups
  readonly managers: Managers
  readonly managed: ManagedInstances
  /** For load balancing. */
  readonly members: Members
  /** Load balancing tells health from now on, and drains. Call it before `start`. */
  connect(balancing: Balancing): void
  /** Begins to look after managed groups; at daemon start, after machines were adopted. */
  start(): void
  stop(): void
}

export interface InstanceGroupParts {
  readonly images: Images
  readonly instances: Instances
  readonly changes: InstanceChanges
  readonly plans: InstancePlans
}

export function createInstanceGroups(compute: Compute, parts: InstanceGroupParts): InstanceGroups {
  const { busyMs, idleMs, backoffMs } = compute.deps.groupTiming
  let connected: Balancing | undefined
  const balancing = (): Balancing | undefined => connected
  const groupStore = createGroupStore(compute.kernel.database)
  const members = createMembers(compute, groupStore)
  const templates = createTemplates(compute, parts.images, groupStore)
  const groups = createGroupRows(compute, members)
  const work = createWork(compute, {
    groupStore,
    templates,
    instances: parts.instances,
    changes: parts.changes,
    balancing,
    versionFor: (manager, managed) => reconciler.versionFor(manager, managed),
    backoffMs,
  })
  const reconciler = createReconciler(compute, { groupStore, groups, templates, work, busyMs, idleMs })
  const managers = createManagers(compute, { groupStore, groups, templates, plans: parts.plans, reconciler })
  return {
    templates,
    groups,
    managers,
    managed: createManagedInstances(compute, { groupStore, managers, reconciler, work, balancing }),
    members,
    connect: (given) => void (connected = given),
    start: () => reconciler.start(),
    stop: () => reconciler.stop(),
  }
}
