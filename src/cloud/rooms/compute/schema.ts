/** Request bodies: only the fields that this room reads. Everything else a client sends is kept where Google keeps it, or ignored. */
import { z } from 'zod'

/** int64 values come as strings from Google's clients and as numbers from hand-written calls. */
const int64 = z.union([z.string().regex(/^\d+$/), z.number().int().nonnegative()]).transform(String)
const text = z.string().nullish()
const flag = z.boolean().nullish()
const labels = z.record(z.string(), z.string()).nullish()

export const MetadataBody = z.looseObject({
  fingerprint: text,
  // Packer sends null entries.
  items: z.array(z.looseObject({ key: z.string(), value: z.string().nullish() }).nullable()).nullish(),
})
export type MetadataBody = z.infer<typeof MetadataBody>

export const LabelsBody = z.looseObject({ labels, labelFingerprint: text })
export type LabelsBody = z.infer<typeof LabelsBody>

export const TagsBody = z.looseObject({ items: z.array(z.string()).nullish(), fingerprint: text })

const feature = z.looseObject({ type: text })

export const DiskBody = z.looseObject({
  name: text,
  description: text,
  sizeGb: int64.nullish(),
  sourceImage: text,
  sourceSnapshot: text,
  sourceDisk: text,
  type: text,
  labels,
  licenses: z.array(z.string()).nullish(),
  guestOsFeatures: z.array(feature).nullish(),
})
export type DiskBody = z.infer<typeof DiskBody>

export const SnapshotBody = z.looseObject({ name: text, description: text, labels, sourceDisk: text, snapshotType: text, storageLocations: z.array(z.string()).nullish() })
export type SnapshotBody = z.infer<typeof SnapshotBody>

export const ResizeBody = z.looseObject({ sizeGb: int64 })

export const ImageBody = z.looseObject({
  name: text,
  description: text,
  family: text,
  labels,
  licenses: z.array(z.string()).nullish(),
  rawDisk: z.looseObject({ source: text, containerType: text, sha1Checksum: text }).nullish(),
  sourceDisk: text,
  sourceImage: text,
  sourceSnapshot: text,
  sourceType: text,
  diskSizeGb: int64.nullish(),
  guestOsFeatures: z.array(feature).nullish(),
  architecture: text,
  storageLocations: z.array(z.string()).nullish(),
  deprecated: z.looseObject({ state: text, replacement: text }).nullish(),
  labelFingerprint: text,
})
export type ImageBody = z.infer<typeof ImageBody>

export const DeprecateBody = z.looseObject({
  state: z.enum(['ACTIVE', 'DEPRECATED', 'OBSOLETE', 'DELETED']).nullish(),
  replacement: text,
  deprecated: text,
  obsolete: text,
  deleted: text,
})
export type DeprecateBody = z.infer<typeof DeprecateBody>

export const AttachedDiskBody = z.looseObject({
  source: text,
  boot: flag,
  autoDelete: flag,
  deviceName: text,
  mode: text,
  type: text,
  interface: text,
  diskSizeGb: int64.nullish(),
  initializeParams: z.looseObject({ sourceImage: text, diskName: text, diskSizeGb: int64.nullish(), diskType: text, labels, description: text, sourceSnapshot: text }).nullish(),
})
export type AttachedDiskBody = z.infer<typeof AttachedDiskBody>

export const AccessConfigBody = z.looseObject({ name: text, type: text, natIP: text, networkTier: text })

export const ServiceAccountBody = z.looseObject({ email: text, scopes: z.array(z.string()).nullish() })

export const SchedulingBody = z.looseObject({
  automaticRestart: flag,
  onHostMaintenance: text,
  preemptible: flag,
  provisioningModel: text,
  instanceTerminationAction: text,
})
export type SchedulingBody = z.infer<typeof SchedulingBody>

export const ShieldedBody = z.looseObject({ enableSecureBoot: flag, enableVtpm: flag, enableIntegrityMonitoring: flag })
export type ShieldedBody = z.infer<typeof ShieldedBody>

export const DisplayDeviceBody = z.looseObject({ enableDisplay: flag })

export const MinCpuPlatformBody = z.looseObject({ minCpuPlatform: text })

export const InstanceBody = z.looseObject({
  name: text,
  description: text,
  hostname: text,
  machineType: text,
  canIpForward: flag,
  deletionProtection: flag,
  disks: z.array(AttachedDiskBody).nullish(),
  networkInterfaces: z.array(z.looseObject({ network: text, subnetwork: text, networkIP: text, accessConfigs: z.array(AccessConfigBody).nullish() })).nullish(),
  metadata: MetadataBody.nullish(),
  labels,
  tags: TagsBody.nullish(),
  serviceAccounts: z.array(ServiceAccountBody).nullish(),
  scheduling: SchedulingBody.nullish(),
  minCpuPlatform: text,
  shieldedInstanceConfig: ShieldedBody.nullish(),
  displayDevice: DisplayDeviceBody.nullish(),
  fingerprint: text,
  labelFingerprint: text,
})
export type InstanceBody = z.infer<typeof InstanceBody>

export const SetMachineTypeBody = z.looseObject({ machineType: z.string() })

export const NetworkBody = z.looseObject({
  name: text,
  description: text,
  autoCreateSubnetworks: flag,
  IPv4Range: text,
  mtu: z.number().nullish(),
  routingConfig: z.looseObject({ routingMode: text }).nullish(),
})
export type NetworkBody = z.infer<typeof NetworkBody>

export const SubnetworkBody = z.looseObject({
  name: text,
  description: text,
  network: text,
  ipCidrRange: text,
  privateIpGoogleAccess: flag,
  fingerprint: text,
  purpose: text,
  stackType: text,
  secondaryIpRanges: z.array(z.looseObject({ rangeName: text, ipCidrRange: text })).nullish(),
  logConfig: z.looseObject({ enable: flag }).nullish(),
})
export type SubnetworkBody = z.infer<typeof SubnetworkBody>

const nat = z.looseObject({
  name: z.string(),
  natIpAllocateOption: text,
  natIps: z.array(z.string()).nullish(),
  sourceSubnetworkIpRangesToNat: text,
  subnetworks: z.array(z.looseObject({ name: z.string(), sourceIpRangesToNat: z.array(z.string()).nullish() })).nullish(),
  type: text,
})
export type NatBody = z.infer<typeof nat>

export const RouterBody = z.looseObject({
  name: text,
  description: text,
  network: text,
  bgp: z.looseObject({ asn: z.number().nullish(), advertiseMode: text }).nullish(),
  bgpPeers: z.array(z.unknown()).nullish(),
  interfaces: z.array(z.unknown()).nullish(),
  nats: z.array(nat).nullish(),
  encryptedInterconnectRouter: flag,
})
export type RouterBody = z.infer<typeof RouterBody>

const portRule = z.looseObject({ IPProtocol: z.string(), ports: z.array(z.string()).nullish() })

export const FirewallBody = z.looseObject({
  name: text,
  description: text,
  network: text,
  direction: text,
  priority: z.number().int().nullish(),
  disabled: flag,
  allowed: z.array(portRule).nullish(),
  denied: z.array(portRule).nullish(),
  sourceRanges: z.array(z.string()).nullish(),
  destinationRanges: z.array(z.string()).nullish(),
  sourceTags: z.array(z.string()).nullish(),
  targetTags: z.array(z.string()).nullish(),
  sourceServiceAccounts: z.array(z.string()).nullish(),
  targetServiceAccounts: z.array(z.string()).nullish(),
  logConfig: z.looseObject({ enable: flag, metadata: text }).nullish(),
})
export type FirewallBody = z.infer<typeof FirewallBody>

export const AddressBody = z.looseObject({
  name: text,
  description: text,
  address: text,
  addressType: text,
  purpose: text,
  subnetwork: text,
  network: text,
  ipVersion: text,
  networkTier: text,
  labels,
  labelFingerprint: text,
})
export type AddressBody = z.infer<typeof AddressBody>

export const PolicyBody = z.looseObject({
  policy: z
    .looseObject({
      etag: text,
      version: z.number().nullish(),
      bindings: z.array(z.looseObject({ role: z.string(), members: z.array(z.string()).nullish(), condition: z.record(z.string(), z.unknown()).nullish() })).nullish(),
    })
    .nullish(),
  bindings: z.array(z.looseObject({ role: z.string(), members: z.array(z.string()).nullish() })).nullish(),
  etag: text,
})

export const TestPermissionsBody = z.looseObject({ permissions: z.array(z.string()).nullish() })
