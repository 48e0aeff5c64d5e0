/**
 * The shape of `kiln.config.ts`. The doc comments here are what an editor shows while the config is written, and the defaults are said in them.
 * Checks across sections are in `checks.ts`; local paths are checked in `local-paths.ts`.
 */
import { z } from 'zod'
import {
  AccountName,
  ApiName,
  BillingAccount,
  BucketLocation,
  BucketName,
  DomainName,
  FirestoreLocation,
  GitBranch,
  GithubRepository,
  LabelKey,
  LabelValue,
  LocalPath,
  MachineType,
  MetadataKey,
  MetadataValue,
  ObjectName,
  ProjectId,
  ProjectName,
  RegionName,
  ResourceName,
  RoleName,
  ZoneName,
  list,
  mapOf,
  oneOf,
  section,
  text,
  whole,
} from './fields.ts'
import { zoneNames } from './data/locations.ts'
import { Images } from './schema.images.ts'

/** The Google Cloud project. */
export const Project = section('an object: { id, name, billingAccount }', {
  /** The project's id, unique in all of Google Cloud. It is made when it does not exist. */
  id: ProjectId,
  /** The name shown in the console. Default: the id. */
  name: ProjectName.optional(),
  /** The billing account to link, such as 012345-6789AB-CDEF01. Default: none is linked. */
  billingAccount: BillingAccount.optional(),
}).transform((project) => ({ ...project, name: project.name ?? project.id }))
export type Project = z.output<typeof Project>

/** Where things run. */
export const Location = section('an object: { region, zone }', {
  /** The region of the repository, buckets and network. */
  region: RegionName,
  /** The zone of VMs; it must lie in the region. Default: the region's first zone. */
  zone: ZoneName.optional(),
}).transform((location, context) => {
  const zones = zoneNames(location.region)
  const zone = location.zone ?? zones[0]
  if (zone !== undefined && zones.includes(zone)) return { region: location.region, zone }
  context.issues.push({ code: 'custom', input: location, path: ['zone'], message: `expected a zone of ${location.region} (${zones.join(', ')}), got "${zone}"` })
  return z.NEVER
})
export type Location = z.output<typeof Location>

/** The Python package that the server is. */
export const Package = section('an object: { source, repository }', {
  /** The folder with pyproject.toml, relative to this file. Default: `./server`. */
  source: LocalPath.default('./server'),
  /** The private Python repository's name in Artifact Registry. Default: `pypi`. */
  repository: ResourceName.default('pypi'),
})
export type Package = z.output<typeof Package>

/** An account that programs act as, and what it may do. */
export const ServiceAccount = section('an object: { displayName, roles, repositoryRoles }', {
  /** The name shown in the console, up to 100 characters. Default: the account's name. */
  displayName: text('a text of 1 to 100 characters', /^[^\r\n]{1,100}$/).optional(),
  /** Roles on the whole project. Default: none. */
  roles: list('roles', RoleName).default([]),
  /**
   * Roles on the stack's Python repository only, such as `roles/artifactregistry.reader` (download packages)
   * or `roles/artifactregistry.writer` (publish them). Prefer this to the same role on the project. Default: none.
   */
  repositoryRoles: list('roles', RoleName).default([]),
})
export type ServiceAccount = z.output<typeof ServiceAccount>

/** A Cloud Storage bucket and the objects that Kiln keeps in it. */
export const Bucket = section('an object: { location, objects }', {
  /** A region, or `us`, `eu`, `asia`. Default: the stack's region. */
  location: BucketLocation.optional(),
  /** Object name -> local file, relative to this file. Uploaded when its bytes differ. Default: none. */
  objects: mapOf('object name -> local path', ObjectName, LocalPath).default({}),
})

/** The development VM: always from the newest image of a family. */
export const Dev = section('an object: { image, machineType, … }', {
  /** The image to run: one of `images` that has a server in it. */
  image: ResourceName,
  /** The VM's name. Default: the image's name with `-dev` behind it. */
  name: ResourceName.optional(),
  /** Compute Engine machine type. Default: `e2-small`. */
  machineType: MachineType.default('e2-small'),
  /** The account of `serviceAccounts` that the VM acts as. Default: none, the VM gets no token. */
  serviceAccount: AccountName.optional(),
  /** Metadata that the VM finds under instance/attributes. Default: none. */
  metadata: mapOf('metadata key -> value', MetadataKey, MetadataValue).default({}),
  /** Labels of the VM. Default: none. */
  labels: mapOf('label -> value', LabelKey, LabelValue).default({}),
}).transform((dev) => ({ ...dev, name: dev.name ?? `${dev.image.slice(0, 59)}-dev` }))
export type Dev = z.output<typeof Dev>

/** The production group behind a load balancer. This version only checks the section. */
export const Server = section('an object: { image, machineType, size, … }', {
  /** The image to run: one of `images` that has a server in it. */
  image: ResourceName,
  /** Compute Engine machine type. Default: `e2-micro`. */
  machineType: MachineType.default('e2-micro'),
  /** Number of VMs. Default: 1. */
  size: whole('a number', 1, 1000).default(1),
  /** How a new release replaces the old one. Default: `rolling`. */
  strategy: oneOf(['rolling']).default('rolling'),
  /** The account of `serviceAccounts` that the VMs act as. Default: none. */
  serviceAccount: AccountName.optional(),
  /** Domain names that lead to the group. Default: none. */
  domains: list('domain names', DomainName).default([]),
})
export type Server = z.output<typeof Server>

/** The GitHub repository whose merges trigger a delivery. This version only checks the section. */
export const Github = section('an object: { repository, branch }', {
  /** `OWNER/REPO`. */
  repository: GithubRepository,
  /** The branch whose merges are delivered. Default: `main`. */
  branch: GitBranch.default('main'),
})
export type Github = z.output<typeof Github>

/** The Firestore database. This version only checks the section. */
export const Firestore = section('an object: { location }', {
  /** A region, or `nam5`, `nam7`, `eur3`. It can never be changed. */
  location: FirestoreLocation,
})

/** Sign-in with Identity Platform. This version only checks the section. */
export const Auth = section('an object: { providers }', {
  /** How users sign in. */
  providers: list('sign-in providers', oneOf(['email', 'phone', 'anonymous', 'google'])),
})

/** The DNS zone. This version only checks the section. */
export const Dns = section('an object: { zone }', {
  /** The zone's domain name. */
  zone: DomainName,
})

/** Everything that a stack can say. */
export const StackShape = section('a stack: defineStack({ … })', {
  /** The Google Cloud project. */
  project: Project,
  /** Region and zone. */
  location: Location,
  /** Google APIs to enable, beside those that the stack itself needs. Default: none. */
  apis: list('API names', ApiName).default([]),
  /** The Python package that the server is. Default: the folder `./server`, published to the repository `pypi`. */
  package: Package.default({ source: './server', repository: 'pypi' }),
  /** Golden images by name; the name is also the image family. */
  images: Images,
  /** Service accounts by name (the part before the @). Default: none. */
  serviceAccounts: mapOf('account name -> account', AccountName, ServiceAccount).default({}),
  /** Cloud Storage buckets by name. Default: none. */
  buckets: mapOf('bucket name -> bucket', BucketName, Bucket).default({}),
  /** The development VM. Default: none is started. */
  dev: Dev.optional(),
  /** The production group. This version only checks it. */
  server: Server.optional(),
  /** The GitHub repository. This version only checks it. */
  github: Github.optional(),
  /** The Firestore database. This version only checks it. */
  firestore: Firestore.optional(),
  /** Sign-in. This version only checks it. */
  auth: Auth.optional(),
  /** The DNS zone. This version only checks it. */
  dns: Dns.optional(),
})

/** What is written in `kiln.config.ts`. */
export type StackInput = z.input<typeof StackShape>

/** The stack with every default filled in. */
export const Stack = StackShape.transform((stack) => ({
  ...stack,
  buckets: Object.fromEntries(Object.entries(stack.buckets).map(([name, bucket]) => [name, { ...bucket, location: bucket.location ?? stack.location.region }])),
  serviceAccounts: Object.fromEntries(Object.entries(stack.serviceAccounts).map(([name, account]) => [name, { ...account, displayName: account.displayName ?? name }])),
}))
export type StackConfig = z.output<typeof Stack>
