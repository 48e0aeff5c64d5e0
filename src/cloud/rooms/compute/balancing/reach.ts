/**
 * How the balancer reaches a port of an instance. On Google its requests and probes come from 130.211.0.0/22 and 35.191.0.0/16, whatever external
 * address the machine has. Here every backend has a second loopback address, on which only those ports are forwarded that a backend service or a
 * health check uses and that the network's firewall lets these ranges in to.
 */
import { BlockList, isIP } from 'node:net'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { sha256Hex } from '../../../../base/ids.ts'
import { firstBindablePort } from '../../../../host/ports.ts'
import type { PortForward } from '../../../../vm/driver.ts'
import { lastSegment } from '../links.ts'
import type { Compute } from '../service.ts'
import { isPortOpen, PRIVILEGED_SHIFT } from '../service.forwards.ts'
import type { Instance } from '../service.instances.ts'
import { toAddress, toNumber } from '../service.networks.ts'
import type { BalancingStore } from './store.ts'

/** One address of each range that Google's balancers and probers come from. https://cloud.google.com/load-balancing/docs/firewall-rules */
const SOURCES = ['130.211.0.1', '35.191.0.1']
/** Backends that one data folder can have. */
const BLOCK_SIZE = 1024

export type Endpoint = { readonly host: string; readonly port: number } | { readonly blocked: string }

export interface Reach {
  /** Where the balancer reaches a guest's port, or why it cannot. */
  endpoint(instance: Instance, guestPort: number): Promise<Endpoint>
  /** The forwards that these ports need. */
  forwards(instance: Instance, guestPorts: Iterable<number>): Promise<readonly PortForward[]>
}

/** True when a source range of a firewall rule takes in one of the balancer's ranges. */
export function includesBalancer(range: string): boolean {
  const [address = '', prefix] = range.split('/')
  if (isIP(address) !== 4) return false
  const list = new BlockList()
  list.addSubnet(address, Number(prefix ?? 32))
  return SOURCES.some((source) => list.check(source))
}

export function createReach(compute: Compute, store: BalancingStore): Reach {
  const blocks = Math.floor((2 ** 24 - 2 ** 17) / BLOCK_SIZE)
  // A block beside the one of external addresses, which hashes the folder alone.
  const base = toNumber('127.2.0.0') + (Number.parseInt(sha256Hex(`${compute.kernel.home.root}\nbalancer`).slice(0, 10), 16) % blocks) * BLOCK_SIZE

  function addressOf(instanceId: string): string {
    const known = store.address(instanceId)
    if (known !== undefined) return known
    store.prune()
    const used = store.addresses()
    for (let index = 1; index < BLOCK_SIZE - 1; index += 1) {
      const address = toAddress(base + index)
      if (/\.(0|255)$/.test(address) || used.has(address)) continue
      store.saveAddress(instanceId, address)
      return address
    }
    throw new Error(`no address is left for backends: one data folder has ${BLOCK_SIZE}`)
  }

  function isOpen(instance: Instance, guestPort: number): boolean {
    const rules = compute.store.list('firewalls', instance.projectId).map((rule) => rule.record as compute_v1.Schema$Firewall)
    const target = {
      network: instance.record.networkInterfaces?.[0]?.network ?? '',
      tags: instance.record.tags?.items ?? [],
      serviceAccounts: (instance.record.serviceAccounts ?? []).map((account) => account.email ?? ''),
    }
    return isPortOpen(target, rules, 'tcp', guestPort, includesBalancer)
  }

  async function hostPort(guestPort: number): Promise<number> {
    return guestPort < (await firstBindablePort()) ? guestPort + PRIVILEGED_SHIFT : guestPort
  }

  return {
    async endpoint(instance, guestPort) {
      if (instance.record.status !== 'RUNNING') return { blocked: `the instance is ${instance.record.status ?? 'gone'}` }
      if (!isOpen(instance, guestPort)) {
        const network = lastSegment(instance.record.networkInterfaces?.[0]?.network ?? 'default')
        return { blocked: `no firewall rule of the network '${network}' lets 130.211.0.0/22 and 35.191.0.0/16 in to tcp:${guestPort} of '${instance.name}'` }
      }
      return { host: addressOf(instance.id), port: await hostPort(guestPort) }
    },
    async forwards(instance, guestPorts) {
      const open = [...guestPorts].filter((port) => isOpen(instance, port))
      if (open.length === 0) return []
      const hostAddress = addressOf(instance.id)
      return Promise.all(open.map(async (guestPort): Promise<PortForward> => ({ protocol: 'tcp', hostAddress, hostPort: await hostPort(guestPort), guestPort })))
    },
  }
}
