/** Networks, subnetworks and the default network. https://cloud.google.com/compute/docs/reference/rest/v1/networks */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { BlockList, isIPv4 } from 'node:net'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { regions } from './data/regions.ts'
import { fingerprintMismatch, resourceInUse } from './errors.ts'
import { linkTail, linkTo, parseLink, selfLink } from './links.ts'
import type { NetworkBody, SubnetworkBody } from './schema.ts'
import { requireName, requireRegion } from './service.ts'
import type { Caller, Compute } from './service.ts'
import { defaultRules, firewallRecord } from './service.firewalls.ts'
import { fingerprint, head, sameFingerprint } from './shapes.ts'
import type { Key, Resource } from './store.ts'

export type Network = Resource<compute_v1.Schema$Network>
export type Subnetwork = Resource<compute_v1.Schema$Subnetwork>

export interface Networks {
  /** Inside a transaction: the network `default` with subnetworks and rules. */
  createDefault(projectId: string): void
  insert(caller: Caller, projectId: string, body: NetworkBody): Operation
  get(projectId: string, name: string): Network
  patch(caller: Caller, projectId: string, name: string, body: NetworkBody): Operation
  remove(caller: Caller, projectId: string, name: string): Operation
  insertSubnetwork(caller: Caller, projectId: string, region: string, body: SubnetworkBody): Operation
  getSubnetwork(projectId: string, region: string, name: string): Subnetwork
  patchSubnetwork(caller: Caller, projectId: string, region: string, name: string, body: SubnetworkBody): Operation
  /** A wider range that holds the present one. */
  expandSubnetwork(caller: Caller, projectId: string, region: string, name: string, ipCidrRange: string | null | undefined): Operation
  /** From automatic subnetworks to ones made by hand; there is no way back. */
  switchToCustomMode(caller: Caller, projectId: string, name: string): Operation
  removeSubnetwork(caller: Caller, projectId: string, region: string, name: string): Operation
  /** The subnetwork for an interface: the given one, or the network's own in this region. @throws ApiError 400, 404 */
  choose(projectId: string, region: string, network: string | null | undefined, subnetwork: string | null | undefined): Subnetwork
}

export function createNetworks(compute: Compute): Networks {
  const { store } = compute

  function key(projectId: string, name: string): Key {
    return { projectId, scope: 'global', collection: 'networks', name }
  }

  function subnetworkKey(projectId: string, region: string, name: string): Key {
    return { projectId, scope: `regions/${region}`, collection: 'subnetworks', name }
  }

  function get(projectId: string, name: string): Network {
    return compute.get<Network>(key(projectId, name))
  }

  function createNetwork(projectId: string, body: NetworkBody): Network {
    const target = key(projectId, requireName(body.name))
    const automatic = body.autoCreateSubnetworks !== false
    const made = compute.insert<Network>({ ...target, record: {}, hidden: {} })
    const subnetworks = automatic ? Object.entries(regions).map(([region, data]) => createSubnetwork(target, region, target.name, data.subnet)) : []
    const complete: Network = {
      ...made,
      record: {
        ...head('network', target, made.id),
        ...(body.description ? { description: body.description } : {}),
        autoCreateSubnetworks: automatic,
        ...(subnetworks.length === 0 ? {} : { subnetworks: subnetworks.map((subnetwork) => selfLink(subnetwork)) }),
        routingConfig: { routingMode: body.routingConfig?.routingMode ?? 'REGIONAL' },
        mtu: body.mtu ?? 1460,
        networkFirewallPolicyEnforcementOrder: 'AFTER_CLASSIC_FIREWALL',
        selfLinkWithId: linkTo(`projects/${projectId}/global/networks/${made.id}`),
      },
    }
    store.update(complete)
    return complete
  }

  function createSubnetwork(network: Key, region: string, name: string, range: string, body: SubnetworkBody = {}): Subnetwork {
    const target = subnetworkKey(network.projectId, region, requireName(name))
    const made = compute.insert<Subnetwork>({ ...target, record: {}, hidden: {} })
    const complete: Subnetwork = {
      ...made,
      record: {
        ...head('subnetwork', target, made.id),
        ...(body.description ? { description: body.description } : {}),
        network: selfLink(network),
        ipCidrRange: range,
        gatewayAddress: gatewayOf(range),
        region: linkTo(`projects/${network.projectId}/regions/${region}`),
        privateIpGoogleAccess: body.privateIpGoogleAccess === true,
        purpose: 'PRIVATE',
        stackType: 'IPV4_ONLY',
        ...extras(body),
      },
    }
    complete.record.fingerprint = subnetworkFingerprint(complete)
    store.update(complete)
    return complete
  }

  /** Subnetworks of a network; `subnetworks` of the record follows them. */
  function subnetworksOf(network: Key): readonly Subnetwork[] {
    return (store.list('subnetworks', network.projectId) as readonly Subnetwork[]).filter((subnetwork) => subnetwork.record.network === selfLink(network))
  }

  function requireFree(network: Key, range: string, exceptId?: string): void {
    const other = subnetworksOf(network).find((each) => each.id !== exceptId && overlap(range, each.record.ipCidrRange ?? ''))
    if (other !== undefined)
      throw invalidArgument(`Invalid IPCidrRange: ${range} conflicts with existing subnetwork '${other.name}' in region '${other.scope.replace('regions/', '')}'.`)
  }

  function save(subnetwork: Subnetwork, record: compute_v1.Schema$Subnetwork): void {
    const changed = { ...subnetwork, record }
    store.update({ ...changed, record: { ...record, fingerprint: subnetworkFingerprint(changed) } })
  }

  function relist(network: Key): void {
    const row = store.get(network) as Network | undefined
    if (row === undefined) return
    const links = subnetworksOf(network).map((subnetwork) => selfLink(subnetwork))
    store.update({ ...row, record: { ...row.record, subnetworks: links.length === 0 ? undefined : links } })
  }

  function requireUnused(network: Network | Subnetwork): void {
    for (const instance of store.list('instances', network.projectId) as readonly Resource<compute_v1.Schema$Instance>[]) {
      if (instance.record.networkInterfaces?.some((each) => each.network === selfLink(network) || each.subnetwork === selfLink(network)))
        throw resourceInUse(network, linkTail(selfLink(instance)))
    }
    const own = new Set([selfLink(network), ...subnetworksOf(network).map((subnetwork) => selfLink(subnetwork))])
    const address = (store.list('addresses', network.projectId) as readonly Resource<compute_v1.Schema$Address>[]).find((each) => own.has(each.record.subnetwork ?? ''))
    if (address !== undefined) throw resourceInUse(network, linkTail(selfLink(address)))
  }

  for (const type of [
    'networks.insert',
    'networks.patch',
    'networks.delete',
    'subnetworks.insert',
    'subnetworks.patch',
    'subnetworks.delete',
    'subnetworks.expandIpCidrRange',
    'networks.switchToCustomMode',
  ])
    compute.handle(type)

  return {
    createDefault(projectId) {
      const network = createNetwork(projectId, { name: 'default', description: 'Default network for the project' })
      for (const rule of defaultRules) {
        const target: Key = { projectId, scope: 'global', collection: 'firewalls', name: rule.name }
        const made = compute.insert<Resource>({ ...target, record: {}, hidden: {} })
        store.update({ ...made, record: { ...head('firewall', target, made.id), ...firewallRecord({ ...rule, network: selfLink(network) }) } })
      }
    },
    insert(caller, projectId, body) {
      const target = key(projectId, requireName(body.name))
      if (body.IPv4Range) throw invalidArgument('Legacy networks are not supported: leave IPv4Range out and set autoCreateSubnetworks.')
      return compute.begin(caller, { type: 'networks.insert', key: target }, () => createNetwork(projectId, body).id)
    },
    get,
    patch(caller, projectId, name, body) {
      const network = get(projectId, name)
      return compute.begin(caller, { type: 'networks.patch', key: network, targetId: network.id }, () => {
        const record = {
          ...network.record,
          ...(body.routingConfig?.routingMode ? { routingConfig: { routingMode: body.routingConfig.routingMode } } : {}),
          ...(body.mtu ? { mtu: body.mtu } : {}),
        }
        store.update({ ...network, record })
      })
    },
    remove(caller, projectId, name) {
      const network = get(projectId, name)
      requireUnused(network)
      const rule = (store.list('firewalls', projectId) as readonly Resource<compute_v1.Schema$Firewall>[]).find((each) => each.record.network === selfLink(network))
      if (rule !== undefined) throw resourceInUse(network, linkTail(selfLink(rule)))
      const router = (store.list('routers', projectId) as readonly Resource<compute_v1.Schema$Router>[]).find((each) => each.record.network === selfLink(network))
      if (router !== undefined) throw resourceInUse(network, linkTail(selfLink(router)))
      const subnetworks = subnetworksOf(network)
      const first = subnetworks[0]
      if (network.record.autoCreateSubnetworks !== true && first !== undefined) throw resourceInUse(network, linkTail(selfLink(first)))
      return compute.begin(caller, { type: 'networks.delete', key: network, targetId: network.id }, () => {
        for (const subnetwork of subnetworks) store.remove(subnetwork.id)
        store.remove(network.id)
      })
    },
    insertSubnetwork(caller, projectId, region, body) {
      const target = subnetworkKey(projectId, requireRegion(projectId, region), requireName(body.name))
      const network = compute.get<Network>(parseLink(body.network ?? '', { projectId, scope: 'global', collection: 'networks' }))
      const range = requireRange(body.ipCidrRange)
      requireFree(network, range)
      return compute.begin(caller, { type: 'subnetworks.insert', key: target }, () => {
        const { id } = createSubnetwork(network, region, target.name, range, body)
        relist(network)
        return id
      })
    },
    getSubnetwork: (projectId, region, name) => compute.get<Subnetwork>(subnetworkKey(projectId, requireRegion(projectId, region), name)),
    patchSubnetwork(caller, projectId, region, name, body) {
      const subnetwork = compute.get<Subnetwork>(subnetworkKey(projectId, region, name))
      if (body.fingerprint && !sameFingerprint(body.fingerprint, subnetwork.record.fingerprint)) throw fingerprintMismatch('Subnetwork')
      return compute.begin(caller, { type: 'subnetworks.patch', key: subnetwork, targetId: subnetwork.id }, () => {
        const privateIpGoogleAccess = body.privateIpGoogleAccess ?? subnetwork.record.privateIpGoogleAccess === true
        const { description = subnetwork.record.description } = body
        save(subnetwork, { ...subnetwork.record, description, privateIpGoogleAccess, ...extras(body) })
      })
    },
    expandSubnetwork(caller, projectId, region, name, ipCidrRange) {
      const subnetwork = compute.get<Subnetwork>(subnetworkKey(projectId, region, name))
      const range = requireRange(ipCidrRange)
      const present = subnetwork.record.ipCidrRange ?? ''
      if (Number(range.split('/')[1]) >= Number(present.split('/')[1]) || !contains(range, present.split('/')[0] ?? ''))
        throw invalidArgument(`Invalid value for field 'ipCidrRange': '${range}'. It must hold the present range ${present} and be wider.`)
      const network = parseLink(subnetwork.record.network ?? '', { projectId, scope: 'global', collection: 'networks' })
      requireFree(network, range, subnetwork.id)
      return compute.begin(caller, { type: 'subnetworks.expandIpCidrRange', key: subnetwork, targetId: subnetwork.id }, () =>
        save(subnetwork, { ...subnetwork.record, ipCidrRange: range, gatewayAddress: gatewayOf(range) }),
      )
    },
    switchToCustomMode(caller, projectId, name) {
      const network = get(projectId, name)
      if (network.record.autoCreateSubnetworks !== true) throw invalidArgument(`The network '${name}' is in custom mode.`)
      return compute.begin(caller, { type: 'networks.switchToCustomMode', key: network, targetId: network.id }, () => {
        store.update({ ...network, record: { ...network.record, autoCreateSubnetworks: false } })
      })
    },
    removeSubnetwork(caller, projectId, region, name) {
      const subnetwork = compute.get<Subnetwork>(subnetworkKey(projectId, region, name))
      requireUnused(subnetwork)
      const network = parseLink(subnetwork.record.network ?? '', { projectId, scope: 'global', collection: 'networks' })
      return compute.begin(caller, { type: 'subnetworks.delete', key: subnetwork, targetId: subnetwork.id }, () => {
        store.remove(subnetwork.id)
        relist(network)
      })
    },
    choose(projectId, region, network, subnetwork) {
      if (subnetwork) return compute.get<Subnetwork>(parseLink(subnetwork, { projectId, scope: `regions/${region}`, collection: 'subnetworks' }))
      const chosen = compute.get<Network>(parseLink(network || 'default', { projectId, scope: 'global', collection: 'networks' }))
      const found = subnetworksOf(chosen).find((each) => each.scope === `regions/${region}`)
      if (found === undefined)
        throw invalidArgument(
          `Invalid value for field 'resource.networkInterfaces[0]': the network '${chosen.name}' has no subnetwork in region ${region}. Subnetwork should be specified for custom subnetmode network`,
        )
      return found
    },
  }
}

/** Fields that are shown and have no effect here. */
function extras({ secondaryIpRanges, logConfig }: SubnetworkBody): compute_v1.Schema$Subnetwork {
  return {
    ...(secondaryIpRanges === undefined ? {} : { secondaryIpRanges: secondaryIpRanges?.length ? secondaryIpRanges : undefined }),
    ...(logConfig === undefined ? {} : { logConfig: logConfig ?? undefined }),
  }
}

function subnetworkFingerprint({ id, record }: Subnetwork): string {
  return fingerprint([id, record.ipCidrRange, record.privateIpGoogleAccess === true, record.description ?? '', record.secondaryIpRanges ?? [], record.logConfig ?? {}])
}

function requireRange(range: string | null | undefined): string {
  const [address = '', prefix = ''] = (range ?? '').split('/')
  const length = Number(prefix)
  if (!isIPv4(address) || !/^\d+$/.test(prefix) || length < 8 || length > 29)
    throw invalidArgument(`Invalid value for field 'resource.ipCidrRange': '${range ?? ''}'. Must be an IPv4 range such as 10.0.0.0/20, between /8 and /29.`)
  if (toNumber(address) % 2 ** (32 - length) !== 0) throw invalidArgument(`Invalid value for field 'resource.ipCidrRange': '${range}'. The address has bits set beyond its prefix.`)
  return `${address}/${prefix}`
}

function overlap(left: string, right: string): boolean {
  return contains(left, right.split('/')[0] ?? '') || contains(right, left.split('/')[0] ?? '')
}

function contains(range: string, address: string): boolean {
  const [base = '', prefix = ''] = range.split('/')
  const list = new BlockList()
  list.addSubnet(base, Number(prefix))
  return list.check(address)
}

function gatewayOf(range: string): string {
  return toAddress(toNumber(range.split('/')[0] ?? '') + 1)
}

/** `10.0.0.1` as a number. */
export function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** The inverse of `toNumber`. */
export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
