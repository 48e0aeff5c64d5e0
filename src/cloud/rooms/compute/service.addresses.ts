/**
 * External addresses. A pocket cloud's addresses lie in 127.0.0.0/8, in a block that depends on the data folder, so that two data folders on one
 * machine do not meet; every machine and every reserved address has one of its own.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { sha256Hex } from '../../../base/ids.ts'
import { canListen, firstBindablePort } from '../../../host/ports.ts'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { fingerprintMismatch, resourceInUse } from './errors.ts'
import { linkTail, linkTo, selfLink } from './links.ts'
import type { AddressBody, LabelsBody } from './schema.ts'
import { requireLabels, requireName, requireRegion } from './service.ts'
import type { Caller, Compute } from './service.ts'
import { fingerprint, head, sameFingerprint } from './shapes.ts'
import { toAddress, toNumber } from './service.networks.ts'
import type { Networks } from './service.networks.ts'
import type { Instance } from './service.instances.ts'
import type { Key, Resource } from './store.ts'

export type Address = Resource<compute_v1.Schema$Address>

/** A subnetwork and its range. */
export interface Subnet {
  readonly selfLink: string
  readonly range: string
}

export interface Addresses {
  /** Inside a transaction: an external address that nobody has. @throws ApiError 403 when the block is used up. */
  chooseExternal(): string
  /** Inside a transaction: an address of the range that no machine and no reserved address has, or the wanted one if this project reserved it or it is free. @throws ApiError */
  chooseInternal(subnetwork: Subnet, wanted?: string | null, projectId?: string): string
  insert(caller: Caller, projectId: string, scope: string, body: AddressBody): Operation
  get(projectId: string, scope: string, name: string): Address
  remove(caller: Caller, projectId: string, scope: string, name: string): Operation
  setLabels(caller: Caller, projectId: string, scope: string, name: string, body: LabelsBody): Operation
  /** A reserved external address of this project that no machine uses. @throws ApiError 400 */
  requireReserved(projectId: string, address: string): string
  /** Writes RESERVED or IN_USE on a reserved address, if there is one with this value; internal ones are told apart by their subnetwork. */
  setUser(projectId: string, address: string, instanceLink: string | undefined, subnetworkLink?: string): void
  /** At start: leaves out addresses on which somebody else answers SSH, such as a server that listens on all of them. */
  probe(): Promise<void>
}

/** Addresses that one data folder can give out. */
const BLOCK_SIZE = 1024
/** Of these, so many are looked at when the daemon starts. */
const PROBED = 32

export function createAddresses(compute: Compute, networks: Pick<Networks, 'choose'>): Addresses {
  const { store } = compute
  const blocks = Math.floor((2 ** 24 - 2 ** 17) / BLOCK_SIZE)
  // The first 127.0/16 and 127.1/16 stay free: 127.0.0.1 and its neighbours have users of their own.
  const base = toNumber('127.2.0.0') + (Number.parseInt(sha256Hex(compute.kernel.home.root).slice(0, 10), 16) % blocks) * BLOCK_SIZE
  const taken = new Set<string>()

  function reserved(): readonly Address[] {
    return store.list('addresses') as readonly Address[]
  }

  function instances(): readonly Instance[] {
    return store.list('instances') as readonly Instance[]
  }

  /** Addresses of load balancers. */
  function forwardingRules(): readonly (string | undefined)[] {
    return store.list('forwardingRules').map((rule) => (rule.record as compute_v1.Schema$ForwardingRule).IPAddress ?? undefined)
  }

  function key(projectId: string, scope: string, name: string): Key {
    return { projectId, scope, collection: 'addresses', name }
  }

  function get(projectId: string, scope: string, name: string): Address {
    return compute.get<Address>(key(projectId, scope, name))
  }

  function chooseExternal(): string {
    const used = new Set([...taken, ...reserved().map((each) => each.record.address), ...instances().map((each) => each.hidden.externalAddress), ...forwardingRules()])
    for (let index = 1; index < BLOCK_SIZE - 1; index += 1) {
      const address = toAddress(base + index)
      if (!/\.(0|255)$/.test(address) && !used.has(address)) return address
    }
    throw new ApiError('PERMISSION_DENIED', `Quota 'IN_USE_ADDRESSES' exceeded. Limit: ${BLOCK_SIZE} addresses for one data folder.`, { reason: 'quotaExceeded' })
  }

  function chooseInternal(subnetwork: Subnet, wanted?: string | null, projectId?: string): string {
    const [network = '', prefix = ''] = subnetwork.range.split('/')
    const first = toNumber(network)
    const size = 2 ** (32 - Number(prefix))
    const own = reserved().filter((each) => each.record.subnetwork === subnetwork.selfLink)
    const used = new Set([
      ...instances().flatMap((each) => (each.record.networkInterfaces ?? []).filter((nic) => nic.subnetwork === subnetwork.selfLink).map((nic) => nic.networkIP)),
      ...own.filter((each) => each.projectId !== projectId || each.record.address !== wanted).map((each) => each.record.address),
    ])
    // Google keeps the first two and the last two addresses of a range for itself.
    const isUsable = (value: number): boolean => value > first + 1 && value < first + size - 2
    if (wanted) {
      if (!isUsable(toNumber(wanted)))
        throw invalidArgument(
          `Invalid value for field 'resource.networkInterfaces[0].networkIP': '${wanted}'. Requested internal IP address is outside the subnetwork/network range.`,
        )
      if (used.has(wanted)) throw invalidArgument(`IP '${wanted}' is already being used by another resource.`, { reason: 'resourceInUseByAnotherResource' })
      return wanted
    }
    for (let value = first + 2; isUsable(value); value += 1) if (!used.has(toAddress(value))) return toAddress(value)
    throw new ApiError('PERMISSION_DENIED', `IP_SPACE_EXHAUSTED: the range ${subnetwork.range} of subnetwork '${subnetwork.selfLink}' is exhausted.`, {
      reason: 'IP_SPACE_EXHAUSTED',
    })
  }

  for (const type of ['addresses.insert', 'addresses.delete', 'addresses.setLabels']) compute.handle(type)

  return {
    chooseExternal,
    chooseInternal,
    insert(caller, projectId, scope, body) {
      const target = key(projectId, scope, requireName(body.name))
      const [kind, region = ''] = scope.split('/')
      if (kind === 'regions') requireRegion(projectId, region)
      const labels = requireLabels(body.labels)
      if (body.addressType === 'INTERNAL' && kind !== 'regions')
        throw invalidArgument("Invalid value for field 'resource.addressType': 'INTERNAL'. The pocket cloud reserves internal addresses in a region's subnetwork only.")
      if (body.address && body.addressType !== 'INTERNAL')
        throw invalidArgument(`Invalid value for field 'resource.address': '${body.address}'. External addresses are chosen by the cloud: leave the field out.`)
      if (body.purpose && body.purpose !== 'GCE_ENDPOINT')
        throw invalidArgument(`Invalid value for field 'resource.purpose': '${body.purpose}'. The pocket cloud has addresses of machines only (GCE_ENDPOINT).`)
      const subnetwork = body.addressType === 'INTERNAL' ? networks.choose(projectId, region, body.network, body.subnetwork) : undefined
      return compute.begin(caller, { type: 'addresses.insert', key: target }, () => {
        const made = compute.insert<Address>({ ...target, record: {}, hidden: {} })
        store.update({
          ...made,
          record: {
            ...head('address', target, made.id),
            description: body.description ?? '',
            ...(subnetwork === undefined
              ? { address: chooseExternal(), addressType: 'EXTERNAL', ipVersion: body.ipVersion ?? 'IPV4' }
              : {
                  address: chooseInternal({ selfLink: selfLink(subnetwork), range: subnetwork.record.ipCidrRange ?? '' }, body.address),
                  addressType: 'INTERNAL',
                  purpose: 'GCE_ENDPOINT',
                  subnetwork: selfLink(subnetwork),
                }),
            networkTier: body.networkTier ?? 'PREMIUM',
            status: 'RESERVED',
            ...(kind === 'regions' ? { region: linkTo(`projects/${projectId}/${scope}`) } : {}),
            labels,
            labelFingerprint: fingerprint(labels),
          },
        })
        return made.id
      })
    },
    get,
    remove(caller, projectId, scope, name) {
      const address = get(projectId, scope, name)
      const user = address.record.users?.[0]
      if (user !== undefined) throw resourceInUse(address, linkTail(user))
      return compute.begin(caller, { type: 'addresses.delete', key: address, targetId: address.id }, () => store.remove(address.id))
    },
    setLabels(caller, projectId, scope, name, body) {
      const address = get(projectId, scope, name)
      const labels = requireLabels(body.labels)
      if (!sameFingerprint(body.labelFingerprint, address.record.labelFingerprint)) throw fingerprintMismatch('Labels')
      return compute.begin(caller, { type: 'addresses.setLabels', key: address, targetId: address.id }, () => {
        store.update({ ...address, record: { ...address.record, labels, labelFingerprint: fingerprint(labels) } })
      })
    },
    requireReserved(projectId, address) {
      const found = reserved().find((each) => each.projectId === projectId && each.record.address === address && each.scope !== 'global')
      if (found === undefined)
        throw invalidArgument(
          `Invalid value for field 'resource.networkInterfaces[0].accessConfigs[0].natIP': '${address}'. The specified external IP address '${address}' was not found in the project.`,
        )
      if (found.record.status === 'IN_USE')
        throw invalidArgument(`Invalid value for field 'resource.networkInterfaces[0].accessConfigs[0].natIP': '${address}'. The specified external IP address is already in use.`)
      return address
    },
    setUser(projectId, address, instanceLink, subnetworkLink) {
      const found = reserved().find((each) => each.projectId === projectId && each.record.address === address && each.record.subnetwork === subnetworkLink)
      if (found === undefined) return
      store.update({
        ...found,
        record: { ...found.record, status: instanceLink === undefined ? 'RESERVED' : 'IN_USE', users: instanceLink === undefined ? undefined : [instanceLink] },
      })
    },
    async probe() {
      const port = (await firstBindablePort()) > 22 ? 10_022 : 22
      const own = new Set(instances().map((each) => each.hidden.externalAddress))
      for (let index = 1; index <= PROBED; index += 1) {
        const address = toAddress(base + index)
        if (!own.has(address) && !(await canListen(port, address))) taken.add(address)
      }
    },
  }
}
