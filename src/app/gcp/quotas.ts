/** What the stack's machines take of the project's quotas, and whether that much is left. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { call, isAbsent } from '../../client/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { lastSegment } from '../../client/operations.ts'
import type { StackConfig } from '../../config/schema.ts'
import { managedByLabel, stackLabel } from '../../resources/resource.ts'
import { labelValue } from '../../compile/names.ts'
import { missing, missingFrom, ok } from './findings.ts'
import type { GcpFinding } from './findings.ts'

interface QuotaOptions {
  readonly config: StackConfig
  readonly clients: Clients
  readonly signal: AbortSignal
}

/** A boot disk of an image that Kiln bakes. */
const DISK_GB = 10

/** The stack's machines by type: the development VM, and the server group with one more for rolling out. */
export function machinesOf(config: StackConfig): readonly { readonly type: string; readonly count: number }[] {
  const dev = config.dev === undefined ? [] : [{ type: config.dev.machineType, count: 1 }]
  const server = config.server === undefined ? [] : [{ type: config.server.machineType, count: config.server.size + 1 }]
  return [...dev, ...server]
}

/** One finding per quota that is too small; one for all of them when they are large enough. */
export async function checkQuotas(options: QuotaOptions): Promise<readonly GcpFinding[]> {
  const { config, clients, signal } = options
  const machines = machinesOf(config)
  if (machines.length === 0) return [ok('quotas', 'the stack has no machines')]
  try {
    const compute = await clients.compute()
    const { region, zone } = config.location
    const project = config.project.id
    const [quotas, cpus, present] = await Promise.all([
      call(compute.regions.get({ project, region }, { signal })),
      cpusOf(compute, config, signal),
      presentMachines(compute, config, signal),
    ])
    const total = machines.reduce((sum, machine) => sum + machine.count, 0)
    const wanted: Readonly<Record<string, number>> = {
      CPUS: machines.reduce((sum, machine) => sum + machine.count * (cpus.get(machine.type) ?? 0), 0) - sumOf(present.map((type) => cpus.get(type) ?? 0)),
      INSTANCES: total - present.length,
      IN_USE_ADDRESSES: total - present.length,
      DISKS_TOTAL_GB: (total - present.length) * DISK_GB,
    }
    const short = Object.entries(wanted).flatMap(([metric, more]) => {
      const quota = quotas.quotas?.find((each) => each.metric === metric)
      if (quota === undefined || more <= 0) return []
      const left = (quota.limit ?? 0) - (quota.usage ?? 0)
      if (more <= left) return []
      return [
        missing(
          `quota ${metric}`,
          `the stack needs ${more} more in ${region}, and ${left} of ${quota.limit ?? 0} are left`,
          `ask for more: https://console.cloud.google.com/iam-admin/quotas?project=${project}; or make dev and server smaller (${zone})`,
        ),
      ]
    })
    return short.length > 0 ? short : [ok('quotas', `enough in ${region} for ${total} machines`)]
  } catch (error) {
    return [missingFrom('quotas', error)]
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

async function cpusOf(compute: compute_v1.Compute, config: StackConfig, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const types = [...new Set(machinesOf(config).map((machine) => machine.type))]
  const found = await Promise.all(
    types.map(async (machineType) => {
      try {
        const type = await call(compute.machineTypes.get({ project: config.project.id, zone: config.location.zone, machineType }, { signal }))
        return [machineType, type.guestCpus ?? 0] as const
      } catch (error) {
        if (isAbsent(error)) return [machineType, 0] as const
        throw error
      }
    }),
  )
  return new Map(found)
}

/** Machine types of the stack's machines that run already: their share is in the usage. */
async function presentMachines(compute: compute_v1.Compute, config: StackConfig, signal: AbortSignal): Promise<readonly string[]> {
  const filter = `labels.${managedByLabel}=kiln AND labels.${stackLabel}=${labelValue(config.project.id)}`
  const list = await call(compute.instances.list({ project: config.project.id, zone: config.location.zone, filter, maxResults: 500 }, { signal }))
  return (list.items ?? []).map((instance) => lastSegment(instance.machineType ?? ''))
}
