/** Global addresses. https://cloud.google.com/compute/docs/reference/rest/v1/globalAddresses */
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, compareMaps, mergeMaps, part } from '../resource.ts'
import { globalAddressResource } from './resource.ts'
import { GlobalAddressProps } from './schema.ts'
import type { GlobalAddressAttributes } from './schema.ts'

export const globalAddressKind = computeKind<GlobalAddressProps, GlobalAddressAttributes>({
  resource: globalAddressResource,
  schema: GlobalAddressProps,
  noun: 'global address',
  // a forwarding rule moves to the new address before the old one goes
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const address = await call(compute.globalAddresses.get({ ...projectOf(identity), address: part(identity, 'name') }, options))
    return {
      name: address.name ?? '',
      selfLink: address.selfLink ?? '',
      address: address.address ?? '',
      addressType: address.addressType ?? 'EXTERNAL',
      labels: address.labels ?? {},
      labelFingerprint: address.labelFingerprint ?? '',
    }
  },

  diff: (props, observed) => [...compare(globalAddressResource, { addressType: [observed.addressType, 'EXTERNAL'] }), ...compareMaps('labels', observed.labels, props.labels)],

  insert(compute, props, options) {
    const requestBody = { name: props.name, description: props.description, addressType: 'EXTERNAL', ipVersion: 'IPV4', labels: { ...props.labels } }
    return compute.globalAddresses.insert({ project: props.projectId, requestBody }, options)
  },

  async change({ compute, options, finish }, props, observed) {
    const requestBody = { labels: mergeMaps(observed.labels, props.labels), labelFingerprint: observed.labelFingerprint }
    await finish('set the labels', compute.globalAddresses.setLabels({ project: props.projectId, resource: props.name, requestBody }, options))
  },

  remove: (compute, identity, options) => compute.globalAddresses.delete({ ...projectOf(identity), address: part(identity, 'name') }, options),
})
