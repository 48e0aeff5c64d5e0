/** Compute Engine: images, disks, real virtual machines, and the networks and firewall rules that decide which of their ports this host reaches. */
import type { Room } from '../../kernel/room.ts'
import { createLoadBalancing } from './balancing/service.ts'
import type { LoadBalancing } from './balancing/service.ts'
import type { Balancing } from './groups/members.ts'
import { createInstanceGroups } from './groups/service.ts'
import type { InstanceGroups } from './groups/service.ts'
import { computeRoutes } from './routes.ts'
import { createCompute } from './service.ts'
import type { Compute, ComputeDeps } from './service.ts'
import { createAddresses } from './service.addresses.ts'
import { createDisks } from './service.disks.ts'
import { createFiles } from './service.files.ts'
import { createFirewalls } from './service.firewalls.ts'
import { createImages } from './service.images.ts'
import { createInstanceChanges } from './service.instance-changes.ts'
import { createInstancePlans } from './service.instance-plan.ts'
import { createInstanceSettings } from './service.instance-settings.ts'
import { createInstances } from './service.instances.ts'
import { createMachines } from './service.machines.ts'
import type { Machines } from './service.machines.ts'
import { createMetadataSources } from './service.metadata.ts'
import { createNetworks } from './service.networks.ts'
import { createProjects } from './service.projects.ts'
import { createRouters } from './service.routers.ts'
import { createSnapshots } from './service.snapshots.ts'
import { seedPublicImages } from './service.public-images.ts'
import type { Files } from './service.files.ts'
import type { Addresses } from './service.addresses.ts'
import { createWarmStarts } from './service.warm.ts'
import type { WarmStarts } from './service.warm.ts'
import { computeMigrations } from './store.ts'

export type { ComputeDeps } from './service.ts'
export type { PublicImages } from './service.public-images.ts'

/** `balancing`: who tells the health of group members and drains them, in place of the room's own load balancing. */
export function createComputeRoom(deps: ComputeDeps, balancing?: Balancing): Room {
  let running:
    | {
        readonly compute: Compute
        readonly files: Files
        readonly warm: WarmStarts
        readonly machines: Machines
        readonly addresses: Addresses
        readonly instanceGroups: InstanceGroups
        readonly loadBalancing: LoadBalancing
      }
    | undefined
  return {
    id: 'compute',
    service: 'compute.googleapis.com',
    hosts: [
      { name: 'api', match: 'compute.googleapis.com' },
      { name: 'www', match: 'www.googleapis.com', paths: /^\/compute\// },
    ],
    migrations: computeMigrations,
    routes(kernel) {
      const compute = createCompute(kernel, deps)
      const files = createFiles(compute)
      const networks = createNetworks(compute)
      const addresses = createAddresses(compute, networks)
      const projects = createProjects(compute, networks, (projectId) => {
        for (const instance of compute.store.list('instances', projectId)) sources.notify(instance.id)
      })
      const sources = createMetadataSources(compute, projects)
      const warm = createWarmStarts(compute, files)
      const machines = createMachines(compute, { files, sources, warm, backendForwards: (instance) => loadBalancing.dataPath.forwards(instance) })
      const snapshots = createSnapshots(compute, files)
      const images = createImages(compute, files, snapshots, warm.prepare)
      const disks = createDisks(compute, files, images, snapshots)
      const plans = createInstancePlans(compute, { images, snapshots, disks, networks, addresses })
      const instances = createInstances(compute, { disks, addresses, machines, plans })
      const changes = createInstanceChanges(compute, { disks, machines, plans, sources })
      const instanceGroups = createInstanceGroups(compute, { images, instances, changes, plans })
      const loadBalancing = createLoadBalancing(compute, { addresses, machines, members: instanceGroups.members, signCertificate: compute.deps.signCertificate })
      kernel.ports.provide('requestCounts', loadBalancing.requestCounts)
      instanceGroups.connect(balancing ?? loadBalancing.balancing)
      running = { compute, files, warm, machines, addresses, instanceGroups, loadBalancing }
      return computeRoutes({
        compute,
        projects,
        networks,
        firewalls: createFirewalls(compute, machines.refreshForwards),
        addresses,
        images,
        snapshots,
        routers: createRouters(compute),
        disks,
        instances,
        instanceGroups,
        balancing: loadBalancing,
        settings: createInstanceSettings(compute, { addresses, machines, sources }),
        changes,
      })
    },
    async start() {
      if (running !== undefined) seedPublicImages(running.compute)
      await running?.addresses.probe()
      await running?.files.sweep()
      await running?.machines.adopt()
      await running?.warm.resume()
      await running?.loadBalancing.dataPath.start()
      running?.instanceGroups.start()
    },
    async stop() {
      running?.instanceGroups.stop()
      await running?.warm.stop()
      await running?.loadBalancing.dataPath.stop()
      await running?.machines.release()
    },
    async reset() {
      running?.instanceGroups.stop()
      await running?.warm.stop()
      await running?.loadBalancing.dataPath.reset()
      await running?.machines.destroyAll()
      await running?.files.removeAll()
    },
  }
}
