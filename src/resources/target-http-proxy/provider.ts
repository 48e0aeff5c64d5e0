/** Target HTTP proxies. https://cloud.google.com/compute/docs/reference/rest/v1/targetHttpProxies */
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part, resourcePath } from '../resource.ts'
import { targetHttpProxyResource } from './resource.ts'
import { TargetHttpProxyProps } from './schema.ts'
import type { TargetHttpProxyAttributes } from './schema.ts'

export const targetHttpProxyKind = computeKind<TargetHttpProxyProps, TargetHttpProxyAttributes>({
  resource: targetHttpProxyResource,
  schema: TargetHttpProxyProps,
  noun: 'target HTTP proxy',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const proxy = await call(compute.targetHttpProxies.get({ ...projectOf(identity), targetHttpProxy: part(identity, 'name') }, options))
    return { name: proxy.name ?? '', selfLink: proxy.selfLink ?? '', urlMap: resourcePath(proxy.urlMap ?? '') }
  },

  diff: (props, observed) => compare(targetHttpProxyResource, { urlMap: [observed.urlMap, resourcePath(props.urlMap)] }),

  insert: (compute, props, options) =>
    compute.targetHttpProxies.insert({ project: props.projectId, requestBody: { name: props.name, description: props.description, urlMap: resourcePath(props.urlMap) } }, options),

  async change({ compute, options, finish }, props) {
    const requestBody = { urlMap: resourcePath(props.urlMap) }
    await finish('set the URL map', compute.targetHttpProxies.setUrlMap({ project: props.projectId, targetHttpProxy: props.name, requestBody }, options))
  },

  remove: (compute, identity, options) => compute.targetHttpProxies.delete({ ...projectOf(identity), targetHttpProxy: part(identity, 'name') }, options),
})
