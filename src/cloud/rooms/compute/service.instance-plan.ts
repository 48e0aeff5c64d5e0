/** From the body of instances.insert to rows: every check first, then one transaction that makes the disks, takes the addresses and writes the instance. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import { regionOfZone } from './data/regions.ts'
import { machineTypes } from './data/machine-types.ts'
import { resourceExists, resourceInUse, resourceNotFound } from './errors.ts'
import { lastSegment, linkTail, linkTo, parseLink, resourcePath, selfLink } from './links.ts'
import type { AttachedDiskBody, InstanceBody } from './schema.ts'
import { requireLabels, requireName } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { Addresses } from './service.addresses.ts'
import type { Disk, Disks } from './service.disks.ts'
import type { Image, Images } from './service.images.ts'
import type { Instance, InstanceHidden } from './service.instances.ts'
import { requireTags, toScheduling, toShielded } from './service.instance-parts.ts'
import { toAddress, toNumber } from './service.networks.ts'
import type { Networks, Subnetwork } from './service.networks.ts'
import type { Snapshot, Snapshots } from './service.snapshots.ts'
import { defaultServiceAccount, metadataItems } from './service.projects.ts'
import { fingerprint, head } from './shapes.ts'
import type { Key } from './store.ts'

export interface InstancePlans {
  /** Checks everything that needs no change. The result, called inside a transaction, makes the rows. @throws ApiError 400, 403, 404, 409 */
  check(caller: Caller, key: Key, body: InstanceBody): () => Instance
  /** The account list of a body, with `default` resolved. @throws ApiError 400, 403 */
  serviceAccounts(caller: Caller, projectId: string, accounts: InstanceBody['serviceAccounts']): { email: string; scopes: string[] }[]
  /** A link to a machine type that exists, in Google's form. @throws ApiError 404 */
  machineType(key: Key, link: string): string
}

export interface PlanParts {
  readonly images: Images
  readonly snapshots: Snapshots
  readonly disks: Disks
  readonly networks: Networks
  readonly addresses: Addresses
}

type DiskPlan = { readonly body: AttachedDiskBody } & (
  | { readonly existing: Disk }
  | { readonly image: Image | undefined; readonly snapshot: Snapshot | undefined; readonly name: string }
)

export function createInstancePlans(compute: Compute, { images, snapshots, disks, networks, addresses }: PlanParts): InstancePlans {
  const { store, kernel } = compute

  function machineType(key: Key, link: string): string {
    const name = parseLink(link, { ...key, collection: 'machineTypes' }).name
    if (!machineTypes.has(name)) throw resourceNotFound({ ...key, collection: 'machineTypes', name })
    return selfLink({ ...key, collection: 'machineTypes', name })
  }

  function planDisk(caller: Caller, key: Key, body: AttachedDiskBody, index: number): DiskPlan {
    if (body.source) {
      const reference = parseLink(body.source, { ...key, collection: 'disks' })
      caller.require('compute.disks.use', { projectId: key.projectId, resource: resourcePath(reference) })
      const existing = compute.get<Disk>(reference)
      if (existing.scope !== key.scope)
        throw invalidArgument(`Invalid value for field 'resource.disks[${index}].source': '${body.source}'. Disk must be in the same zone as the instance.`)
      const user = existing.record.users?.[0]
      if (user !== undefined) throw resourceInUse(existing, linkTail(user))
      return { body, existing }
    }
    const params = body.initializeParams
    if (!params) throw invalidArgument(`Invalid value for field 'resource.disks[${index}]': ''. Either source or initializeParams is needed.`)
    caller.require('compute.disks.create', { projectId: key.projectId })
    const name = requireName(params.diskName || (index === 0 ? key.name : `${key.name}-${index}`.slice(0, 63)), `resource.disks[${index}].initializeParams.diskName`)
    if (store.get({ ...key, collection: 'disks', name }) !== undefined) throw resourceExists({ ...key, collection: 'disks', name })
    return {
      body,
      name,
      image: params.sourceImage ? images.forUse(caller, params.sourceImage, key.projectId) : undefined,
      snapshot: params.sourceSnapshot ? snapshots.forUse(caller, params.sourceSnapshot, key.projectId) : undefined,
    }
  }

  function attach(key: Key, plan: DiskPlan, index: number): { readonly disk: Disk; readonly record: compute_v1.Schema$AttachedDisk } {
    const { body } = plan
    const disk =
      'existing' in plan
        ? plan.existing
        : disks.createRow({
            projectId: key.projectId,
            zone: lastSegment(key.scope),
            name: plan.name,
            image: plan.image,
            snapshot: plan.snapshot,
            sizeGb: body.initializeParams?.diskSizeGb ?? body.diskSizeGb,
            type: body.initializeParams?.diskType,
            labels: body.initializeParams?.labels,
            description: body.initializeParams?.description,
          })
    disks.setUser(disk.id, selfLink(key))
    const record: compute_v1.Schema$AttachedDisk = {
      kind: 'compute#attachedDisk',
      type: 'PERSISTENT',
      mode: body.mode ?? 'READ_WRITE',
      source: selfLink(disk),
      deviceName: body.deviceName || (index === 0 ? 'persistent-disk-0' : `persistent-disk-${index}`),
      index,
      boot: body.boot === true,
      autoDelete: body.autoDelete === true,
      interface: body.interface ?? 'SCSI',
      diskSizeGb: disk.record.sizeGb,
      guestOsFeatures: disk.record.guestOsFeatures ?? [],
      licenses: disk.record.licenses ?? [],
      ...(disk.record.architecture ? { architecture: disk.record.architecture } : {}),
    }
    return { disk, record }
  }

  function serviceAccounts(caller: Caller, projectId: string, accounts: InstanceBody['serviceAccounts']): { email: string; scopes: string[] }[] {
    if ((accounts ?? []).length > 1) throw invalidArgument("Invalid value for field 'resource.serviceAccounts': at most one service account is allowed.")
    return (accounts ?? []).map((account) => {
      const isDefault = !account.email || account.email === 'default'
      const email = isDefault ? defaultServiceAccount(compute.project(projectId)) : (account.email ?? '')
      const found = kernel.ports.use('serviceAccounts').find(email)
      const owner = found?.projectId ?? projectId
      caller.require('iam.serviceAccounts.actAs', { projectId: owner, resource: `projects/${owner}/serviceAccounts/${email}` })
      // Google makes the default account with the service; here it may be missing, and the machine then gets no tokens.
      if (found === undefined && !isDefault)
        throw invalidArgument(`The user does not have access to service account '${email}', or it does not exist.`, { reason: 'SERVICE_ACCOUNT_ACCESS_DENIED' })
      return { email, scopes: account.scopes ?? [] }
    })
  }

  interface NetworkPlan {
    readonly subnetwork: Subnetwork
    readonly networkIP: string | null | undefined
    readonly accessConfig: { readonly name: string; readonly networkTier: string; readonly natIP: string | null | undefined } | undefined
  }

  function planNetwork(caller: Caller, key: Key, body: InstanceBody): NetworkPlan {
    const nics = body.networkInterfaces ?? []
    if (nics.length > 1) throw invalidArgument("Invalid value for field 'resource.networkInterfaces': the pocket cloud gives a VM one network interface.")
    const nic = nics[0]
    if (nic === undefined) throw invalidArgument("Invalid value for field 'resource.networkInterfaces': ''. At least one network interface is required.")
    const subnetwork = networks.choose(key.projectId, regionOfZone(lastSegment(key.scope)), nic.network, nic.subnetwork)
    if (subnetwork.scope !== `regions/${regionOfZone(lastSegment(key.scope))}`)
      throw invalidArgument(`Invalid value for field 'resource.networkInterfaces[0].subnetwork': '${nic.subnetwork}'. It must be in the region of the instance.`)
    caller.require('compute.subnetworks.use', { projectId: subnetwork.projectId, resource: resourcePath(subnetwork) })
    const config = nic.accessConfigs?.[0]
    if (config !== undefined) caller.require('compute.subnetworks.useExternalIp', { projectId: subnetwork.projectId, resource: resourcePath(subnetwork) })
    if (config?.natIP) addresses.requireReserved(key.projectId, config.natIP)
    return {
      subnetwork,
      networkIP: nic.networkIP,
      accessConfig: config === undefined ? undefined : { name: config.name ?? 'external-nat', networkTier: config.networkTier ?? 'PREMIUM', natIP: config.natIP },
    }
  }

  function connect(key: Key, plan: NetworkPlan): { readonly record: compute_v1.Schema$NetworkInterface; readonly hidden: Omit<InstanceHidden, 'diskIds'> } {
    const range = plan.subnetwork.record.ipCidrRange ?? ''
    const networkIP = addresses.chooseInternal({ selfLink: selfLink(plan.subnetwork), range }, plan.networkIP, key.projectId)
    addresses.setUser(key.projectId, networkIP, selfLink(key), selfLink(plan.subnetwork))
    const externalAddress = plan.accessConfig === undefined ? undefined : (plan.accessConfig.natIP ?? addresses.chooseExternal())
    if (externalAddress !== undefined) addresses.setUser(key.projectId, externalAddress, selfLink(key))
    const [first = '', prefix = ''] = range.split('/')
    const size = 2 ** (32 - Number(prefix))
    const record: compute_v1.Schema$NetworkInterface = {
      kind: 'compute#networkInterface',
      name: 'nic0',
      network: plan.subnetwork.record.network,
      subnetwork: selfLink(plan.subnetwork),
      networkIP,
      stackType: 'IPV4_ONLY',
      fingerprint: fingerprint([networkIP, externalAddress]),
      ...(plan.accessConfig === undefined
        ? {}
        : {
            accessConfigs: [
              { kind: 'compute#accessConfig', type: 'ONE_TO_ONE_NAT', name: plan.accessConfig.name, natIP: externalAddress, networkTier: plan.accessConfig.networkTier },
            ],
          }),
    }
    const mac = `42:01:${networkIP
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join(':')}`
    return {
      record,
      hidden: { mac, subnetCidr: range, gateway: toAddress(toNumber(first) + 1), dns: toAddress(toNumber(first) + size - 2), netmask: toAddress(2 ** 32 - size), externalAddress },
    }
  }

  function check(caller: Caller, key: Key, body: InstanceBody): () => Instance {
    if (store.get(key) !== undefined && (caller.requestId === undefined || store.findRequest(key.projectId, caller.requestId) === undefined)) throw resourceExists(key)
    if (!body.machineType) throw invalidArgument("Invalid value for field 'resource.machineType': ''. The URL is malformed.")
    const type = machineType(key, body.machineType)
    const bodies = body.disks ?? []
    if (bodies.filter((disk) => disk.boot === true).length !== 1) throw invalidArgument("Invalid value for field 'resource.disks': an instance needs exactly one boot disk.")
    const isReplay = caller.requestId !== undefined && store.findRequest(key.projectId, caller.requestId) !== undefined
    const diskPlans = isReplay ? [] : bodies.map((disk, index) => planDisk(caller, key, disk, index))
    const labels = requireLabels(body.labels)
    const items = metadataItems(body.metadata)
    const tags = requireTags(body.tags?.items)
    const accounts = serviceAccounts(caller, key.projectId, body.serviceAccounts)
    const network = planNetwork(caller, key, body)
    return () => {
      const made = compute.insert<Instance>({ ...key, record: {}, hidden: { diskIds: [], mac: '', subnetCidr: '', gateway: '', dns: '', netmask: '' } })
      const attached = diskPlans.map((plan, index) => attach(key, plan, index))
      const nic = connect(key, network)
      const complete: Instance = {
        ...made,
        hidden: { ...nic.hidden, diskIds: attached.map(({ disk }) => disk.id) },
        record: {
          ...head('instance', key, made.id),
          description: body.description ?? '',
          ...(body.hostname ? { hostname: body.hostname } : {}),
          zone: linkTo(`projects/${key.projectId}/${key.scope}`),
          machineType: type,
          cpuPlatform: 'Intel Broadwell',
          status: 'PROVISIONING',
          canIpForward: body.canIpForward === true,
          deletionProtection: body.deletionProtection === true,
          startRestricted: false,
          disks: attached.map(({ record }) => record),
          networkInterfaces: [nic.record],
          metadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), ...(items.length === 0 ? {} : { items }) },
          tags: { fingerprint: fingerprint(tags), ...(tags.length === 0 ? {} : { items: tags }) },
          labels,
          labelFingerprint: fingerprint(labels),
          ...(accounts.length === 0 ? {} : { serviceAccounts: accounts }),
          scheduling: toScheduling(body.scheduling),
          ...(body.minCpuPlatform ? { minCpuPlatform: body.minCpuPlatform } : {}),
          ...(body.shieldedInstanceConfig
            ? { shieldedInstanceConfig: toShielded(body.shieldedInstanceConfig), shieldedInstanceIntegrityPolicy: { updateAutoLearnPolicy: true } }
            : {}),
          ...(body.displayDevice?.enableDisplay ? { displayDevice: { enableDisplay: true } } : {}),
          fingerprint: fingerprint([made.id]),
        },
      }
      store.update(complete)
      return complete
    }
  }

  return { check, serviceAccounts, machineType }
}
