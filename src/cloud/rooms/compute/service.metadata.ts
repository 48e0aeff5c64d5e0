/** What a machine reads at 169.254.169.254. https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys */
import { EventEmitter } from 'node:events'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { KilnError } from '../../../base/errors.ts'
import { sha256Hex } from '../../../base/ids.ts'
import { canonicalJson } from '../../../base/json.ts'
import type { MetadataSource, MetadataTree, MetadataValue } from '../../../vm/metadata.ts'
import type { ServiceAccountInfo } from '../../kernel/ports.ts'
import { serviceAccountPrincipal } from '../../kernel/principal.ts'
import type { MintedToken } from '../../kernel/tokens.ts'
import { lastSegment, linkTail } from './links.ts'
import type { Compute, GuestAccess } from './service.ts'
import type { Disk } from './service.disks.ts'
import type { Instance } from './service.instances.ts'
import type { Projects } from './service.projects.ts'

export interface MetadataSources {
  /** The facts about one machine, read anew at each call. */
  sourceFor(instanceId: string): MetadataSource
  /** Something that the machine can see may have changed. */
  notify(instanceId: string): void
}

/** Where a machine finds the metadata server, and Google's hosts beside it. */
const METADATA_ADDRESS = '169.254.169.254'
/** Together, the guest attributes of one machine. */
const MAX_GUEST_ATTRIBUTES_BYTES = 256 * 1024
/** A token is handed out again while it lives at least this much longer, as the real server does. */
const MIN_TOKEN_LIFE_MS = 5 * 60_000

export function createMetadataSources(compute: Compute, projects: Projects): MetadataSources {
  const changes = new EventEmitter().setMaxListeners(0)
  const tokens = new Map<string, MintedToken>()

  function find(instanceId: string): Instance | undefined {
    return compute.store.byId(instanceId) as Instance | undefined
  }

  function tree(instanceId: string): MetadataTree {
    const instance = find(instanceId)
    if (instance === undefined) return {}
    const project = compute.project(instance.projectId)
    const disks = (instance.record.disks ?? []).map((each) => ({ record: each, row: compute.store.byId(instance.hidden.diskIds[each.index ?? 0] ?? '') as Disk | undefined }))
    return {
      instance: instanceTree(instance, project.projectNumber, disks.find((each) => each.record.boot === true)?.row),
      project: { attributes: attributes(projects.metadata(instance.projectId)), numericProjectId: Number(project.projectNumber), projectId: project.projectId },
    }
  }

  /** The machine's account when the name asked for is its own, it exists, and is not disabled. */
  function accountOf(instanceId: string, name: string): { readonly account: ServiceAccountInfo; readonly scopes: readonly string[]; readonly instance: Instance } | undefined {
    const instance = find(instanceId)
    const own = instance?.record.serviceAccounts?.[0]
    if (instance === undefined || !own?.email || (name !== 'default' && name !== own.email)) return undefined
    const account = compute.kernel.ports.use('serviceAccounts').find(own.email)
    return account === undefined || account.disabled ? undefined : { account, scopes: own.scopes ?? [], instance }
  }

  return {
    notify: (instanceId) => void changes.emit(instanceId),
    sourceFor: (instanceId) => ({
      tree: async () => tree(instanceId),
      ownDirectories: async () => ownDirectories(compute.deps.guestAccess),
      etag: async () => sha256Hex(canonicalJson(tree(instanceId))).slice(0, 16),
      changed: (signal) =>
        new Promise<void>((resolve) => {
          function end(): void {
            changes.off(instanceId, end)
            signal.removeEventListener('abort', end)
            resolve()
          }
          changes.once(instanceId, end)
          signal.addEventListener('abort', end)
          if (signal.aborted) end()
        }),
      async accessToken(name, scopes) {
        const found = accountOf(instanceId, name)
        if (found === undefined) return undefined
        const asked = scopes ?? found.scopes
        const cacheKey = `${found.account.uniqueId} ${asked.join(' ')}`
        const known = tokens.get(cacheKey)
        // A token may have been revoked with its account meanwhile.
        const isGood = known !== undefined && known.expiresAtMs - Date.now() > MIN_TOKEN_LIFE_MS && compute.kernel.tokens.verify(known.accessToken) !== undefined
        const token = isGood ? known : compute.kernel.tokens.mint(serviceAccountPrincipal(found.account.email), { scopes: asked })
        tokens.set(cacheKey, token)
        return { accessToken: token.accessToken, expiresInSeconds: Math.floor((token.expiresAtMs - Date.now()) / 1000) }
      },
      async identityToken(name, audience, format) {
        const found = accountOf(instanceId, name)
        if (found === undefined) return undefined
        const { account, instance } = found
        const issuedAt = Math.floor(Date.now() / 1000)
        const project = compute.project(instance.projectId)
        return compute.kernel.ports.use('serviceAccounts').signJwt(account.email, {
          iss: 'https://accounts.google.com',
          aud: audience,
          azp: account.uniqueId,
          sub: account.uniqueId,
          email: account.email,
          email_verified: true,
          iat: issuedAt,
          exp: issuedAt + 3600,
          ...(format === 'full'
            ? {
                google: {
                  compute_engine: {
                    project_id: project.projectId,
                    project_number: Number(project.projectNumber),
                    zone: lastSegment(instance.scope),
                    instance_id: instance.id,
                    instance_name: instance.name,
                    instance_creation_timestamp: Math.floor(Date.parse(instance.record.creationTimestamp ?? '') / 1000),
                  },
                },
              }
            : {}),
        })
      },
      async putGuestAttribute(namespace, key, value) {
        const instance = find(instanceId)
        if (instance === undefined) return
        const enabled = { ...attributes(projects.metadata(instance.projectId)), ...attributes(instance.record.metadata) }['enable-guest-attributes']
        if (String(enabled).toLowerCase() !== 'true')
          throw new KilnError('E_PERMISSION', `guest attributes are not enabled for ${instance.name}`, { hint: 'set the metadata enable-guest-attributes=TRUE' })
        const guestAttributes = { ...instance.hidden.guestAttributes, [namespace]: { ...instance.hidden.guestAttributes?.[namespace], [key]: value } }
        if (Buffer.byteLength(JSON.stringify(guestAttributes)) > MAX_GUEST_ATTRIBUTES_BYTES)
          throw new KilnError('E_PERMISSION', `the guest attributes of ${instance.name} are full`)
        compute.store.update({ ...instance, hidden: { ...instance.hidden, guestAttributes } })
        changes.emit(instanceId)
      },
    }),
  }
}

/** Below kiln/: lines for a hosts file, and the authority to trust. Images of the baker apply them when they find them (kiln-names.service). */
function ownDirectories(access: GuestAccess | undefined): MetadataTree {
  if (access === undefined) return {}
  const lines = access.hosts().map((host) => `${METADATA_ADDRESS} ${host}\n`)
  return { kiln: { hosts: lines.join(''), trust: access.authority } }
}

function instanceTree(instance: Instance, projectNumber: string, bootDisk: Disk | undefined): MetadataValue {
  const { record, hidden, scope, name, projectId } = instance
  const zone = lastSegment(scope)
  const account = record.serviceAccounts?.[0]
  const accountTree = account?.email ? { aliases: ['default'], email: account.email, scopes: account.scopes ?? [] } : undefined
  return {
    attributes: attributes(record.metadata),
    cpuPlatform: record.cpuPlatform ?? 'Intel Broadwell',
    description: record.description ?? '',
    disks: (record.disks ?? []).map((disk) => ({
      deviceName: disk.deviceName ?? '',
      index: disk.index ?? 0,
      interface: disk.interface ?? 'SCSI',
      mode: disk.mode ?? 'READ_WRITE',
      type: 'PERSISTENT-BALANCED',
    })),
    guestAttributes: hidden.guestAttributes ?? {},
    hostname: record.hostname ?? `${name}.${zone}.c.${projectId}.internal`,
    id: instance.id,
    image: bootDisk?.record.sourceImage ? linkTail(bootDisk.record.sourceImage) : '',
    licenses: (bootDisk?.record.licenses ?? []).map((license) => ({ id: lastSegment(license) })),
    machineType: `projects/${projectNumber}/machineTypes/${lastSegment(record.machineType ?? '')}`,
    maintenanceEvent: 'NONE',
    name,
    networkInterfaces: (record.networkInterfaces ?? []).map((nic) => ({
      accessConfigs: (nic.accessConfigs ?? []).map((config) => ({ externalIp: config.natIP ?? '', type: 'ONE_TO_ONE_NAT' })),
      dnsServers: [hidden.dns],
      forwardedIps: [],
      gateway: hidden.gateway,
      ip: nic.networkIP ?? '',
      ipAliases: [],
      mac: hidden.mac,
      mtu: 1460,
      network: `projects/${projectNumber}/networks/${lastSegment(nic.network ?? '')}`,
      subnetmask: hidden.netmask,
      targetInstanceIps: [],
    })),
    preempted: 'FALSE',
    remainingCpuTime: -1,
    scheduling: {
      automaticRestart: upper(record.scheduling?.automaticRestart !== false),
      onHostMaintenance: record.scheduling?.onHostMaintenance ?? 'MIGRATE',
      preemptible: upper(record.scheduling?.preemptible === true),
    },
    serviceAccounts: accountTree === undefined ? {} : { default: accountTree, [accountTree.email]: accountTree },
    tags: record.tags?.items ?? [],
    virtualClock: { driftToken: '0' },
    zone: `projects/${projectNumber}/zones/${zone}`,
  }
}

function upper(value: boolean): string {
  return value ? 'TRUE' : 'FALSE'
}

function attributes(metadata: compute_v1.Schema$Metadata | undefined): Record<string, string> {
  return Object.fromEntries((metadata?.items ?? []).map((item) => [item.key ?? '', item.value ?? '']))
}
