/** Data: machine types and disk types. Sources: https://cloud.google.com/compute/docs/general-purpose-machines and /docs/disks. */
export interface MachineType {
  readonly name: string
  readonly guestCpus: number
  readonly memoryMb: number
  readonly isSharedCpu: boolean
  readonly description: string
}

const shared: readonly MachineType[] = [
  { name: 'e2-micro', guestCpus: 2, memoryMb: 1024, isSharedCpu: true, description: 'Efficient Instance, 2 vCPU (1/8 shared physical core) and 1 GB RAM' },
  { name: 'e2-small', guestCpus: 2, memoryMb: 2048, isSharedCpu: true, description: 'Efficient Instance, 2 vCPU (1/4 shared physical core) and 2 GB RAM' },
  { name: 'e2-medium', guestCpus: 2, memoryMb: 4096, isSharedCpu: true, description: 'Efficient Instance, 2 vCPU (1/2 shared physical core) and 4 GB RAM' },
  { name: 'f1-micro', guestCpus: 1, memoryMb: 614, isSharedCpu: true, description: '1 vCPU (shared physical core) and 0.6 GB RAM' },
  { name: 'g1-small', guestCpus: 1, memoryMb: 1740, isSharedCpu: true, description: '1 vCPU (shared physical core) and 1.7 GB RAM' },
]

/** Series with sizes that are multiples of one vCPU: memory in MiB per vCPU. */
const families: readonly { readonly prefix: string; readonly cpus: readonly number[]; readonly memoryMbPerCpu: number }[] = [
  { prefix: 'e2-standard', cpus: [2, 4, 8, 16, 32], memoryMbPerCpu: 4096 },
  { prefix: 'e2-highmem', cpus: [2, 4, 8, 16], memoryMbPerCpu: 8192 },
  { prefix: 'e2-highcpu', cpus: [2, 4, 8, 16, 32], memoryMbPerCpu: 1024 },
  { prefix: 'n1-standard', cpus: [1, 2, 4, 8, 16, 32, 64, 96], memoryMbPerCpu: 3840 },
  { prefix: 'n1-highmem', cpus: [2, 4, 8, 16, 32, 64, 96], memoryMbPerCpu: 6656 },
  { prefix: 'n1-highcpu', cpus: [2, 4, 8, 16, 32, 64, 96], memoryMbPerCpu: 922 },
  { prefix: 'n2-standard', cpus: [2, 4, 8, 16, 32, 48, 64, 80, 96, 128], memoryMbPerCpu: 4096 },
  { prefix: 'n2-highmem', cpus: [2, 4, 8, 16, 32, 48, 64, 80, 96], memoryMbPerCpu: 8192 },
  { prefix: 'n2-highcpu', cpus: [2, 4, 8, 16, 32, 48, 64, 80, 96], memoryMbPerCpu: 1024 },
  { prefix: 'n2d-standard', cpus: [2, 4, 8, 16, 32, 48, 64, 80, 96], memoryMbPerCpu: 4096 },
  { prefix: 't2d-standard', cpus: [1, 2, 4, 8, 16, 32, 48, 60], memoryMbPerCpu: 4096 },
  { prefix: 'c2-standard', cpus: [4, 8, 16, 30, 60], memoryMbPerCpu: 4096 },
]

export const machineTypes: ReadonlyMap<string, MachineType> = new Map(
  [
    ...shared,
    ...families.flatMap(({ prefix, cpus, memoryMbPerCpu }) =>
      cpus.map((guestCpus) => {
        const memoryMb = guestCpus * memoryMbPerCpu
        return { name: `${prefix}-${guestCpus}`, guestCpus, memoryMb, isSharedCpu: false, description: `${guestCpus} vCPUs, ${memoryMb / 1024} GB RAM` }
      }),
    ),
  ]
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map((type) => [type.name, type]),
)

/** What a machine of a type, named by any link, gets on a host with so many processors. */
export function machineSize(link: string, hostCpus: number): { readonly cpus: number; readonly memoryMib: number } {
  const type = machineTypes.get(link.slice(link.lastIndexOf('/') + 1))
  return { cpus: Math.max(1, Math.min(type?.guestCpus ?? 1, hostCpus)), memoryMib: type?.memoryMb ?? 1024 }
}

/** Disk types by name, with their default size in GB. */
export const diskTypes: ReadonlyMap<string, { readonly description: string; readonly defaultDiskSizeGb: string; readonly validDiskSize: string }> = new Map([
  ['pd-balanced', { description: 'Balanced Persistent Disk', defaultDiskSizeGb: '100', validDiskSize: '10GB-65536GB' }],
  ['pd-extreme', { description: 'Extreme Persistent Disk', defaultDiskSizeGb: '1000', validDiskSize: '500GB-65536GB' }],
  ['pd-ssd', { description: 'SSD Persistent Disk', defaultDiskSizeGb: '100', validDiskSize: '10GB-65536GB' }],
  ['pd-standard', { description: 'Standard Persistent Disk', defaultDiskSizeGb: '500', validDiskSize: '10GB-65536GB' }],
])
