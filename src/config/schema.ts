/**
 * The shape of `kiln.config.ts`, with its defaults. What each key means is said in `stack-input.ts`, which editors show.
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
  section,
  text,
} from './fields.ts'
import { zoneNames } from './data/locations.ts'
import { Images } from './schema.images.ts'
import { Auth, Firestore, Github, Secrets } from './schema.sections.ts'
import { Server } from './schema.server.ts'
import type { StackInput } from './stack-input.ts'

/** The Google Cloud project. */
export const Project = section('an object: { id, name, billingAccount }', {
  id: ProjectId,
  name: ProjectName.optional(),
  billingAccount: BillingAccount.optional(),
}).transform((project) => ({ ...project, name: project.name ?? project.id }))
export type Project = z.output<typeof Project>

/** Where things run. */
export const Location = section('an object: { region, zone }', {
  region: RegionName,
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
  source: LocalPath.default('./server'),
  repository: ResourceName.default('pypi'),
})
export type Package = z.output<typeof Package>

/** An account that programs act as, and what it may do. */
export const ServiceAccount = section('an object: { displayName, roles, repositoryRoles }', {
  displayName: text('a text of 1 to 100 characters', /^[^\r\n]{1,100}$/).optional(),
  roles: list('roles', RoleName).default([]),
  repositoryRoles: list('roles', RoleName).default([]),
})
export type ServiceAccount = z.output<typeof ServiceAccount>

/** A Cloud Storage bucket and the objects that Kiln keeps in it. */
export const Bucket = section('an object: { location, objects }', {
  location: BucketLocation.optional(),
  objects: mapOf('object name -> local path', ObjectName, LocalPath).default({}),
})

/** The development VM: always from the newest image of a family. */
export const Dev = section('an object: { image, machineType, … }', {
  image: ResourceName,
  name: ResourceName.optional(),
  machineType: MachineType.default('e2-small'),
  serviceAccount: AccountName.optional(),
  metadata: mapOf('metadata key -> value', MetadataKey, MetadataValue).default({}),
  labels: mapOf('label -> value', LabelKey, LabelValue).default({}),
}).transform((dev) => ({ ...dev, name: dev.name ?? `${dev.image.slice(0, 59)}-dev` }))
export type Dev = z.output<typeof Dev>

/** The DNS zone; the server's domains in it get their records. */
export const Dns = section('an object: { zone }', {
  zone: DomainName,
})

/** Everything that a stack can say. */
export const StackShape = section('a stack: defineStack({ … })', {
  project: Project,
  location: Location,
  apis: list('API names', ApiName).default([]),
  package: Package.default({ source: './server', repository: 'pypi' }),
  images: Images,
  serviceAccounts: mapOf('account name -> account', AccountName, ServiceAccount).default({}),
  buckets: mapOf('bucket name -> bucket', BucketName, Bucket).default({}),
  dev: Dev.optional(),
  server: Server.optional(),
  github: Github.optional(),
  firestore: Firestore.optional(),
  auth: Auth.optional(),
  secrets: Secrets.default({}),
  dns: Dns.optional(),
})

/** The stack with every default filled in. */
export const Stack = StackShape.transform((stack) => ({
  ...stack,
  buckets: Object.fromEntries(Object.entries(stack.buckets).map(([name, bucket]) => [name, { ...bucket, location: bucket.location ?? stack.location.region }])),
  serviceAccounts: Object.fromEntries(Object.entries(stack.serviceAccounts).map(([name, account]) => [name, { ...account, displayName: account.displayName ?? name }])),
}))
export type StackConfig = z.output<typeof Stack>

/** Does not compile when the schema and the documented types differ in any key, option or type. */
type Same<Left, Right> = (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false
void (true satisfies Same<StackInput, z.input<typeof StackShape>>)

export type { StackInput } from './stack-input.ts'
