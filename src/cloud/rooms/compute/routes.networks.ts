/** Networks, subnetworks, firewall rules, addresses, routes. */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { addressRoutes } from './routes.addresses.ts'
import { GLOBAL, PROJECT, REGION, scopeOf } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { FirewallBody, NetworkBody, SubnetworkBody } from './schema.ts'
import { resourceNotFound } from './errors.ts'
import { linkTo, selfLink } from './links.ts'
import { toList } from './shapes.ts'

export function networkRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { networks, firewalls, caller, projectId, answer, on } = kit
  const name = (request: RouteRequest, parameter: string): string => request.params[parameter] ?? ''
  const network = on('networks', 'network')
  const subnetwork = on('subnetworks', 'subnetwork')
  const firewall = on('firewalls', 'firewall')

  return [
    {
      id: 'compute.networks.insert',
      method: 'POST',
      path: `${GLOBAL}/networks`,
      permission: 'compute.networks.create',
      body: NetworkBody,
      handler: (request) => answer(networks.insert(caller(request), projectId(request), request.body)),
    },
    {
      id: 'compute.networks.list',
      method: 'GET',
      path: `${GLOBAL}/networks`,
      permission: 'compute.networks.list',
      handler: (request) => kit.list(request, 'networkList', 'networks', 'global'),
    },
    {
      id: 'compute.networks.get',
      method: 'GET',
      path: `${GLOBAL}/networks/:network`,
      permission: 'compute.networks.get',
      target: network,
      handler: (request) => networks.get(projectId(request), name(request, 'network')).record,
    },
    {
      id: 'compute.networks.patch',
      method: 'PATCH',
      path: `${GLOBAL}/networks/:network`,
      permission: 'compute.networks.update',
      target: network,
      body: NetworkBody,
      handler: (request) => answer(networks.patch(caller(request), projectId(request), name(request, 'network'), request.body)),
    },
    {
      id: 'compute.networks.switchToCustomMode',
      method: 'POST',
      path: `${GLOBAL}/networks/:network/switchToCustomMode`,
      permission: 'compute.networks.switchToCustomMode',
      target: network,
      handler: (request) => answer(networks.switchToCustomMode(caller(request), projectId(request), name(request, 'network'))),
    },
    {
      id: 'compute.networks.delete',
      method: 'DELETE',
      path: `${GLOBAL}/networks/:network`,
      permission: 'compute.networks.delete',
      target: network,
      handler: (request) => answer(networks.remove(caller(request), projectId(request), name(request, 'network'))),
    },

    {
      id: 'compute.subnetworks.insert',
      method: 'POST',
      path: `${REGION}/subnetworks`,
      permission: 'compute.subnetworks.create',
      body: SubnetworkBody,
      handler: (request) => answer(networks.insertSubnetwork(caller(request), projectId(request), name(request, 'region'), request.body)),
    },
    {
      id: 'compute.subnetworks.list',
      method: 'GET',
      path: `${REGION}/subnetworks`,
      permission: 'compute.subnetworks.list',
      handler: (request) => kit.list(request, 'subnetworkList', 'subnetworks', scopeOf(request)),
    },
    {
      id: 'compute.subnetworks.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/subnetworks`,
      permission: 'compute.subnetworks.list',
      handler: (request) => kit.aggregate(request, 'subnetworkAggregatedList', 'subnetworks'),
    },
    {
      id: 'compute.subnetworks.get',
      method: 'GET',
      path: `${REGION}/subnetworks/:subnetwork`,
      permission: 'compute.subnetworks.get',
      target: subnetwork,
      handler: (request) => networks.getSubnetwork(projectId(request), name(request, 'region'), name(request, 'subnetwork')).record,
    },
    {
      id: 'compute.subnetworks.patch',
      method: 'PATCH',
      path: `${REGION}/subnetworks/:subnetwork`,
      permission: 'compute.subnetworks.update',
      target: subnetwork,
      body: SubnetworkBody,
      handler: (request) => answer(networks.patchSubnetwork(caller(request), projectId(request), name(request, 'region'), name(request, 'subnetwork'), request.body)),
    },
    {
      id: 'compute.subnetworks.expandIpCidrRange',
      method: 'POST',
      path: `${REGION}/subnetworks/:subnetwork/expandIpCidrRange`,
      permission: 'compute.subnetworks.expandIpCidrRange',
      target: subnetwork,
      body: SubnetworkBody,
      handler: (request) => answer(networks.expandSubnetwork(caller(request), projectId(request), name(request, 'region'), name(request, 'subnetwork'), request.body.ipCidrRange)),
    },
    {
      id: 'compute.subnetworks.setPrivateIpGoogleAccess',
      method: 'POST',
      path: `${REGION}/subnetworks/:subnetwork/setPrivateIpGoogleAccess`,
      permission: 'compute.subnetworks.setPrivateIpGoogleAccess',
      target: subnetwork,
      body: SubnetworkBody,
      handler: (request) =>
        answer(
          networks.patchSubnetwork(caller(request), projectId(request), name(request, 'region'), name(request, 'subnetwork'), {
            privateIpGoogleAccess: request.body.privateIpGoogleAccess === true,
          }),
        ),
    },
    {
      id: 'compute.subnetworks.delete',
      method: 'DELETE',
      path: `${REGION}/subnetworks/:subnetwork`,
      permission: 'compute.subnetworks.delete',
      target: subnetwork,
      handler: (request) => answer(networks.removeSubnetwork(caller(request), projectId(request), name(request, 'region'), name(request, 'subnetwork'))),
    },

    {
      id: 'compute.firewalls.insert',
      method: 'POST',
      path: `${GLOBAL}/firewalls`,
      permission: 'compute.firewalls.create',
      body: FirewallBody,
      handler: (request) => answer(firewalls.insert(caller(request), projectId(request), request.body)),
    },
    {
      id: 'compute.firewalls.list',
      method: 'GET',
      path: `${GLOBAL}/firewalls`,
      permission: 'compute.firewalls.list',
      handler: (request) => kit.list(request, 'firewallList', 'firewalls', 'global'),
    },
    {
      id: 'compute.firewalls.get',
      method: 'GET',
      path: `${GLOBAL}/firewalls/:firewall`,
      permission: 'compute.firewalls.get',
      target: firewall,
      handler: (request) => firewalls.get(projectId(request), name(request, 'firewall')).record,
    },
    {
      id: 'compute.firewalls.patch',
      method: 'PATCH',
      path: `${GLOBAL}/firewalls/:firewall`,
      permission: 'compute.firewalls.update',
      target: firewall,
      body: FirewallBody,
      handler: (request) => answer(firewalls.change(caller(request), projectId(request), name(request, 'firewall'), request.body, false)),
    },
    {
      id: 'compute.firewalls.update',
      method: 'PUT',
      path: `${GLOBAL}/firewalls/:firewall`,
      permission: 'compute.firewalls.update',
      target: firewall,
      body: FirewallBody,
      handler: (request) => answer(firewalls.change(caller(request), projectId(request), name(request, 'firewall'), request.body, true)),
    },
    {
      id: 'compute.firewalls.delete',
      method: 'DELETE',
      path: `${GLOBAL}/firewalls/:firewall`,
      permission: 'compute.firewalls.delete',
      target: firewall,
      handler: (request) => answer(firewalls.remove(caller(request), projectId(request), name(request, 'firewall'))),
    },

    ...addressRoutes(kit),

    {
      id: 'compute.routes.get',
      method: 'GET',
      path: `${GLOBAL}/routes/:route`,
      permission: 'compute.routes.get',
      handler(request) {
        const key = { projectId: projectId(request), scope: 'global', collection: 'routes', name: name(request, 'route') }
        const found = systemRoutes(kit, key.projectId).find((route) => 'name' in route && route.name === key.name)
        if (found === undefined) throw resourceNotFound(key)
        return found
      },
    },
    {
      id: 'compute.routes.list',
      method: 'GET',
      path: `${GLOBAL}/routes`,
      permission: 'compute.routes.list',
      handler: (request) => toList('routeList', `projects/${projectId(request)}/global/routes`, systemRoutes(kit, projectId(request)), { ...request.query }),
    },
  ]
}

/** The routes that networks have of themselves: one to each subnetwork, one to the internet. */
function systemRoutes({ compute }: RouteKit, projectId: string): object[] {
  const local = compute.store.list('subnetworks', projectId).map((subnetwork) => {
    const record = subnetwork.record as { network?: string; ipCidrRange?: string; creationTimestamp?: string }
    return routeTo(projectId, subnetwork.id, record.network ?? '', record.ipCidrRange ?? '', 0, { nextHopNetwork: record.network }, record.creationTimestamp)
  })
  const outward = compute.store
    .list('networks', projectId)
    .map((network) =>
      routeTo(
        projectId,
        network.id,
        selfLink(network),
        '0.0.0.0/0',
        1000,
        { nextHopGateway: linkTo(`projects/${projectId}/global/gateways/default-internet-gateway`) },
        (network.record as { creationTimestamp?: string }).creationTimestamp,
      ),
    )
  return [...local, ...outward]
}

function routeTo(projectId: string, id: string, network: string, destRange: string, priority: number, hop: object, creationTimestamp: string | undefined): object {
  const routeName = `default-route-${BigInt(id).toString(16)}`
  return {
    kind: 'compute#route',
    id,
    creationTimestamp,
    name: routeName,
    network,
    destRange,
    priority,
    ...hop,
    selfLink: selfLink({ projectId, scope: 'global', collection: 'routes', name: routeName }),
  }
}
