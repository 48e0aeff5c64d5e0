/** What a machine is started with, by its instance's row and the rows around it. Reads; changes nothing. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { firstBindablePort } from '../../../host/ports.ts'
import type { PortForward, VmSpec } from '../../../vm/driver.ts'
import { machineSize } from './data/machine-types.ts'
import type { Compute } from './service.ts'
import type { Files } from './service.files.ts'
import { computeForwards } from './service.forwards.ts'
import type { Instance } from './service.instances.ts'
import { hasNat } from './service.routers.ts'

export interface MachineSpecs {
  specOf(instance: Instance): Promise<VmSpec>
  /** What the firewall opens to this host, and what load balancing needs besides. */
  forwardsOf(instance: Instance): Promise<readonly PortForward[]>
}

export interface MachineSpecParts {
  readonly files: Files
  /** Where an instance's metadata server listens. */
  readonly socketOf: (instanceId: string) => string
  readonly backendForwards: (instance: Instance) => Promise<readonly PortForward[]>
}

export function createMachineSpecs(compute: Compute, { files, socketOf, backendForwards }: MachineSpecParts): MachineSpecs {
  const { store, deps } = compute

  async function forwardsOf(instance: Instance): Promise<readonly PortForward[]> {
    return [...(await openForwards(instance)), ...(await backendForwards(instance))]
  }

  async function openForwards(instance: Instance): Promise<readonly PortForward[]> {
    const nic = instance.record.networkInterfaces?.[0]
    if (instance.hidden.externalAddress === undefined || nic === undefined) return []
    const rules = store.list('firewalls', instance.projectId).map((rule) => rule.record as compute_v1.Schema$Firewall)
    const target = {
      network: nic.network ?? '',
      tags: instance.record.tags?.items ?? [],
      serviceAccounts: (instance.record.serviceAccounts ?? []).map((account) => account.email ?? ''),
    }
    return computeForwards(target, rules, instance.hidden.externalAddress, await firstBindablePort())
  }

  async function specOf(instance: Instance): Promise<VmSpec> {
    const { record, hidden } = instance
    return {
      name: `${instance.name}-${instance.id}`,
      ...machineSize(record.machineType ?? '', deps.hostCpus),
      disks: (record.disks ?? []).map((disk, index) => ({
        path: files.diskPath(hidden.diskIds[index] ?? ''),
        format: 'qcow2',
        deviceName: disk.deviceName ?? '',
        boot: disk.boot === true,
      })),
      internalAddress: record.networkInterfaces?.[0]?.networkIP ?? '',
      subnetCidr: hidden.subnetCidr,
      macAddress: hidden.mac,
      forwards: await forwardsOf(instance),
      metadataSocket: socketOf(instance.id),
      ...(deps.guestAccess === undefined ? {} : { googleSocket: deps.guestAccess.socket }),
      // Without an external address a machine on Google has no way out either unless a Cloud NAT gives it one.
      outbound: hidden.externalAddress !== undefined || hasNat(store, instance.projectId, record.networkInterfaces?.[0] ?? {}),
      hostname: instance.name,
    }
  }

  return { specOf, forwardsOf }
}
