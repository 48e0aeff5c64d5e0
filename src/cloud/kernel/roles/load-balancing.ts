/** Permissions of load balancing, which several of Compute Engine's roles hold. https://cloud.google.com/compute/docs/access/iam */
const verbs: Readonly<Record<string, readonly string[]>> = {
  healthChecks: ['create', 'delete', 'update', 'use', 'useReadOnly'],
  httpHealthChecks: ['create', 'delete', 'update', 'use', 'useReadOnly'],
  backendServices: ['create', 'delete', 'setSecurityPolicy', 'update', 'use'],
  urlMaps: ['create', 'delete', 'invalidateCache', 'update', 'use', 'validate'],
  targetHttpProxies: ['create', 'delete', 'setUrlMap', 'update', 'use'],
  targetHttpsProxies: ['create', 'delete', 'setSslCertificates', 'setUrlMap', 'update', 'use'],
  globalForwardingRules: ['create', 'delete', 'setLabels', 'setTarget', 'update'],
  forwardingRules: [],
}
const reads = ['get', 'list']

function all(service: string, these: readonly string[]): readonly string[] {
  return these.map((verb) => `compute.${service}.${verb}`)
}

export const balancingRead = [...Object.keys(verbs), 'sslCertificates', 'securityPolicies'].flatMap((service) => all(service, reads))
/** Without certificates and security policies, which are for security administrators. */
export const balancingWrite = Object.entries(verbs).flatMap(([service, these]) => all(service, these))
export const certificatesWrite = all('sslCertificates', ['create', 'delete'])
export const securityPoliciesWrite = all('securityPolicies', ['create', 'delete', 'setLabels', 'update', 'use'])
