/**
 * Projects as Compute Engine sees them: common metadata, quotas, and what a project has from its first moment: the network `default`
 * with its subnetworks and firewall rules (https://cloud.google.com/vpc/docs/firewalls#more_rules_default_vpc).
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Project } from '../../kernel/projects.ts'
import { machineTypes } from './data/machine-types.ts'
import { regionOfZone } from './data/regions.ts'
import { fingerprintMismatch } from './errors.ts'
import { lastSegment, linkTo } from './links.ts'
import type { MetadataBody } from './schema.ts'
import type { Caller, Compute } from './service.ts'
import type { Networks } from './service.networks.ts'
import { fingerprint, sameFingerprint } from './shapes.ts'
import type { Key, Resource } from './store.ts'

type ProjectResource = Resource<compute_v1.Schema$Project>

export interface Projects {
  /** Makes the default network at the first call for a project; a deleted default network stays deleted. */
  ensure(projectId: string): void
  get(projectId: string): compute_v1.Schema$Project
  /** What the project uses in a region, and how much it may. */
  regionQuotas(projectId: string, region: string): compute_v1.Schema$Quota[]
  /** Metadata for all VMs of the project. */
  metadata(projectId: string): compute_v1.Schema$Metadata
  setMetadata(caller: Caller, projectId: string, body: MetadataBody): Operation
}

const LIMITS: Readonly<Record<string, number>> = {
  NETWORKS: 15,
  FIREWALLS: 100,
  IMAGES: 2000,
  STATIC_ADDRESSES: 30,
  INSTANCES: 100,
  SUBNETWORKS: 275,
  SNAPSHOTS: 5000,
  INSTANCE_TEMPLATES: 300,
}

export function createProjects(compute: Compute, networks: Networks, onMetadata: (projectId: string) => void): Projects {
  const { store } = compute

  function key(projectId: string): Key {
    return { projectId, scope: '', collection: 'projects', name: projectId }
  }

  function ensure(projectId: string): void {
    if (store.get(key(projectId)) !== undefined) return
    compute.kernel.database.transaction(() => {
      const items: compute_v1.Schema$Metadata['items'] = []
      compute.insert<ProjectResource>({ ...key(projectId), record: { commonInstanceMetadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), items } }, hidden: {} })
      networks.createDefault(projectId)
    })
  }

  function row(projectId: string): ProjectResource {
    ensure(projectId)
    return compute.get<ProjectResource>(key(projectId))
  }

  compute.handle<{ projectId: string }>('projects.setCommonInstanceMetadata', async (args) => onMetadata(args.projectId))

  return {
    ensure,
    get(projectId) {
      const project = compute.project(projectId)
      const { record, id } = row(projectId)
      const used = (collection: string): number => store.list(collection, projectId).length
      return {
        kind: 'compute#project',
        id,
        name: projectId,
        creationTimestamp: project.createTime,
        commonInstanceMetadata: record.commonInstanceMetadata,
        quotas: Object.entries(LIMITS).map(([metric, limit]) => ({
          metric,
          limit,
          usage: used(metric === 'STATIC_ADDRESSES' ? 'addresses' : metric.toLowerCase().replaceAll(/_(.)/g, (_whole, letter: string) => letter.toUpperCase())),
        })),
        selfLink: linkTo(`projects/${projectId}`),
        defaultServiceAccount: defaultServiceAccount(project),
        xpnProjectStatus: 'UNSPECIFIED_XPN_PROJECT_STATUS',
        defaultNetworkTier: 'PREMIUM',
        vmDnsSetting: 'ZONAL_ONLY',
      }
    },
    regionQuotas(projectId, region) {
      const inRegion = <Fields extends object>(collection: string): readonly Resource<Fields>[] =>
        (store.list(collection, projectId) as readonly Resource<Fields>[]).filter(
          ({ scope }) => scope === `regions/${region}` || regionOfZone(scope.replace('zones/', '')) === region,
        )
      const instances = inRegion<compute_v1.Schema$Instance>('instances')
      const disks = inRegion<compute_v1.Schema$Disk>('disks')
      const addresses = inRegion<compute_v1.Schema$Address>('addresses').filter(({ record }) => record.addressType === 'EXTERNAL')
      const cpus = instances.filter(({ record }) => record.status !== 'TERMINATED').map(({ record }) => machineTypes.get(lastSegment(record.machineType ?? ''))?.guestCpus ?? 0)
      const sizes = (isSsd: boolean): number[] =>
        disks.filter(({ record }) => /pd-(ssd|balanced|extreme)$/.test(record.type ?? '') === isSsd).map(({ record }) => Number(record.sizeGb))
      const withAddress = instances.filter(({ record }) => record.networkInterfaces?.some((nic) => nic.accessConfigs?.length))
      return [
        { metric: 'CPUS', limit: 72, usage: sum(cpus) },
        { metric: 'DISKS_TOTAL_GB', limit: 102_400, usage: sum(sizes(false)) },
        { metric: 'SSD_TOTAL_GB', limit: 40_960, usage: sum(sizes(true)) },
        { metric: 'STATIC_ADDRESSES', limit: 30, usage: addresses.length },
        { metric: 'IN_USE_ADDRESSES', limit: 69, usage: withAddress.length },
        { metric: 'INSTANCES', limit: 720, usage: instances.length },
      ]
    },
    metadata: (projectId) => row(projectId).record.commonInstanceMetadata ?? {},
    setMetadata(caller, projectId, body) {
      const project = row(projectId)
      const items = metadataItems(body)
      if (!sameFingerprint(body.fingerprint, project.record.commonInstanceMetadata?.fingerprint)) throw fingerprintMismatch('Metadata')
      return compute.begin(caller, { type: 'projects.setCommonInstanceMetadata', key: project, scope: 'global', targetId: project.id, args: { projectId } }, () => {
        store.update({ ...project, record: { ...project.record, commonInstanceMetadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), items } } })
        onMetadata(projectId)
      })
    },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The account that `default` stands for. */
export function defaultServiceAccount(project: Project): string {
  return `${project.projectNumber}-compute@developer.gserviceaccount.com`
}

/** Limits of https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations */
const MAX_VALUE_BYTES = 256 * 1024
const MAX_TOTAL_BYTES = 512 * 1024

/** Items without the null entries that some clients send. @throws ApiError 400 */
export function metadataItems(body: MetadataBody | null | undefined): { key: string; value: string }[] {
  const items = (body?.items ?? []).filter((item) => item !== null).map((item) => ({ key: item.key, value: item.value ?? '' }))
  const keys = new Set<string>()
  let totalBytes = 0
  for (const { key, value } of items) {
    if (!/^[\w-]{1,128}$/.test(key)) throw invalidArgument(`Invalid value for field 'metadata.items.key': '${key.slice(0, 140)}'. Must be a match of regex '[a-zA-Z0-9-_]{1,128}'`)
    if (keys.has(key)) throw invalidArgument(`Invalid value for field 'metadata.items.key': '${key}'. The key is there twice.`)
    keys.add(key)
    const valueBytes = Buffer.byteLength(value)
    totalBytes += key.length + valueBytes
    if (valueBytes > MAX_VALUE_BYTES)
      throw invalidArgument(`Invalid value for field 'metadata.items.value': the value of '${key}' has ${valueBytes} bytes, and at most ${MAX_VALUE_BYTES} are allowed.`)
  }
  if (totalBytes > MAX_TOTAL_BYTES) throw invalidArgument(`Metadata has ${totalBytes} bytes, and at most ${MAX_TOTAL_BYTES} are allowed.`)
  return items
}
