/**
 * Cloud Router with Cloud NAT, which gives machines without an external address a way out. A NAT counts from a machine's next start on.
 * https://cloud.google.com/compute/docs/reference/rest/v1/routers
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { linkTail, linkTo, parseLink, selfLink } from './links.ts'
import type { NatBody, RouterBody } from './schema.ts'
import { requireName, requireRegion } from './service.ts'
import type { Caller, Compute } from './service.ts'
import { head } from './shapes.ts'
import type { ComputeStore, Key, Resource } from './store.ts'

export type Router = Resource<compute_v1.Schema$Router>

export interface Routers {
  insert(caller: Caller, projectId: string, region: string, body: RouterBody): Operation
  get(projectId: string, region: string, name: string): Router
  /** `isUpdate`: what the body leaves out goes back to its default. */
  change(caller: Caller, router: Router, body: RouterBody, isUpdate: boolean): Operation
  remove(caller: Caller, router: Router): Operation
  status(router: Router): compute_v1.Schema$RouterStatusResponse
}

const ALLOCATE = ['AUTO_ONLY', 'MANUAL_ONLY']
const RANGES = ['ALL_SUBNETWORKS_ALL_IP_RANGES', 'ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES', 'LIST_OF_SUBNETWORKS']

export function createRouters(compute: Compute): Routers {
  const { store } = compute

  function key(projectId: string, region: string, name: string): Key {
    return { projectId, scope: `regions/${requireRegion(projectId, region)}`, collection: 'routers', name }
  }

  /** The parts that a change may carry; only those that the body names. */
  function fields(router: Key, body: RouterBody): compute_v1.Schema$Router {
    const { description, bgp, bgpPeers, interfaces, nats } = body
    for (const [name, list] of Object.entries({ bgpPeers, interfaces }))
      if (list && list.length > 0)
        throw invalidArgument(`Invalid value for field 'resource.${name}': the pocket cloud has no VPN tunnels and interconnects that a router could talk to.`)
    if (bgp?.asn && !isPrivateAsn(bgp.asn))
      throw invalidArgument(`Invalid value for field 'resource.bgp.asn': '${bgp.asn}'. Must be a private ASN (64512-65534, 4200000000-4294967294) or 16550.`)
    return {
      ...(typeof description === 'string' ? { description } : {}),
      ...(bgp ? { bgp: { advertiseMode: 'DEFAULT', keepaliveInterval: 20, ...(bgp as compute_v1.Schema$RouterBgp) } } : {}),
      ...(nats ? { nats: nats.map((nat) => natRecord(router, nat)) } : {}),
    }
  }

  function natRecord(router: Key, nat: NatBody): compute_v1.Schema$RouterNat {
    requireName(nat.name, 'resource.nats.name')
    if (nat.type === 'PRIVATE') throw invalidArgument("Invalid value for field 'resource.nats.type': 'PRIVATE'. The pocket cloud has public NAT only.")
    const natIpAllocateOption = nat.natIpAllocateOption ?? 'AUTO_ONLY'
    const ranges = nat.sourceSubnetworkIpRangesToNat ?? 'ALL_SUBNETWORKS_ALL_IP_RANGES'
    if (!ALLOCATE.includes(natIpAllocateOption))
      throw invalidArgument(`Invalid value for field 'resource.nats[0].natIpAllocateOption': '${natIpAllocateOption}'. Must be one of ${ALLOCATE.join(', ')}.`)
    if (!RANGES.includes(ranges))
      throw invalidArgument(`Invalid value for field 'resource.nats[0].sourceSubnetworkIpRangesToNat': '${ranges}'. Must be one of ${RANGES.join(', ')}.`)
    if (natIpAllocateOption === 'MANUAL_ONLY' && !nat.natIps?.length)
      throw invalidArgument("Invalid value for field 'resource.nats[0].natIps': ''. MANUAL_ONLY needs at least one address.")
    if (natIpAllocateOption === 'AUTO_ONLY' && nat.natIps?.length) throw invalidArgument("Invalid value for field 'resource.nats[0].natIps': AUTO_ONLY takes no addresses.")
    if (ranges === 'LIST_OF_SUBNETWORKS' && !nat.subnetworks?.length)
      throw invalidArgument("Invalid value for field 'resource.nats[0].subnetworks': ''. LIST_OF_SUBNETWORKS needs at least one subnetwork.")
    return {
      enableEndpointIndependentMapping: false,
      endpointTypes: ['ENDPOINT_TYPE_VM'],
      type: 'PUBLIC',
      autoNetworkTier: 'PREMIUM',
      ...(withoutNulls(nat) as compute_v1.Schema$RouterNat),
      natIpAllocateOption,
      sourceSubnetworkIpRangesToNat: ranges,
      ...(nat.natIps?.length ? { natIps: nat.natIps.map((link) => selfLink(compute.get(parseLink(link, { ...router, collection: 'addresses' })))) } : {}),
      ...(nat.subnetworks?.length
        ? {
            subnetworks: nat.subnetworks.map((each) => ({
              ...(withoutNulls(each) as compute_v1.Schema$RouterNatSubnetworkToNat),
              name: selfLink(compute.get(parseLink(each.name, { ...router, collection: 'subnetworks' }))),
              sourceIpRangesToNat: each.sourceIpRangesToNat ?? ['ALL_IP_RANGES'],
            })),
          }
        : {}),
    }
  }

  for (const type of ['routers.insert', 'routers.patch', 'routers.update', 'routers.delete']) compute.handle(type)

  return {
    insert(caller, projectId, region, body) {
      const target = key(projectId, region, requireName(body.name))
      if (!body.network) throw invalidArgument("Invalid value for field 'resource.network': ''. A router needs a network.")
      const network = compute.get(parseLink(body.network, { projectId, scope: 'global', collection: 'networks' }))
      const record = fields(target, body)
      return compute.begin(caller, { type: 'routers.insert', key: target }, () => {
        const made = compute.insert<Router>({ ...target, record: {}, hidden: {} })
        store.update({
          ...made,
          record: {
            ...head('router', target, made.id),
            region: linkTo(`projects/${projectId}/${target.scope}`),
            network: selfLink(network),
            ...record,
            ...(body.encryptedInterconnectRouter === true ? { encryptedInterconnectRouter: true } : {}),
          },
        })
        return made.id
      })
    },
    get: (projectId, region, name) => compute.get<Router>(key(projectId, region, name)),
    change(caller, router, body, isUpdate) {
      const changed = fields(router, body)
      if (
        body.network &&
        linkTail(body.network) !== linkTail(router.record.network ?? '') &&
        parseLink(body.network, { ...router, scope: 'global', collection: 'networks' }).name !== (router.record.network ?? '').split('/').at(-1)
      )
        throw invalidArgument("Invalid value for field 'resource.network': a router's network cannot be changed.")
      return compute.begin(caller, { type: isUpdate ? 'routers.update' : 'routers.patch', key: router, targetId: router.id }, () => {
        const { description: _description, bgp: _bgp, nats: _nats, ...fixed } = router.record
        const merged: compute_v1.Schema$Router = { ...(isUpdate ? fixed : router.record), ...changed }
        store.update({ ...router, record: { ...merged, nats: merged.nats?.length ? merged.nats : undefined } })
      })
    },
    remove: (caller, router) => compute.begin(caller, { type: 'routers.delete', key: router, targetId: router.id }, () => store.remove(router.id)),
    status: (router) => ({
      kind: 'compute#routerStatusResponse',
      result: {
        network: router.record.network,
        ...(router.record.nats?.length
          ? {
              natStatus: router.record.nats.map((nat) => ({
                name: nat.name,
                minExtraNatIpsNeeded: 0,
                numVmEndpointsWithNatMappings: 0,
                userAllocatedNatIpResources: nat.natIps ?? [],
              })),
            }
          : {}),
      },
    }),
  }
}

/** True when some NAT lets machines of this subnetwork out. */
export function hasNat(store: ComputeStore, projectId: string, nic: { readonly network?: string | null; readonly subnetwork?: string | null }): boolean {
  const region = /\/(regions\/[^/]+)\//.exec(nic.subnetwork ?? '')?.[1]
  return (store.list('routers', projectId, region) as readonly Router[]).some(
    ({ record }) =>
      region !== undefined &&
      record.network === nic.network &&
      record.nats?.some((nat) => nat.sourceSubnetworkIpRangesToNat !== 'LIST_OF_SUBNETWORKS' || nat.subnetworks?.some((each) => each.name === nic.subnetwork)),
  )
}

function isPrivateAsn(asn: number): boolean {
  return asn === 16_550 || (asn >= 64_512 && asn <= 65_534) || (asn >= 4_200_000_000 && asn <= 4_294_967_294)
}

function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined))
}
