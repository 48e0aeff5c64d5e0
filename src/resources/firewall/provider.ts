/** Firewall rules. https://cloud.google.com/compute/docs/reference/rest/v1/firewalls */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part, resourcePath } from '../resource.ts'
import { firewallResource } from './resource.ts'
import { FirewallProps } from './schema.ts'
import type { FirewallAttributes } from './schema.ts'

type Context = KindContext<Clients>

export const firewallKind: ResourceKind<FirewallProps, FirewallAttributes, Clients> = {
  kind: firewallResource.kind,
  identity: firewallResource.identity,
  parse: (props) => parseProps(firewallResource.kind, FirewallProps, props),

  async observe(context, identity) {
    try {
      return await read(context, part(identity, 'projectId'), part(identity, 'name'))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff(props, observed) {
    const desired = desiredRule(props)
    return compare(firewallResource, {
      network: [observed.network, desired.network],
      direction: [observed.direction, desired.direction],
      // order has no meaning in these lists
      allowed: [sortAllowed(observed.allowed), sortAllowed(desired.allowed)],
      sourceRanges: [observed.sourceRanges.toSorted(), desired.sourceRanges.toSorted()],
      targetTags: [observed.targetTags.toSorted(), desired.targetTags.toSorted()],
      disabled: [observed.disabled, false],
      description: [observed.description, desired.description],
    })
  },

  async create(context, props) {
    const compute = await context.clients.compute()
    try {
      const started = await call(compute.firewalls.insert({ project: props.projectId, requestBody: { name: props.name, ...desiredRule(props) } }, { signal: context.signal }))
      await waitForCompute(context.clients, props.projectId, started, { what: `create the firewall rule ${props.name}`, signal: context.signal })
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await read(context, props.projectId, props.name)
  },

  async update(context, props) {
    const compute = await context.clients.compute()
    const { network: _network, direction: _direction, ...requestBody } = desiredRule(props)
    const started = await call(compute.firewalls.patch({ project: props.projectId, firewall: props.name, requestBody }, { signal: context.signal }))
    await waitForCompute(context.clients, props.projectId, started, { what: `change the firewall rule ${props.name}`, signal: context.signal })
    return await read(context, props.projectId, props.name)
  },

  async remove(context, identity) {
    const compute = await context.clients.compute()
    const project = part(identity, 'projectId')
    const firewall = part(identity, 'name')
    try {
      const started = await call(compute.firewalls.delete({ project, firewall }, { signal: context.signal }))
      await waitForCompute(context.clients, project, started, { what: `delete the firewall rule ${firewall}`, signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function desiredRule(props: FirewallProps) {
  return {
    network: `projects/${props.projectId}/global/networks/${props.network}`,
    direction: 'INGRESS',
    allowed: [{ IPProtocol: 'tcp', ports: props.ports }],
    sourceRanges: props.sourceRanges,
    targetTags: props.targetTags,
    disabled: false,
    description: props.description,
  }
}

function sortAllowed(allowed: readonly { readonly IPProtocol?: string; readonly protocol?: string; readonly ports: readonly string[] }[]): readonly string[] {
  return allowed.map((entry) => `${entry.protocol ?? entry.IPProtocol ?? ''}:${entry.ports.toSorted().join(',')}`).toSorted()
}

async function read(context: Context, project: string, firewall: string): Promise<FirewallAttributes> {
  const compute = await context.clients.compute()
  return toAttributes(await call(compute.firewalls.get({ project, firewall }, { signal: context.signal })))
}

function toAttributes(rule: compute_v1.Schema$Firewall): FirewallAttributes {
  return {
    name: rule.name ?? '',
    selfLink: rule.selfLink ?? '',
    network: resourcePath(rule.network ?? ''),
    allowed: (rule.allowed ?? []).map((entry) => ({ protocol: entry.IPProtocol ?? '', ports: entry.ports ?? [] })),
    sourceRanges: rule.sourceRanges ?? [],
    targetTags: rule.targetTags ?? [],
    direction: rule.direction ?? 'INGRESS',
    disabled: rule.disabled === true,
    description: rule.description ?? '',
  }
}
