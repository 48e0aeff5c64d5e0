/** Target HTTPS proxies. https://cloud.google.com/compute/docs/reference/rest/v1/targetHttpsProxies */
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part, resourcePath, touches } from '../resource.ts'
import { targetHttpsProxyResource } from './resource.ts'
import { TargetHttpsProxyProps } from './schema.ts'
import type { TargetHttpsProxyAttributes } from './schema.ts'

export const targetHttpsProxyKind = computeKind<TargetHttpsProxyProps, TargetHttpsProxyAttributes>({
  resource: targetHttpsProxyResource,
  schema: TargetHttpsProxyProps,
  noun: 'target HTTPS proxy',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const proxy = await call(compute.targetHttpsProxies.get({ ...projectOf(identity), targetHttpsProxy: part(identity, 'name') }, options))
    return { name: proxy.name ?? '', selfLink: proxy.selfLink ?? '', urlMap: resourcePath(proxy.urlMap ?? ''), certificates: (proxy.sslCertificates ?? []).map(resourcePath) }
  },

  diff: (props, observed) =>
    compare(targetHttpsProxyResource, {
      urlMap: [observed.urlMap, resourcePath(props.urlMap)],
      certificates: [observed.certificates, props.certificates.map(resourcePath)],
    }),

  insert: (compute, props, options) =>
    compute.targetHttpsProxies.insert(
      {
        project: props.projectId,
        requestBody: { name: props.name, description: props.description, urlMap: resourcePath(props.urlMap), sslCertificates: props.certificates.map(resourcePath) },
      },
      options,
    ),

  async change({ compute, options, finish }, props, _observed, differences) {
    const target = { project: props.projectId, targetHttpsProxy: props.name }
    if (touches(differences, 'urlMap')) {
      await finish('set the URL map', compute.targetHttpsProxies.setUrlMap({ ...target, requestBody: { urlMap: resourcePath(props.urlMap) } }, options))
    }
    if (touches(differences, 'certificates')) {
      const requestBody = { sslCertificates: props.certificates.map(resourcePath) }
      await finish('set the certificates', compute.targetHttpsProxies.setSslCertificates({ ...target, requestBody }, options))
    }
  },

  remove: (compute, identity, options) => compute.targetHttpsProxies.delete({ ...projectOf(identity), targetHttpsProxy: part(identity, 'name') }, options),
})
