/**
 * The production server of a stack: a managed group of VMs behind an HTTP load balancer. `compileStack` does not call it yet.
 * The group begins with a seed template; which image it runs afterwards belongs to the deployer.
 */
import type { DesiredResource } from '../engine/types.ts'
import { stackLabel } from '../resources/resource.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { plainHostRules, compileHttps } from './compile.https.ts'
import { imageAddress } from './compile.images.ts'
import { neededByServer } from './compile.parts.ts'
import { servingName } from './names.ts'

/** Where Google's load balancers and health probes come from. https://cloud.google.com/load-balancing/docs/firewall-rules */
const balancerRanges: readonly string[] = ['130.211.0.0/22', '35.191.0.0/16']

const portName = 'http'
/** How long a VM that leaves may still answer the requests that it has. */
const drainingSeconds = 30

/** The load balancer asks often, so that traffic leaves a sick VM within seconds. */
const balancerCadence = { intervalSeconds: 2, timeoutSeconds: 2, healthyThreshold: 2, unhealthyThreshold: 2 }
/** A VM is made anew only after a minute of bad answers: under load a server may be slow without being broken. */
const healingCadence = { intervalSeconds: 10, timeoutSeconds: 10, healthyThreshold: 1, unhealthyThreshold: 6 }

/**
 * From the config's `server` section to desired resources, each after what it needs; nothing without that section.
 * @example compileServer({ config, facts, projectId, labels, description })
 */
export function compileServer(compilation: Compilation): readonly DesiredResource[] {
  const { config, projectId, labels, description } = compilation
  const { server } = config
  if (server === undefined) return []
  const image = config.images[server.image]
  // the config's checks have refused an image without a server in it
  if (image === undefined || !('health' in image)) return []

  const name = servingName(labels[stackLabel] ?? projectId)
  const { zone } = config.location
  const { path: requestPath, port, timeoutSeconds } = image.health
  const compute = serviceAddress('compute.googleapis.com')
  const common = { projectId, name, description }
  const check = { projectId, requestPath, port, description }
  const self = (kind: string, called = name) => ({ $ref: `${kind}/${called}`, attribute: 'selfLink' }) as const
  const account = server.serviceAccount === undefined ? {} : { serviceAccount: serviceAccountEmail({ projectId, accountId: server.serviceAccount }) }

  const rule = resource('firewall', `allow-${name}`, { ...common, name: `allow-${name}`, ports: [String(port)], sourceRanges: balancerRanges, targetTags: [name] }, [compute])
  const template = resource(
    'instance-template',
    name,
    { ...common, seed: true, machineType: server.machineType, image: { $ref: imageAddress(server.image), attribute: 'selfLink' }, tags: [name], labels, ...account },
    [compute],
  )
  const group = resource(
    'instance-group',
    name,
    {
      ...common,
      zone,
      baseInstanceName: name,
      template: self('instance-template'),
      targetSize: server.size,
      namedPorts: { [portName]: port },
      autoHealing: { healthCheck: self('health-check', `${name}-healing`), initialDelaySeconds: timeoutSeconds },
      // `rolling`, the only strategy so far: one more VM first, then one fewer of the old ones
      updatePolicy: { type: 'PROACTIVE', maxSurge: 1, maxUnavailable: 0 },
    },
    [compute, rule.address, ...neededByServer(compilation, server.serviceAccount)],
  )
  const service = self('backend-service')
  return [
    rule,
    resource('health-check', name, { ...check, name, ...balancerCadence }, [compute]),
    resource('health-check', `${name}-healing`, { ...check, name: `${name}-healing`, ...healingCadence }, [compute]),
    template,
    group,
    resource('backend-service', name, { ...common, groups: [{ $ref: group.address, attribute: 'instanceGroup' }], healthCheck: self('health-check'), portName, drainingSeconds }, [
      compute,
    ]),
    resource(
      'url-map',
      name,
      // other hosts, such as the bare address, lead to the same server
      { ...common, defaultService: service, hostRules: plainHostRules(server.domains) },
      [compute],
    ),
    resource('target-http-proxy', name, { ...common, urlMap: self('url-map') }, [compute]),
    resource('global-address', name, { ...common, labels }, [compute]),
    resource('forwarding-rule', name, { ...common, target: self('target-http-proxy'), address: { $ref: `global-address/${name}`, attribute: 'address' }, port: 80, labels }, [
      compute,
    ]),
    ...compileHttps(compilation, name, server.domains, service),
  ]
}
