/**
 * Where each resource kind appears in Terraform: its component, what others may say of it, what it gives out, how an existing one is imported.
 * One row per kind of `src/resources/kinds.ts`; a test sees to it. How a kind's block looks is said by the kind itself (`terraform.ts`).
 */
import type { DesiredResource } from '../../engine/types.ts'
import { serviceAccountEmail } from '../../resources/service-account/resource.ts'

/** The components, in the order in which they are read; each is a folder of `ops/terraform`. */
export const components = {
  apis: 'The Google APIs that the stack uses.',
  accounts: 'Service accounts, and what they may do in the project.',
  pypi: 'The private Python index, and who may read and write it.',
  storage: 'Buckets, and the objects that are kept with the code.',
  secrets: 'Secrets without their values: those are put in by hand or by a program, never by Terraform.',
  github: 'Access for GitHub Actions by OpenID Connect, without a key.',
  firebase: 'Firestore and sign-in.',
  ipv4: 'The address that the domains lead to.',
  sslcert: 'The managed certificate.',
  server: 'The production group behind the load balancer. Its version belongs to whoever deploys: Terraform ignores it.',
  dns: 'The zone and its records.',
  dev: 'The development VM.',
} as const

export type ComponentName = keyof typeof components

/** A literal in other resources' props that means this resource: `moshi-storage` at the key `bucket`. */
export interface Handle {
  readonly literal: string
  readonly attribute: string
  /** Keys of Terraform bodies at which the literal means this; undefined: anywhere. */
  readonly keys?: readonly string[]
}

export interface Place {
  readonly component: ComponentName | ((resource: DesiredResource, all: readonly DesiredResource[]) => ComponentName)
  /** Blocks that differ in one argument only are one block with `for_each` over it. */
  readonly forEach?: { readonly key: string; readonly label: (resource: DesiredResource) => string }
  /** The block's name, where the resource's own would not read well. */
  readonly label?: (resource: DesiredResource) => string
  /** Attributes of refs whose Terraform name is not the same in snake case. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly handles?: (props: Props) => readonly Handle[]
  /** What the component gives out, for people and scripts. `{self}` is the block's address. */
  readonly output?: { readonly suffix: string; readonly value: string; readonly description: string }
  /** The id for `terraform import`; undefined where only the cloud knows it. */
  readonly importId: (props: Props) => string | undefined
}

type Props = Readonly<Record<string, unknown>>

const text = (props: Props, key: string): string => String(props[key] ?? '')
const at = (props: Props, ...keys: readonly string[]): string => keys.map((key) => text(props, key)).join('/')
const globalId = (collection: string) => (props: Props) => `projects/${text(props, 'projectId')}/global/${collection}/${text(props, 'name')}`
const zonalId = (collection: string) => (props: Props) => `projects/${text(props, 'projectId')}/zones/${text(props, 'zone')}/${collection}/${text(props, 'name')}`
const accountId = (props: Props): string => {
  const [projectId, account] = [text(props, 'projectId'), text(props, 'accountId')]
  return `projects/${projectId}/serviceAccounts/${serviceAccountEmail({ projectId, accountId: account })}`
}
const unknownId = (): undefined => undefined
const link = { selfLink: 'id' }

/** What belongs to the production server and what to the development VM is told by who needs it. */
function serverOrDev(resource: DesiredResource, all: readonly DesiredResource[]): ComponentName {
  return all.some((other) => other.kind === 'instance' && other.dependsOn.includes(resource.address)) ? 'dev' : 'server'
}

/** Components that a stack has, in the order of `components`. */
export function componentsOf(desired: readonly DesiredResource[]): readonly ComponentName[] {
  const used = new Set(
    desired.flatMap((one) => {
      const place = places[one.kind]?.component
      return place === undefined ? [] : [typeof place === 'string' ? place : place(one, desired)]
    }),
  )
  return Object.keys(components).filter((name): name is ComponentName => used.has(name as ComponentName))
}

/** Kinds that Terraform does not have: they must be there before it can run, since its state lies in the project. */
export const outside: Readonly<Record<string, string>> = {
  project: 'the state bucket is in the project, so it is made before: ops/bootstrap.sh',
  billing: 'a project without billing has no bucket, so it is linked before: ops/bootstrap.sh',
}

/** By kind. */
export const places: Readonly<Record<string, Place>> = {
  service: {
    component: 'apis',
    forEach: { key: 'service', label: () => 'enabled' },
    importId: (props) => at(props, 'projectId', 'service'),
  },
  'service-account': {
    component: 'accounts',
    handles: (props) => {
      const email = serviceAccountEmail({ projectId: text(props, 'projectId'), accountId: text(props, 'accountId') })
      return [
        { literal: email, attribute: 'email' },
        { literal: `serviceAccount:${email}`, attribute: 'member' },
        { literal: `projects/${text(props, 'projectId')}/serviceAccounts/${email}`, attribute: 'name' },
      ]
    },
    output: { suffix: 'email', value: '{self}.email', description: 'The e-mail address of the account' },
    importId: (props) =>
      `projects/${text(props, 'projectId')}/serviceAccounts/${serviceAccountEmail({ projectId: text(props, 'projectId'), accountId: text(props, 'accountId') })}`,
  },
  'project-iam-member': {
    component: 'accounts',
    forEach: { key: 'role', label: (resource) => resource.address.split('/')[1] ?? 'member' },
    importId: (props) => [text(props, 'projectId'), text(props, 'role'), text(props, 'member')].join(' '),
  },
  'artifact-repository': {
    component: 'pypi',
    handles: (props) => [{ literal: text(props, 'repository'), attribute: 'repository_id', keys: ['repository'] }],
    output: {
      suffix: 'index_url',
      value: 'https://${{self}.location}-python.pkg.dev/${{self}.project}/${{self}.repository_id}/simple/',
      description: 'For pip, with oauth2accesstoken and a token as credentials',
    },
    importId: (props) => `projects/${text(props, 'projectId')}/locations/${text(props, 'location')}/repositories/${text(props, 'repository')}`,
  },
  'artifact-repository-iam-member': {
    component: 'pypi',
    forEach: { key: 'role', label: (resource) => resource.address.split('/').slice(1, 3).join('_') },
    importId: (props) =>
      `projects/${text(props, 'projectId')}/locations/${text(props, 'location')}/repositories/${text(props, 'repository')} ${text(props, 'role')} ${text(props, 'member')}`,
  },
  bucket: {
    component: 'storage',
    handles: (props) => [{ literal: text(props, 'name'), attribute: 'name', keys: ['bucket'] }],
    output: { suffix: 'bucket', value: '{self}.url', description: 'The bucket, for gcloud storage' },
    importId: (props) => at(props, 'projectId', 'name'),
  },
  // the provider cannot import objects; it uploads them again
  'bucket-object': { component: 'storage', importId: unknownId },
  'bucket-iam-member': {
    component: 'storage',
    forEach: { key: 'role', label: (resource) => resource.address.split('/').slice(1, 3).join('_') },
    importId: (props) => `b/${text(props, 'bucket')} ${text(props, 'role')} ${text(props, 'member')}`,
  },
  secret: {
    component: 'secrets',
    handles: (props) => [{ literal: text(props, 'secretId'), attribute: 'secret_id', keys: ['secret_id'] }],
    importId: (props) => `projects/${text(props, 'projectId')}/secrets/${text(props, 'secretId')}`,
  },
  'secret-version': { component: 'secrets', importId: unknownId },
  'secret-iam-member': {
    component: 'secrets',
    importId: (props) => `projects/${text(props, 'projectId')}/secrets/${text(props, 'secretId')} ${text(props, 'role')} ${text(props, 'member')}`,
  },
  'workload-identity-pool': {
    component: 'github',
    handles: (props) => [{ literal: text(props, 'poolId'), attribute: 'workload_identity_pool_id', keys: ['workload_identity_pool_id'] }],
    importId: (props) => `projects/${text(props, 'projectId')}/locations/global/workloadIdentityPools/${text(props, 'poolId')}`,
  },
  'workload-identity-provider': {
    component: 'github',
    output: {
      suffix: 'provider',
      value: '{self}.name',
      description: 'The provider that GitHub’s token is shown to: the variable KILN_WORKLOAD_IDENTITY_PROVIDER of the repository',
    },
    importId: (props) => `projects/${text(props, 'projectId')}/locations/global/workloadIdentityPools/${text(props, 'poolId')}/providers/${text(props, 'providerId')}`,
  },
  'service-account-iam-member': {
    component: 'github',
    importId: (props) => (typeof props['member'] === 'string' ? `${accountId(props)} ${text(props, 'role')} ${text(props, 'member')}` : undefined),
  },
  'firestore-database': {
    component: 'firebase',
    handles: (props) => [{ literal: text(props, 'database'), attribute: 'name', keys: ['database'] }],
    importId: (props) => `projects/${text(props, 'projectId')}/databases/${text(props, 'database')}`,
  },
  'firestore-index': { component: 'firebase', importId: unknownId },
  'firebase-ruleset': { component: 'firebase', attributes: { rulesetId: 'name' }, importId: unknownId },
  'firebase-release': { component: 'firebase', importId: (props) => `projects/${text(props, 'projectId')}/releases/${text(props, 'release')}` },
  'identity-platform': { component: 'firebase', importId: (props) => `projects/${text(props, 'projectId')}/config` },
  'identity-provider': { component: 'firebase', importId: unknownId },
  firewall: { component: serverOrDev, importId: globalId('firewalls') },
  instance: {
    component: 'dev',
    attributes: link,
    output: { suffix: 'address', value: '{self}.network_interface[0].access_config[0].nat_ip', description: 'The VM’s external address' },
    importId: zonalId('instances'),
  },
  'global-address': {
    component: 'ipv4',
    output: { suffix: 'address', value: '{self}.address', description: 'The address that the domains lead to' },
    importId: globalId('addresses'),
  },
  'health-check': { component: 'server', attributes: link, importId: globalId('healthChecks') },
  'instance-template': { component: 'server', attributes: { selfLink: 'self_link_unique' }, importId: globalId('instanceTemplates') },
  'instance-group': {
    component: 'server',
    attributes: link,
    output: { suffix: 'group', value: '{self}.name', description: 'The managed group that releases are rolled out to' },
    importId: zonalId('instanceGroupManagers'),
  },
  'backend-service': { component: 'server', attributes: link, importId: globalId('backendServices') },
  'url-map': { component: 'server', attributes: link, importId: globalId('urlMaps') },
  'target-http-proxy': { component: 'server', attributes: link, importId: globalId('targetHttpProxies') },
  'target-https-proxy': { component: 'server', attributes: link, importId: globalId('targetHttpsProxies') },
  'managed-ssl-certificate': { component: 'sslcert', attributes: link, importId: globalId('sslCertificates') },
  'dns-managed-zone': {
    component: 'dns',
    handles: (props) => [{ literal: text(props, 'name'), attribute: 'name', keys: ['managed_zone'] }],
    output: { suffix: 'name_servers', value: '{self}.name_servers', description: 'Whom the registrar of the domain must be told' },
    importId: (props) => `projects/${text(props, 'projectId')}/managedZones/${text(props, 'name')}`,
  },
  'dns-record-set': {
    component: 'dns',
    importId: (props) => `projects/${text(props, 'projectId')}/managedZones/${text(props, 'zone')}/rrsets/${text(props, 'name')}/${text(props, 'type')}`,
  },
  'forwarding-rule': { component: 'server', attributes: link, importId: globalId('forwardingRules') },
}
