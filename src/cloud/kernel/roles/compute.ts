/** Predefined roles of Compute Engine, for the methods that the pocket cloud has. https://cloud.google.com/compute/docs/access/iam */
import { groupsRead, groupsUpdate, groupsUse, groupsWrite } from './compute-groups.ts'
import { balancingRead, balancingWrite, certificatesWrite, securityPoliciesWrite } from './load-balancing.ts'
import type { RoleDefinition } from './types.ts'

function all(service: string, verbs: readonly string[]): readonly string[] {
  return verbs.map((verb) => `compute.${service}.${verb}`)
}

const policyVerbs = ['getIamPolicy', 'setIamPolicy'] as const

const catalogRead = [
  ...all('projects', ['get']),
  ...['zones', 'regions', 'machineTypes', 'diskTypes', 'acceleratorTypes', 'routes'].flatMap((service) => all(service, ['get', 'list'])),
  ...['globalOperations', 'zoneOperations', 'regionOperations'].flatMap((service) => all(service, ['get', 'list'])),
]
const operationsDelete = ['compute.globalOperations.delete', 'compute.zoneOperations.delete', 'compute.regionOperations.delete']
const imagesRead = all('images', ['get', 'getFromFamily', 'list'])
const imagesUse = all('images', ['useReadOnly'])
const imagesWrite = all('images', ['create', 'delete', 'deprecate', 'setLabels', 'update'])
const disksRead = [...all('disks', ['get', 'list']), ...all('snapshots', ['get', 'list'])]
const disksWrite = [
  ...all('disks', ['create', 'createSnapshot', 'delete', 'resize', 'setLabels', 'update', 'use', 'useReadOnly']),
  ...all('snapshots', ['create', 'delete', 'setLabels', 'useReadOnly']),
]
const instancesRead = all('instances', ['get', 'list', 'getSerialPortOutput', 'getGuestAttributes'])
const instancesWrite = all('instances', [
  'addAccessConfig',
  'attachDisk',
  'create',
  'delete',
  'deleteAccessConfig',
  'detachDisk',
  'reset',
  'setDeletionProtection',
  'setDiskAutoDelete',
  'setLabels',
  'setMachineType',
  'setMetadata',
  'setMinCpuPlatform',
  'setScheduling',
  'setServiceAccount',
  'setTags',
  'start',
  'stop',
  'update',
  'updateDisplayDevice',
  'updateNetworkInterface',
  'updateShieldedInstanceConfig',
  'use',
])
const networksRead = ['networks', 'subnetworks', 'firewalls', 'addresses', 'globalAddresses', 'routers'].flatMap((service) => all(service, ['get', 'list']))
const networksUse = [
  ...all('networks', ['use', 'useExternalIp']),
  ...all('subnetworks', ['use', 'useExternalIp']),
  ...all('addresses', ['use', 'useInternal']),
  ...all('globalAddresses', ['use']),
]
const networksWrite = [
  ...all('networks', ['create', 'delete', 'switchToCustomMode', 'update', 'updatePolicy']),
  ...all('subnetworks', ['create', 'delete', 'expandIpCidrRange', 'setPrivateIpGoogleAccess', 'update']),
  ...all('addresses', ['create', 'delete', 'setLabels']),
  ...all('globalAddresses', ['create', 'delete', 'setLabels']),
  ...all('routers', ['create', 'delete', 'update', 'use']),
]
const firewallsWrite = all('firewalls', ['create', 'delete', 'update'])
const policies = ['images', 'disks', 'snapshots', 'instances', 'instanceTemplates'].flatMap((service) => all(service, policyVerbs))
const policiesRead = ['images', 'disks', 'snapshots', 'instances', 'instanceTemplates'].flatMap((service) => all(service, ['getIamPolicy']))
const read = [...catalogRead, ...imagesRead, ...disksRead, ...instancesRead, ...groupsRead, ...networksRead, ...balancingRead]
const projectRead = ['resourcemanager.projects.get', 'serviceusage.services.get', 'serviceusage.services.list']
const everything = [
  ...read,
  ...operationsDelete,
  ...imagesUse,
  ...imagesWrite,
  ...disksWrite,
  ...instancesWrite,
  ...groupsUse,
  ...groupsWrite,
  ...networksUse,
  ...networksWrite,
  ...firewallsWrite,
  ...balancingWrite,
  ...certificatesWrite,
  ...securityPoliciesWrite,
  ...policies,
  'compute.projects.setCommonInstanceMetadata',
  ...projectRead,
]

export const computeRoles: readonly RoleDefinition[] = [
  { name: 'roles/compute.admin', title: 'Compute Admin', description: 'Full control of all Compute Engine resources.', permissions: everything },
  {
    name: 'roles/compute.instanceAdmin.v1',
    title: 'Compute Instance Admin (v1)',
    description: 'Full control of Compute Engine instances, disks and images. Read access to networking resources.',
    permissions: [
      ...read,
      ...imagesUse,
      ...imagesWrite,
      ...disksWrite,
      ...instancesWrite,
      ...groupsUse,
      ...groupsWrite,
      ...networksUse,
      ...policiesRead,
      ...operationsDelete,
      'compute.projects.setCommonInstanceMetadata',
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.instanceAdmin',
    title: 'Compute Instance Admin (beta)',
    description: 'Create, modify and delete virtual machine instances, and disks.',
    permissions: [...catalogRead, ...imagesRead, ...imagesUse, ...disksRead, ...disksWrite, ...instancesRead, ...instancesWrite, ...networksRead, ...networksUse, ...projectRead],
  },
  {
    name: 'roles/compute.networkAdmin',
    title: 'Compute Network Admin',
    description: 'Create, modify and delete networking resources, except for firewall rules and SSL certificates.',
    permissions: [
      ...catalogRead,
      ...operationsDelete,
      ...networksRead,
      ...networksUse,
      ...networksWrite,
      ...balancingRead,
      ...balancingWrite,
      ...all('instances', ['get', 'list', 'getGuestAttributes', 'getSerialPortOutput', 'use']),
      ...groupsRead.filter((permission) => !/Templates|autoscalers/.test(permission)),
      ...groupsUpdate,
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.networkUser',
    title: 'Compute Network User',
    description: 'Use of networks, for projects that share one.',
    permissions: [
      ...all('projects', ['get']),
      ...all('zones', ['get', 'list']),
      ...all('regions', ['get', 'list']),
      ...networksUse,
      ...networksRead.filter((permission) => !permission.startsWith('compute.firewalls.')),
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.networkViewer',
    title: 'Compute Network Viewer',
    description: 'Read-only access to all networking resources.',
    permissions: [...catalogRead, ...networksRead, ...balancingRead, ...all('instances', ['get', 'list', 'getGuestAttributes']), ...projectRead],
  },
  {
    name: 'roles/compute.loadBalancerAdmin',
    title: 'Compute Load Balancer Admin',
    description: 'Create, modify and delete load balancers and associated resources.',
    permissions: [
      ...catalogRead,
      ...networksRead,
      ...networksUse,
      ...all('addresses', ['create', 'delete', 'setLabels']),
      ...all('globalAddresses', ['create', 'delete', 'setLabels']),
      ...balancingRead,
      ...balancingWrite,
      ...certificatesWrite,
      ...groupsRead,
      ...groupsUse,
      ...all('instances', ['get', 'list', 'use']),
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.securityAdmin',
    title: 'Compute Security Admin',
    description: 'Create, modify and delete firewall rules and SSL certificates.',
    permissions: [
      ...catalogRead,
      ...firewallsWrite,
      ...certificatesWrite,
      ...all('sslCertificates', ['get', 'list']),
      ...securityPoliciesWrite,
      ...all('securityPolicies', ['get', 'list']),
      ...all('firewalls', ['get', 'list']),
      ...all('networks', ['get', 'list', 'updatePolicy']),
      ...all('subnetworks', ['get', 'list']),
      ...all('instances', ['get', 'list', 'setServiceAccount']),
      ...projectRead,
    ],
  },
  { name: 'roles/compute.imageUser', title: 'Compute Image User', description: 'List and read images, and use them.', permissions: [...imagesRead, ...imagesUse, ...projectRead] },
  {
    name: 'roles/compute.storageAdmin',
    title: 'Compute Storage Admin',
    description: 'Create, modify and delete disks, images and snapshots.',
    permissions: [
      ...catalogRead,
      ...imagesRead,
      ...imagesUse,
      ...imagesWrite,
      ...disksRead,
      ...disksWrite,
      ...['images', 'disks', 'snapshots'].flatMap((service) => all(service, policyVerbs)),
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.publicIpAdmin',
    title: 'Compute Public IP Admin',
    description: 'Full control of public IP address management.',
    permissions: [
      ...all('addresses', ['create', 'delete', 'get', 'list', 'setLabels', 'use']),
      ...all('globalAddresses', ['create', 'delete', 'get', 'list', 'setLabels', 'use']),
      ...projectRead,
    ],
  },
  {
    name: 'roles/compute.osLogin',
    title: 'Compute OS Login',
    description: 'Log in to a Compute Engine instance as a standard user.',
    permissions: [...all('instances', ['get', 'list', 'osLogin']), 'compute.projects.get', ...projectRead],
  },
  {
    name: 'roles/compute.viewer',
    title: 'Compute Viewer',
    description: 'Read-only access to Compute Engine resources, without reading the data stored on them.',
    permissions: [...read, ...policiesRead, ...projectRead],
  },
]
