/**
 * Which gRPC services live on which Google host, as data. A host is served when a room serves its REST form.
 * To add one: a row here; the methods and their REST paths come from Google's own protocol files.
 */

export interface GrpcHost {
  readonly host: string
  /** Protocol packages. Their files are in the folder of the same name (`google.iam.admin.v1` -> google/iam/admin/v1). */
  readonly packages: readonly string[]
  /** The version in the REST paths of the mixins (operations, locations, IAM policies) on this host. */
  readonly version: string
  /** How `:getIamPolicy` is asked for over REST where it is not POST. */
  readonly getIamPolicy?: 'GET'
}

export const grpcHosts: readonly GrpcHost[] = [
  { host: 'artifactregistry.googleapis.com', packages: ['google.devtools.artifactregistry.v1'], version: 'v1', getIamPolicy: 'GET' },
  { host: 'cloudbilling.googleapis.com', packages: ['google.cloud.billing.v1'], version: 'v1', getIamPolicy: 'GET' },
  { host: 'cloudresourcemanager.googleapis.com', packages: ['google.cloud.resourcemanager.v3'], version: 'v3' },
  { host: 'firestore.googleapis.com', packages: ['google.firestore.v1', 'google.firestore.admin.v1'], version: 'v1' },
  { host: 'iam.googleapis.com', packages: ['google.iam.admin.v1', 'google.iam.v2'], version: 'v1' },
  { host: 'iamcredentials.googleapis.com', packages: ['google.iam.credentials.v1'], version: 'v1' },
  { host: 'logging.googleapis.com', packages: ['google.logging.v2'], version: 'v2' },
  { host: 'monitoring.googleapis.com', packages: ['google.monitoring.v3'], version: 'v3' },
  { host: 'oslogin.googleapis.com', packages: ['google.cloud.oslogin.v1'], version: 'v1' },
  { host: 'pubsub.googleapis.com', packages: ['google.pubsub.v1'], version: 'v1' },
  { host: 'secretmanager.googleapis.com', packages: ['google.cloud.secretmanager.v1'], version: 'v1', getIamPolicy: 'GET' },
  { host: 'serviceusage.googleapis.com', packages: ['google.api.serviceusage.v1'], version: 'v1' },
]

/** Services that exist on every host: the host that the client asked for decides which room answers. */
export const mixinServices: readonly string[] = ['google.longrunning.Operations', 'google.iam.v1.IAMPolicy', 'google.cloud.location.Locations']

/** A rule of google.api.http in its raw form, as the protocol files have it. */
export interface RawHttpRule {
  readonly get?: string
  readonly put?: string
  readonly post?: string
  readonly delete?: string
  readonly patch?: string
  readonly custom?: { readonly kind: string; readonly path: string }
  readonly body?: string
  readonly response_body?: string
  readonly additional_bindings?: RawHttpRule | readonly RawHttpRule[]
}

/**
 * The REST form of a mixin's method on one host. Google states these per service in configuration files that are not published with the
 * protocol files; the paths are the same everywhere but for the version. Undefined for methods without one (`WaitOperation`: see gateway.ts).
 */
export function mixinRule(host: GrpcHost, service: string, method: string): RawHttpRule | undefined {
  const rules: Readonly<Record<string, RawHttpRule>> = {
    'google.longrunning.Operations/GetOperation': { get: `/${host.version}/{name=**}` },
    'google.longrunning.Operations/ListOperations': { get: `/${host.version}/{name=operations}`, additional_bindings: { get: `/${host.version}/{name=**}/operations` } },
    'google.longrunning.Operations/DeleteOperation': { delete: `/${host.version}/{name=**}` },
    'google.longrunning.Operations/CancelOperation': { post: `/${host.version}/{name=**}:cancel`, body: '*' },
    'google.iam.v1.IAMPolicy/SetIamPolicy': { post: `/${host.version}/{resource=**}:setIamPolicy`, body: '*' },
    'google.iam.v1.IAMPolicy/GetIamPolicy':
      host.getIamPolicy === 'GET' ? { get: `/${host.version}/{resource=**}:getIamPolicy` } : { post: `/${host.version}/{resource=**}:getIamPolicy`, body: '*' },
    'google.iam.v1.IAMPolicy/TestIamPermissions': { post: `/${host.version}/{resource=**}:testIamPermissions`, body: '*' },
    'google.cloud.location.Locations/ListLocations': { get: `/${host.version}/{name=**}/locations` },
    'google.cloud.location.Locations/GetLocation': { get: `/${host.version}/{name=**}` },
  }
  return rules[`${service}/${method}`]
}
