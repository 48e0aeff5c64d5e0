/** A load balancer of the pocket cloud in front of one machine, made over its API as any client makes one. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { waitFor } from '../../src/base/wait.ts'
import { waitForCompute } from '../../src/client/operations.ts'
import { firstBindablePort } from '../../src/host/ports.ts'
import type { BenchStack } from './stack.ts'

export interface Front {
  /** `http://ADDRESS:PORT` */
  readonly url: string
  /** Of HAProxy, which has the requests. */
  readonly pid: number
  /** Its configuration. */
  readonly config: string
}

const NAME = 'bench-front'
/** Those that the config's `server` section gives a load balancer. */
export const cadence = { checkIntervalSec: 2, timeoutSec: 2, healthyThreshold: 2, unhealthyThreshold: 2 } as const
export const drainingTimeoutSec = 30
const HEALTHY_TIMEOUT_MS = 10 * 60_000

/** Resolves when the machine is healthy and the address answers 200. */
export async function openFront(stack: BenchStack, instance: string, signal: AbortSignal): Promise<Front> {
  const { project, zone, port } = stack
  const clients = await stack.clients()
  const compute = await clients.compute()
  const done = async (what: string, started: Promise<{ readonly data: compute_v1.Schema$Operation }>): Promise<void> => {
    await waitForCompute(clients, project, (await started).data, { what, signal })
  }
  const link = (collection: string): string => `projects/${project}/global/${collection}/${NAME}`
  const group = `projects/${project}/zones/${zone}/instanceGroups/${NAME}`
  const firewall = { name: NAME, network: 'global/networks/default', sourceRanges: ['130.211.0.0/22', '35.191.0.0/16'], allowed: [{ IPProtocol: 'tcp', ports: [String(port)] }] }
  await done('open the port for the load balancer', compute.firewalls.insert({ project, requestBody: firewall }))
  await done('make the group', compute.instanceGroups.insert({ project, zone, requestBody: { name: NAME, namedPorts: [{ name: 'http', port }] } }))
  const instances = [{ instance: `projects/${project}/zones/${zone}/instances/${instance}` }]
  await done('fill the group', compute.instanceGroups.addInstances({ project, zone, instanceGroup: NAME, requestBody: { instances } }))
  const check = { name: NAME, type: 'HTTP', ...cadence, httpHealthCheck: { port, portSpecification: 'USE_FIXED_PORT', requestPath: stack.healthPath } }
  await done('make the health check', compute.healthChecks.insert({ project, requestBody: check }))
  const service = {
    name: NAME,
    protocol: 'HTTP',
    portName: 'http',
    loadBalancingScheme: 'EXTERNAL_MANAGED',
    healthChecks: [link('healthChecks')],
    backends: [{ group, balancingMode: 'UTILIZATION' }],
    connectionDraining: { drainingTimeoutSec },
  }
  await done('make the backend service', compute.backendServices.insert({ project, requestBody: service }))
  await done('make the URL map', compute.urlMaps.insert({ project, requestBody: { name: NAME, defaultService: link('backendServices') } }))
  await done('make the proxy', compute.targetHttpProxies.insert({ project, requestBody: { name: NAME, urlMap: link('urlMaps') } }))
  const rule = { name: NAME, target: link('targetHttpProxies'), portRange: '80', loadBalancingScheme: 'EXTERNAL_MANAGED' }
  await done('make the forwarding rule', compute.globalForwardingRules.insert({ project, requestBody: rule }))
  const { data } = await compute.globalForwardingRules.get({ project, forwardingRule: NAME }, { signal })
  const url = `http://${data.IPAddress ?? ''}:${80 + ((await firstBindablePort()) > 80 ? 10_000 : 0)}`
  await waitFor({ what: 'the machine behind the load balancer', timeoutMs: HEALTHY_TIMEOUT_MS, intervalMs: 500, signal }, async () => {
    const answer = await fetch(`${url}${stack.healthPath}`, { signal }).catch((error: unknown) => ({ status: String(error) }))
    return answer.status === 200 ? { done: true, value: undefined } : { done: false, status: String(answer.status) }
  })
  const folder = join(stack.home.cloud, 'balancer')
  return { url, pid: Number(await readFile(join(folder, 'haproxy.pid'), 'utf8')), config: await readFile(join(folder, 'haproxy.cfg'), 'utf8') }
}
