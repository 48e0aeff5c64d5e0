/**
 * HTTPS for the domains of a server: a managed certificate, and a second way in on port 443 of the same address. On port 80 the domains are sent there;
 * the bare address stays plain, since no certificate is for it.
 */
import { sha256Hex } from '../base/ids.ts'
import type { DesiredResource, Ref } from '../engine/types.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'

/** The rules of the URL map behind port 80. */
export function plainHostRules(domains: readonly string[]): readonly object[] {
  return domains.length === 0 ? [] : [{ hosts: [...new Set(domains)], redirectToHttps: true }]
}

/** Nothing without domains. `name`: of the server's own load balancer, address included; `service`: link of its backend service. */
export function compileHttps({ projectId, labels, description }: Compilation, name: string, domains: readonly string[], service: Ref): readonly DesiredResource[] {
  if (domains.length === 0) return []
  const compute = serviceAddress('compute.googleapis.com')
  const common = { projectId, name: `${name}-https`, description }
  const self = (kind: string, called = common.name): Ref => ({ $ref: `${kind}/${called}`, attribute: 'selfLink' })
  const certificate = certificateName(name, domains)
  return [
    resource('managed-ssl-certificate', certificate, { ...common, name: certificate, domains: [...new Set(domains)] }, [compute]),
    resource('url-map', common.name, { ...common, defaultService: service }, [compute]),
    resource('target-https-proxy', common.name, { ...common, urlMap: self('url-map'), certificates: [self('managed-ssl-certificate', certificate)] }, [compute]),
    resource(
      'forwarding-rule',
      common.name,
      { ...common, target: self('target-https-proxy'), address: { $ref: `global-address/${name}`, attribute: 'address' }, port: 443, labels },
      [compute],
    ),
  ]
}

/** Other domains are another certificate, so that the proxy can move to it before the old one goes. */
function certificateName(name: string, domains: readonly string[]): string {
  return `${name}-${sha256Hex([...new Set(domains)].toSorted().join(' ')).slice(0, 8)}`
}
