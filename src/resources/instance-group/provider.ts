/**
 * Zonal managed instance groups. https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers
 * The template is set when a group is made and never again: versions belong to the deployer.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { HOUR_MS } from '../../base/units.ts'
import { call } from '../../client/errors.ts'
import { computeKind } from '../compute-kind.ts'
import type { ChangeTools } from '../compute-kind.ts'
import { compare, compareMaps, part, resourcePath, touches } from '../resource.ts'
import { firstSize, instanceGroupResource } from './resource.ts'
import { InstanceGroupProps, firstPolicy } from './schema.ts'
import type { InstanceGroupAttributes } from './schema.ts'

export const instanceGroupKind = computeKind<InstanceGroupProps, InstanceGroupAttributes>({
  resource: instanceGroupResource,
  schema: InstanceGroupProps,
  noun: 'instance group',
  // a backend service moves to the new group before the old one goes
  createBeforeDelete: true,
  // its instances end one by one, each after its draining
  removeTimeoutMs: HOUR_MS,

  async read(compute, identity, options) {
    return toAttributes(await call(compute.instanceGroupManagers.get({ ...placeOf(identity), instanceGroupManager: part(identity, 'name') }, options)))
  },

  diff: (props, observed) => [
    ...compare(instanceGroupResource, {
      baseInstanceName: [observed.baseInstanceName, props.baseInstanceName],
      targetSize: [observed.targetSize, props.targetSize ?? observed.targetSize],
      autoHealing: [observed.autoHealing, props.autoHealing === undefined ? null : { ...props.autoHealing, healthCheck: resourcePath(props.autoHealing.healthCheck) }],
      ...policyPairs(props, observed),
    }),
    ...compareMaps('namedPorts', asTexts(observed.namedPorts), asTexts(props.namedPorts), () => false),
  ],

  insert(compute, props, options) {
    const requestBody = {
      name: props.name,
      description: props.description,
      instanceTemplate: resourcePath(props.template),
      targetSize: firstSize(props),
      namedPorts: namedPorts(props),
      ...policyFields(firstPolicy),
      ...desiredFields(props),
    }
    return compute.instanceGroupManagers.insert({ project: props.projectId, zone: props.zone, requestBody }, options)
  },

  async change(tools, props, observed, differences) {
    const { compute, options, finish } = tools
    const manager = { project: props.projectId, zone: props.zone, instanceGroupManager: props.name }
    if (['baseInstanceName', 'autoHealing', 'updatePolicy'].some((path) => touches(differences, path))) {
      const requestBody = { ...desiredFields(props), fingerprint: observed.fingerprint }
      await finish('set the fields', compute.instanceGroupManagers.patch({ ...manager, requestBody }, options))
    }
    if (touches(differences, 'namedPorts')) await changePorts(tools, props)
    if (touches(differences, 'targetSize')) await finish('set the size', compute.instanceGroupManagers.resize({ ...manager, size: firstSize(props) }, options))
  },

  remove: (compute, identity, options) => compute.instanceGroupManagers.delete({ ...placeOf(identity), instanceGroupManager: part(identity, 'name') }, options),
})

/** Named ports belong to the unmanaged half of a group, which has a fingerprint of its own. */
async function changePorts({ compute, options, finish }: ChangeTools, props: InstanceGroupProps): Promise<void> {
  const group = { project: props.projectId, zone: props.zone, instanceGroup: props.name }
  const { fingerprint } = await call(compute.instanceGroups.get(group, options))
  const requestBody = { namedPorts: namedPorts(props), ...(fingerprint ? { fingerprint } : {}) }
  await finish('set the named ports', compute.instanceGroups.setNamedPorts({ ...group, requestBody }, options))
}

function placeOf(identity: Readonly<Record<string, string>>): { readonly project: string; readonly zone: string } {
  return { project: part(identity, 'projectId'), zone: part(identity, 'zone') }
}

function namedPorts(props: InstanceGroupProps): compute_v1.Schema$NamedPort[] {
  return Object.entries(props.namedPorts).map(([name, port]) => ({ name, port }))
}

function asTexts(ports: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]))
}

function policyPairs({ updatePolicy }: InstanceGroupProps, { updatePolicy: there }: InstanceGroupAttributes): Record<string, readonly [unknown, unknown]> {
  if (updatePolicy === undefined) return {}
  return {
    'updatePolicy.type': [there.type, updatePolicy.type],
    'updatePolicy.minimalAction': [there.minimalAction, updatePolicy.minimalAction],
    'updatePolicy.replacementMethod': [there.replacementMethod, updatePolicy.replacementMethod],
    'updatePolicy.maxSurge': [there.maxSurge, { fixed: updatePolicy.maxSurge }],
    'updatePolicy.maxUnavailable': [there.maxUnavailable, { fixed: updatePolicy.maxUnavailable }],
  }
}

function policyFields(updatePolicy: NonNullable<InstanceGroupProps['updatePolicy']>): compute_v1.Schema$InstanceGroupManager {
  return { updatePolicy: { ...updatePolicy, maxSurge: { fixed: updatePolicy.maxSurge }, maxUnavailable: { fixed: updatePolicy.maxUnavailable } } }
}

/** What a patch sets as well as an insert. */
function desiredFields(props: InstanceGroupProps): compute_v1.Schema$InstanceGroupManager {
  const { autoHealing, updatePolicy } = props
  return {
    baseInstanceName: props.baseInstanceName,
    autoHealingPolicies: autoHealing === undefined ? [] : [{ healthCheck: resourcePath(autoHealing.healthCheck), initialDelaySec: autoHealing.initialDelaySeconds }],
    ...(updatePolicy === undefined ? {} : policyFields(updatePolicy)),
  }
}

function toAttributes(manager: compute_v1.Schema$InstanceGroupManager): InstanceGroupAttributes {
  const healing = manager.autoHealingPolicies?.[0]
  const policy = manager.updatePolicy ?? {}
  return {
    name: manager.name ?? '',
    selfLink: manager.selfLink ?? '',
    instanceGroup: manager.instanceGroup ?? '',
    baseInstanceName: manager.baseInstanceName ?? '',
    targetSize: manager.targetSize ?? 0,
    namedPorts: Object.fromEntries((manager.namedPorts ?? []).map((named) => [named.name ?? '', named.port ?? 0])),
    // a policy without a check only waits
    autoHealing: healing?.healthCheck ? { healthCheck: resourcePath(healing.healthCheck), initialDelaySeconds: healing.initialDelaySec ?? 0 } : null,
    updatePolicy: {
      type: policy.type ?? '',
      minimalAction: policy.minimalAction ?? '',
      replacementMethod: policy.replacementMethod ?? 'SUBSTITUTE',
      maxSurge: amount(policy.maxSurge),
      maxUnavailable: amount(policy.maxUnavailable),
    },
    fingerprint: manager.fingerprint ?? '',
  }
}

/** Without what the cloud calculated from it. */
function amount(given: compute_v1.Schema$FixedOrPercent | undefined): InstanceGroupAttributes['updatePolicy']['maxSurge'] {
  return typeof given?.percent === 'number' ? { percent: given.percent } : { fixed: given?.fixed ?? 0 }
}
