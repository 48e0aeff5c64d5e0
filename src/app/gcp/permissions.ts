/** Which permissions the account that runs Kiln needs, by what the stack consists of. */
import { roleForPermission } from '../../client/roles.ts'
import type { DesiredResource } from '../../engine/types.ts'

const compute = (collection: string, ...verbs: readonly string[]): readonly string[] => ['create', 'get', 'delete', ...verbs].map((verb) => `compute.${collection}.${verb}`)

/** By resource kind: making, changing and removing one. */
const byKind: Readonly<Record<string, readonly string[]>> = {
  project: ['resourcemanager.projects.get'],
  billing: ['resourcemanager.projects.createBillingAssignment'],
  service: ['serviceusage.services.enable', 'serviceusage.services.list', 'serviceusage.services.get'],
  'service-account': ['iam.serviceAccounts.create', 'iam.serviceAccounts.get', 'iam.serviceAccounts.delete'],
  'service-account-iam-member': ['iam.serviceAccounts.getIamPolicy', 'iam.serviceAccounts.setIamPolicy'],
  'project-iam-member': ['resourcemanager.projects.getIamPolicy', 'resourcemanager.projects.setIamPolicy'],
  'artifact-repository': ['artifactregistry.repositories.create', 'artifactregistry.repositories.get', 'artifactregistry.repositories.delete'],
  'artifact-repository-iam-member': ['artifactregistry.repositories.getIamPolicy', 'artifactregistry.repositories.setIamPolicy'],
  'python-package': ['artifactregistry.repositories.uploadArtifacts', 'artifactregistry.repositories.downloadArtifacts'],
  bucket: ['storage.buckets.create', 'storage.buckets.get', 'storage.buckets.delete'],
  'bucket-object': ['storage.objects.create', 'storage.objects.get', 'storage.objects.delete'],
  'bucket-iam-member': ['storage.buckets.getIamPolicy', 'storage.buckets.setIamPolicy'],
  secret: ['secretmanager.secrets.create', 'secretmanager.secrets.get', 'secretmanager.secrets.delete'],
  'secret-version': ['secretmanager.versions.add', 'secretmanager.versions.access'],
  'secret-iam-member': ['secretmanager.secrets.getIamPolicy', 'secretmanager.secrets.setIamPolicy'],
  image: [...compute('images', 'list', 'update', 'deprecate', 'setLabels', 'useReadOnly'), 'storage.objects.create', 'storage.objects.get', 'storage.objects.delete'],
  firewall: [...compute('firewalls', 'update'), 'compute.networks.updatePolicy'],
  instance: [...compute('instances', 'setMetadata', 'setLabels', 'setTags', 'setServiceAccount', 'start', 'stop'), 'compute.disks.create', 'iam.serviceAccounts.actAs'],
  'instance-template': [...compute('instanceTemplates', 'useReadOnly'), 'iam.serviceAccounts.actAs'],
  'instance-group': [...compute('instanceGroupManagers', 'update', 'use'), 'compute.instanceGroups.use', 'compute.instances.create', 'compute.disks.create'],
  'global-address': compute('globalAddresses', 'use'),
  'health-check': compute('healthChecks', 'update', 'use'),
  'backend-service': compute('backendServices', 'update', 'use'),
  'url-map': compute('urlMaps', 'update', 'use'),
  'target-http-proxy': compute('targetHttpProxies', 'use'),
  'target-https-proxy': compute('targetHttpsProxies', 'use'),
  'managed-ssl-certificate': compute('sslCertificates'),
  'forwarding-rule': compute('globalForwardingRules'),
  'dns-managed-zone': ['dns.managedZones.create', 'dns.managedZones.get', 'dns.managedZones.delete'],
  'dns-record-set': ['dns.changes.create', 'dns.changes.get', 'dns.resourceRecordSets.create', 'dns.resourceRecordSets.list', 'dns.resourceRecordSets.delete'],
  'firestore-database': ['datastore.databases.create', 'datastore.databases.get'],
  'firestore-index': ['datastore.indexes.create', 'datastore.indexes.get', 'datastore.indexes.delete'],
  'firebase-ruleset': ['firebaserules.rulesets.create', 'firebaserules.rulesets.get'],
  'firebase-release': ['firebaserules.releases.create', 'firebaserules.releases.update', 'firebaserules.releases.get'],
  'identity-platform': ['firebaseauth.configs.get', 'firebaseauth.configs.update'],
  'identity-provider': ['firebaseauth.configs.get', 'firebaseauth.configs.update'],
  'workload-identity-pool': ['iam.workloadIdentityPools.create', 'iam.workloadIdentityPools.get'],
  'workload-identity-provider': ['iam.workloadIdentityPoolProviders.create', 'iam.workloadIdentityPoolProviders.get'],
  release: [...compute('instanceTemplates', 'useReadOnly'), 'compute.instanceGroupManagers.update', 'compute.backendServices.get', 'monitoring.timeSeries.list'],
  'release-ledger': ['storage.buckets.getIamPolicy', 'storage.buckets.setIamPolicy', 'storage.objects.create', 'storage.objects.get', 'storage.objects.list'],
}

/** The state bucket, which is no resource of the stack. */
const forState = ['storage.buckets.create', 'storage.buckets.get', 'storage.objects.create', 'storage.objects.get', 'storage.objects.list', 'storage.objects.delete']

/** A VM that Packer makes the image in, and one that tests it. */
const forPacker = [
  ...compute('instances', 'setMetadata', 'setLabels', 'setServiceAccount', 'getSerialPortOutput'),
  ...compute('disks', 'setLabels', 'useReadOnly'),
  'compute.subnetworks.use',
  'compute.subnetworks.useExternalIp',
  'iam.serviceAccounts.actAs',
]

/** What the stack needs on its project, sorted. */
export function neededPermissions(desired: readonly DesiredResource[]): readonly string[] {
  const kinds = new Set(desired.map((resource) => resource.kind))
  const byPacker = desired.some((resource) => resource.kind === 'image' && resource.props['engine'] === 'packer')
  return [...new Set([...forState, ...(byPacker ? forPacker : []), ...[...kinds].flatMap((kind) => byKind[kind] ?? [])])].toSorted()
}

/** Kinds of this list that the table does not know. For a test. */
export function unknownKinds(kinds: readonly string[]): readonly string[] {
  return kinds.filter((kind) => byKind[kind] === undefined)
}

/** The permissions by a role that holds them; those that no role of ours holds stand under themselves. */
export function rolesFor(permissions: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const roles = new Map<string, string[]>()
  for (const permission of permissions) {
    const role = roleForPermission(permission) ?? `a role with ${permission}`
    roles.set(role, [...(roles.get(role) ?? []), permission])
  }
  return roles
}
