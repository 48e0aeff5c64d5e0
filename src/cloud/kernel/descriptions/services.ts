/** Where Google describes the services that we serve, as data. A service is described once its room has a row here. */
import { readDiscovery } from './discovery.ts'
import type { GoogleMethod } from './method.ts'
import { findMessage, readProtos } from './protos.ts'
import type { Shape } from './shape.ts'

interface Source {
  /** Package of npm's @googleapis, its version, and where collections at its top really begin. */
  readonly discovery?: readonly (readonly [name: string, version: string, parents?: Readonly<Record<string, string>>])[]
  /** Packages of Google's protocol files. */
  readonly protos?: readonly string[]
  /** Real paths of methods by id, where the name in a path says more than the method's place in the tree of resources. */
  readonly paths?: Readonly<Record<string, string>>
  /** Methods that many services share, which are in the files of none: path and reply. */
  readonly shared?: readonly (readonly [id: string, path: string, reply: string])[]
}

const OPERATION = 'google.longrunning.Operation'

const sources: Readonly<Record<string, Source>> = {
  'artifactregistry.googleapis.com': {
    protos: ['google.devtools.artifactregistry.v1'],
    shared: [
      ['Operations.GetOperation', '/v1/projects/*/locations/*/operations/*', OPERATION],
      ['Locations.ListLocations', '/v1/projects/*/locations', 'google.cloud.location.ListLocationsResponse'],
      ['Locations.GetLocation', '/v1/projects/*/locations/*', 'google.cloud.location.Location'],
    ],
  },
  'cloudbilling.googleapis.com': { protos: ['google.cloud.billing.v1'] },
  'cloudresourcemanager.googleapis.com': {
    discovery: [
      ['cloudresourcemanager', 'v1'],
      ['cloudresourcemanager', 'v3'],
    ],
  },
  'compute.googleapis.com': { discovery: [['compute', 'v1']] },
  'dns.googleapis.com': {
    discovery: [['dns', 'v1', { locations: 'projects/*', managedZones: 'projects/*', operations: 'projects/*/locations/*', outboundEndpoints: 'projects/*/locations/*' }]],
  },
  'firestore.googleapis.com': {
    protos: ['google.firestore.admin.v1', 'google.firestore.v1'],
    shared: [
      ['Operations.GetOperation', '/v1/projects/*/databases/*/operations/*', OPERATION],
      ['Operations.ListOperations', '/v1/projects/*/databases/*/operations', 'google.longrunning.ListOperationsResponse'],
      ['Locations.ListLocations', '/v1/projects/*/locations', 'google.cloud.location.ListLocationsResponse'],
      ['Locations.GetLocation', '/v1/projects/*/locations/*', 'google.cloud.location.Location'],
    ],
  },
  'iam.googleapis.com': { discovery: [['iam', 'v1']] },
  'iamcredentials.googleapis.com': { protos: ['google.iam.credentials.v1'] },
  'identitytoolkit.googleapis.com': {
    discovery: [['identitytoolkit', 'v2']],
    paths: Object.fromEntries(['getConfig', 'updateConfig'].map((verb) => [`identitytoolkit.projects.${verb}`, '/v2/projects/*/config'])),
  },
  'logging.googleapis.com': { protos: ['google.logging.v2'] },
  'monitoring.googleapis.com': { protos: ['google.monitoring.v3'] },
  'oauth2.googleapis.com': { discovery: [['oauth2', 'v2']] },
  'oslogin.googleapis.com': { protos: ['google.cloud.oslogin.v1'] },
  'secretmanager.googleapis.com': { discovery: [['secretmanager', 'v1']] },
  'serviceusage.googleapis.com': { discovery: [['serviceusage', 'v1', { services: 'projects/*' }]] },
  'storage.googleapis.com': { discovery: [['storage', 'v1']] },
  'sts.googleapis.com': { discovery: [['sts', 'v1']] },
}

const read = new Map<string, readonly GoogleMethod[]>()

/** Every described method of a service (`storage.googleapis.com`); undefined when no package describes it. Reading takes up to a second; it is remembered. */
export function describedMethods(service: string): readonly GoogleMethod[] | undefined {
  const source = sources[service]
  if (source === undefined) return undefined
  const known = read.get(service)
  if (known !== undefined) return known
  const methods = [
    ...(source.discovery ?? [])
      .flatMap(([name, version, parents]) => readDiscovery(name, version, parents))
      .map((method) => ({ ...method, paths: source.paths?.[method.id] === undefined ? method.paths : [source.paths[method.id] ?? ''] })),
    ...(source.protos ?? []).flatMap(readProtos),
    ...(source.shared ?? []).map(([id, path, reply]): GoogleMethod => ({ id, group: id.split('.')[0] ?? id, httpMethod: 'GET', paths: [path], reply: () => messageShape(reply) })),
  ]
  read.set(service, methods)
  return methods
}

function messageShape(name: string): Shape {
  const shape = findMessage(name)
  if (shape === undefined) throw new Error(`the protocol files have no ${name}`)
  return shape
}
