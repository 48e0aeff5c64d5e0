/** Global forwarding rules. https://cloud.google.com/compute/docs/reference/rest/v1/globalForwardingRules */
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, compareMaps, mergeMaps, part, resourcePath, touches } from '../resource.ts'
import { forwardingRuleResource } from './resource.ts'
import { ForwardingRuleProps } from './schema.ts'
import type { ForwardingRuleAttributes } from './schema.ts'

// two rules cannot have the same port of an address, so that the old one goes first when one is replaced
export const forwardingRuleKind = computeKind<ForwardingRuleProps, ForwardingRuleAttributes>({
  resource: forwardingRuleResource,
  schema: ForwardingRuleProps,
  noun: 'forwarding rule',

  async read(compute, identity, options) {
    const rule = await call(compute.globalForwardingRules.get({ ...projectOf(identity), forwardingRule: part(identity, 'name') }, options))
    return {
      name: rule.name ?? '',
      selfLink: rule.selfLink ?? '',
      target: resourcePath(rule.target ?? ''),
      address: rule.IPAddress ?? '',
      // `80-80`
      port: Number.parseInt(rule.portRange ?? '0', 10),
      loadBalancingScheme: rule.loadBalancingScheme ?? '',
      labels: rule.labels ?? {},
      labelFingerprint: rule.labelFingerprint ?? '',
    }
  },

  diff: (props, observed) => [
    ...compare(forwardingRuleResource, {
      target: [observed.target, resourcePath(props.target)],
      address: [observed.address, props.address],
      port: [observed.port, props.port],
      loadBalancingScheme: [observed.loadBalancingScheme, props.loadBalancingScheme],
    }),
    ...compareMaps('labels', observed.labels, props.labels),
  ],

  insert(compute, props, options) {
    const requestBody = {
      name: props.name,
      description: props.description,
      target: resourcePath(props.target),
      IPAddress: props.address,
      IPProtocol: 'TCP',
      portRange: String(props.port),
      loadBalancingScheme: props.loadBalancingScheme,
      labels: { ...props.labels },
    }
    return compute.globalForwardingRules.insert({ project: props.projectId, requestBody }, options)
  },

  async change({ compute, options, finish }, props, observed, differences) {
    if (touches(differences, 'target')) {
      const requestBody = { target: resourcePath(props.target) }
      await finish('set the target', compute.globalForwardingRules.setTarget({ project: props.projectId, forwardingRule: props.name, requestBody }, options))
    }
    if (touches(differences, 'labels')) {
      const requestBody = { labels: mergeMaps(observed.labels, props.labels), labelFingerprint: observed.labelFingerprint }
      await finish('set the labels', compute.globalForwardingRules.setLabels({ project: props.projectId, resource: props.name, requestBody }, options))
    }
  },

  remove: (compute, identity, options) => compute.globalForwardingRules.delete({ ...projectOf(identity), forwardingRule: part(identity, 'name') }, options),
})
