/** Zonal managed instance groups: what they should be. What is done about it is in reconciler.ts. https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { waitFor } from '../../../../base/wait.ts'
import { invalidArgument } from '../../../kernel/api-error.ts'
import type { Operation } from '../../../kernel/operations.ts'
import { fingerprintMismatch } from '../errors.ts'
import { linkTo, parseLink, selfLink } from '../links.ts'
import { requireLabels, requireName, requireZone } from '../service.ts'
import type { Caller, Compute } from '../service.ts'
import type { InstancePlans } from '../service.instance-plan.ts'
import { fingerprint, head, sameFingerprint } from '../shapes.ts'
import type { Key } from '../store.ts'
import type { InstanceGroup } from './members.ts'
import { mergeUpdatePolicy, requireVersions, restVersion, versionWishes, withCalculated } from './policy.ts'
import type { Reconciler } from './reconciler.ts'
import { InstanceBody } from '../schema.ts'
import type { ManagerBody } from './schema.ts'
import type { Groups } from './service.groups.ts'
import type { Templates } from './service.templates.ts'
import type { GroupStore } from './store.ts'
import { summaryFields } from './work.ts'
import type { Manager } from './work.ts'

/** No zonal group may be larger. */
const MAX_SIZE = 1000
/** A group's machines are deleted one after the other on a small host. */
const DELETE_TIMEOUT_MS = 3_600_000

export interface Managers {
  insert(caller: Caller, projectId: string, zone: string, body: ManagerBody): Operation
  get(projectId: string, zone: string, name: string): Manager
  patch(caller: Caller, manager: Manager, body: ManagerBody): Operation
  resize(caller: Caller, manager: Manager, size: number): Operation
  setInstanceTemplate(caller: Caller, manager: Manager, link: string | null | undefined): Operation
  setTargetPools(caller: Caller, manager: Manager, targetPools: readonly string[], sentFingerprint: string | null | undefined): Operation
  remove(caller: Caller, manager: Manager): Operation
  /** As the API shows it now. */
  present(manager: Manager): compute_v1.Schema$InstanceGroupManager
  /** Edits the row in one transaction with its operation, and wakes the reconciler. */
  change(caller: Caller, type: string, manager: Manager, edit: (current: Manager) => Manager): Operation
}

export interface ManagerParts {
  readonly groupStore: GroupStore
  readonly groups: Groups
  readonly templates: Templates
  readonly plans: InstancePlans
  readonly reconciler: Reconciler
}

type Spec = compute_v1.Schema$InstanceGroupManager

export function createManagers(compute: Compute, parts: ManagerParts): Managers {
  const { store } = compute
  const { groupStore, groups, templates, plans, reconciler } = parts

  /** A template's link in Google's form, when the caller may make machines from it. */
  function useTemplate(caller: Caller, projectId: string, link: string): string {
    const template = templates.forUse(caller, link, projectId)
    caller.require('compute.instances.create', { projectId })
    plans.serviceAccounts(caller, projectId, InstanceBody.parse(template.record.properties ?? {}).serviceAccounts)
    return selfLink(template)
  }

  function versionsOf(caller: Caller, projectId: string, body: ManagerBody): compute_v1.Schema$InstanceGroupManagerVersion[] | undefined {
    const sent = body.versions?.length ? body.versions : body.instanceTemplate ? [{ instanceTemplate: body.instanceTemplate }] : undefined
    if (sent === undefined) return undefined
    return requireVersions(
      sent.map((version, index) => {
        const link = version.instanceTemplate ?? (sent.length === 1 ? body.instanceTemplate : undefined)
        if (!link) throw invalidArgument(`Invalid value for field 'resource.versions[${index}].instanceTemplate': ''. An instance template is required.`)
        return { name: version.name, targetSize: version.targetSize, instanceTemplate: useTemplate(caller, projectId, link) } as compute_v1.Schema$InstanceGroupManagerVersion
      }),
    )
  }

  function healingOf(projectId: string, sent: ManagerBody['autoHealingPolicies']): compute_v1.Schema$InstanceGroupManagerAutoHealingPolicy[] {
    const at = 'resource.autoHealingPolicies'
    if ((sent ?? []).length > 1) throw invalidArgument(`Invalid value for field '${at}': at most one policy is allowed.`)
    return (sent ?? []).map((policy) => {
      const initialDelaySec = policy.initialDelaySec ?? 0
      if (initialDelaySec < 0 || initialDelaySec > 3600)
        throw invalidArgument(`Invalid value for field '${at}[0].initialDelaySec': '${initialDelaySec}'. Must be between 0 and 3600.`)
      if (!policy.healthCheck) return { initialDelaySec }
      return { healthCheck: selfLink(compute.get(parseLink(policy.healthCheck, { projectId, scope: 'global', collection: checkCollection(policy.healthCheck) }))), initialDelaySec }
    })
  }

  function sizeOf(size: number): number {
    if (size >= 0 && size <= MAX_SIZE) return size
    throw invalidArgument(`Invalid value for field 'resource.targetSize': '${size}'. Must be between 0 and ${MAX_SIZE}.`)
  }

  /** Fields that are checked, over those that are there. What a patch does not name stays. */
  function specOf(caller: Caller, projectId: string, body: ManagerBody, before: Spec): Spec {
    if (isFilled(body.statefulPolicy)) throw invalidArgument('Stateful managed instance groups are not supported by the pocket cloud.')
    requireLabels(body.allInstancesConfig?.properties?.labels)
    const targetSize = body.targetSize === undefined || body.targetSize === null ? (before.targetSize ?? 0) : sizeOf(body.targetSize)
    const versions = versionsOf(caller, projectId, body) ?? before.versions ?? []
    const kept = Object.fromEntries(
      (['description', 'allInstancesConfig', 'targetPools', 'listManagedInstancesResults', 'standbyPolicy', 'targetSizePolicy', 'resourcePolicies'] as const).flatMap((field) =>
        body[field] === undefined ? [] : [[field, isFilled(body[field]) ? body[field] : undefined]],
      ),
    )
    const spec: Spec = {
      ...before,
      ...kept,
      targetSize,
      versions,
      instanceTemplate: restVersion(versions).instanceTemplate,
      updatePolicy: mergeUpdatePolicy(body.updatePolicy as compute_v1.Schema$InstanceGroupManagerUpdatePolicy | null | undefined, before.updatePolicy, targetSize),
      instanceLifecyclePolicy: {
        defaultActionOnFailure: 'REPAIR',
        forceUpdateOnRepair: 'NO',
        ...before.instanceLifecyclePolicy,
        ...withoutEmpty(body.instanceLifecyclePolicy ?? {}),
      },
      ...(body.autoHealingPolicies === undefined ? {} : { autoHealingPolicies: healingOf(projectId, body.autoHealingPolicies) }),
    }
    if (spec.autoHealingPolicies?.length === 0) delete spec.autoHealingPolicies
    return sealed(spec)
  }

  function sealed(spec: Spec): Spec {
    const { fingerprint: _before, ...content } = spec
    return { ...content, fingerprint: fingerprint(content) }
  }

  function change(caller: Caller, type: string, manager: Manager, edit: (current: Manager) => Manager): Operation {
    const operation = compute.begin(caller, { type: `instanceGroupManagers.${type}`, key: manager, targetId: manager.id }, () => {
      const edited = edit(compute.get<Manager>(manager))
      store.update({ ...edited, record: sealed(edited.record) })
    })
    reconciler.wake()
    return operation
  }

  function requireFingerprint(manager: Manager, sent: string | null | undefined): void {
    if (sent && !sameFingerprint(sent, manager.record.fingerprint)) throw fingerprintMismatch('Instance group manager')
  }

  function requireAlive(manager: Manager): void {
    if (manager.hidden.isDeleting === true) throw invalidArgument(`The resource '${selfLink(manager)}' is being deleted.`, { reason: 'resourceNotReady' })
  }

  for (const verb of [
    'insert',
    'patch',
    'resize',
    'setInstanceTemplate',
    'setTargetPools',
    'recreateInstances',
    'deleteInstances',
    'abandonInstances',
    'createInstances',
    'applyUpdatesToInstances',
  ])
    compute.handle(`instanceGroupManagers.${verb}`)
  compute.handle<{ id: string }>('instanceGroupManagers.delete', (args, context) =>
    waitFor({ what: 'the managed instance group is gone', timeoutMs: DELETE_TIMEOUT_MS, intervalMs: 50, signal: context.signal }, async () => {
      const left = store.byId(args.id) === undefined ? 0 : groupStore.listManaged(args.id).length
      return store.byId(args.id) === undefined ? { done: true, value: undefined } : { done: false, status: `${left} instances are left` }
    }),
  )

  return {
    insert(caller, projectId, zone, body) {
      const key: Key = { projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instanceGroupManagers', name: requireName(body.name) }
      const base = body.baseInstanceName ?? key.name.slice(0, 58).replace(/-+$/, '')
      if (!/^[a-z][-a-z0-9]{0,57}$/.test(base))
        throw invalidArgument(`Invalid value for field 'resource.baseInstanceName': '${base}'. Must be a match of regex '[a-z][-a-z0-9]{0,57}'`)
      if (!body.instanceTemplate && !body.versions?.length) throw invalidArgument("Invalid value for field 'resource.instanceTemplate': ''. An instance template is required.")
      if (body.targetSize === undefined || body.targetSize === null) throw invalidArgument("Invalid value for field 'resource.targetSize': ''. The target size is required.")
      const spec = specOf(caller, projectId, body, {})
      const operation = compute.begin(caller, { type: 'instanceGroupManagers.insert', key }, () => {
        const made = compute.insert<Manager>({ ...key, record: {}, hidden: {} })
        const group = groups.createRow({ ...key, collection: 'instanceGroups' }, { name: key.name, namedPorts: body.namedPorts, network: networkOf(spec) }, made.id)
        const record = sealed({
          ...head('instanceGroupManager', key, made.id),
          zone: linkTo(`projects/${projectId}/${key.scope}`),
          listManagedInstancesResults: 'PAGELESS',
          ...spec,
          baseInstanceName: base,
          instanceGroup: selfLink(group),
          ...(group.record.namedPorts === undefined ? {} : { namedPorts: group.record.namedPorts }),
        })
        store.update({ ...made, record })
        return made.id
      })
      reconciler.wake()
      return operation
    },
    get: (projectId, zone, name) => compute.get<Manager>({ projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instanceGroupManagers', name }),
    patch(caller, manager, body) {
      requireAlive(manager)
      requireFingerprint(manager, body.fingerprint)
      if (body.baseInstanceName && body.baseInstanceName !== manager.record.baseInstanceName && !/^[a-z][-a-z0-9]{0,57}$/.test(body.baseInstanceName))
        throw invalidArgument(`Invalid value for field 'resource.baseInstanceName': '${body.baseInstanceName}'. Must be a match of regex '[a-z][-a-z0-9]{0,57}'`)
      const base = body.baseInstanceName ? { baseInstanceName: body.baseInstanceName } : {}
      return change(caller, 'patch', manager, (current) => ({ ...current, record: { ...specOf(caller, manager.projectId, body, current.record), ...base } }))
    },
    resize(caller, manager, size) {
      requireAlive(manager)
      sizeOf(size)
      return change(caller, 'resize', manager, (current) => ({ ...current, record: { ...current.record, targetSize: size } }))
    },
    setInstanceTemplate(caller, manager, link) {
      requireAlive(manager)
      if (!link) throw invalidArgument("Invalid value for field 'instanceTemplate': ''. An instance template is required.")
      return change(caller, 'setInstanceTemplate', manager, (current) => ({
        ...current,
        record: specOf(caller, manager.projectId, { instanceTemplate: link }, current.record),
      }))
    },
    setTargetPools(caller, manager, targetPools, sentFingerprint) {
      requireFingerprint(manager, sentFingerprint)
      return change(caller, 'setTargetPools', manager, (current) => ({ ...current, record: { ...current.record, targetPools: [...targetPools] } }))
    },
    remove(caller, manager) {
      const operation = compute.begin(caller, { type: 'instanceGroupManagers.delete', key: manager, targetId: manager.id }, () => {
        const group = store.get({ ...manager, collection: 'instanceGroups' }) as InstanceGroup | undefined
        if (group !== undefined) groups.requireUnused(group)
        store.update({ ...compute.get<Manager>(manager), hidden: { isDeleting: true } })
      })
      reconciler.wake()
      return operation
    },
    present(manager) {
      const { record } = manager
      const { targetSize = 0, updatePolicy = {}, versions = [] } = record
      const size = targetSize ?? 0
      const wishes = versionWishes(versions, size)
      const counts = Object.fromEntries(Object.values(summaryFields).map((field) => [field, 0])) as Record<string, number>
      for (const managed of groupStore.listManaged(manager.id)) counts[summaryFields[managed.action]] = (counts[summaryFields[managed.action]] ?? 0) + 1
      return {
        ...record,
        versions: versions.map((version, index) => ({ ...version, targetSize: { ...version.targetSize, calculated: wishes[index]?.want ?? 0 } })),
        updatePolicy: {
          ...updatePolicy,
          maxSurge: withCalculated(updatePolicy.maxSurge ?? { fixed: 1 }, size),
          maxUnavailable: withCalculated(updatePolicy.maxUnavailable ?? { fixed: 1 }, size),
        },
        currentActions: { ...counts, abandoning: 0 },
        status: reconciler.status(manager),
      }
    },
    change,
  }

  /** The network of the group's machines, which the instance group shows. */
  function networkOf(spec: Spec): string | undefined {
    return templates.find(spec.instanceTemplate ?? '')?.record.properties?.networkInterfaces?.[0]?.network ?? undefined
  }
}

/** Legacy health checks are named by their own collections. */
function checkCollection(link: string): string {
  return ['httpHealthChecks', 'httpsHealthChecks'].find((collection) => link.includes(`/${collection}/`)) ?? 'healthChecks'
}

/** Terraform sends empty objects and texts for what is not set. */
function isFilled(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined && value !== null && value !== ''
  return Object.values(value).some(isFilled)
}

/** Terraform sends empty texts for what is not set. */
function withoutEmpty(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== null && value !== undefined))
}
