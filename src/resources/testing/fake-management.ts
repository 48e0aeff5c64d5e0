/** Fakes of the services around a project: resource manager, billing, service usage, IAM, secrets, repositories. */
import { newEtag } from '../../base/ids.ts'
import { FakeError, FakeOperations, FakeTable } from './fake-google.ts'
import type { Body, FakeService, Route } from './fake-google.ts'

export interface FakeManagement extends FakeService {
  readonly table: FakeTable<Body>
}

const manager = 'cloudresourcemanager.googleapis.com/v1'

/** Projects of Resource Manager v1. */
export function fakeProjects(): FakeManagement {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const routes: Route[] = [
    {
      method: 'POST',
      path: `${manager}/projects`,
      answer: ({ body }) => (table.insert(String(body['projectId']), { ...body, projectNumber: '7', lifecycleState: 'ACTIVE' }), operations.start('operations')),
    },
    { method: 'GET', path: `${manager}/operations/{op}`, answer: ({ path }) => ({ name: `operations/${path['op']}`, done: true, response: {} }) },
    {
      method: 'GET',
      path: `${manager}/projects/{id}`,
      answer: ({ path }) => table.rows.get(path['id'] ?? '') ?? refuse(),
    },
    { method: 'PUT', path: `${manager}/projects/{id}`, answer: ({ path, body }) => Object.assign(table.get(path['id'] ?? ''), { name: body['name'], labels: body['labels'] }) },
    { method: 'DELETE', path: `${manager}/projects/{id}`, answer: ({ path }) => (Object.assign(table.get(path['id'] ?? ''), { lifecycleState: 'DELETE_REQUESTED' }), {}) },
    {
      method: 'POST',
      path: `${manager}/projects/{id}:undelete`,
      answer: ({ path }) => (Object.assign(table.get(path['id'] ?? ''), { lifecycleState: 'ACTIVE' }), {}),
      optional: true,
    },
  ]
  // a project on its way out keeps its id, but is nothing that lasts
  const lasting = ([, project]: [string, Body]) => project['lifecycleState'] === 'ACTIVE'
  return { table, routes, snapshot: () => Object.fromEntries([...table.rows].filter(lasting)) }
}

function refuse(): never {
  throw new FakeError(403, 'The caller does not have permission')
}

/** Billing links; the project itself is always there. */
export function fakeBilling(): FakeManagement {
  const table = new FakeTable<Body>()
  const path = 'cloudbilling.googleapis.com/v1/projects/{id}/billingInfo'
  const info = (id: string) => table.rows.get(id) ?? { projectId: id, billingAccountName: '', billingEnabled: false }
  const routes: Route[] = [
    { method: 'GET', path, answer: (request) => info(request.path['id'] ?? '') },
    {
      method: 'PUT',
      path,
      answer(request) {
        const id = request.path['id'] ?? ''
        if (request.body['billingAccountName'] === '') table.rows.delete(id)
        else table.rows.set(id, { projectId: id, billingAccountName: request.body['billingAccountName'], billingEnabled: true })
        return info(id)
      },
    },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

/** APIs of a project. */
export function fakeServices(): FakeManagement {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const base = 'serviceusage.googleapis.com/v1'
  const state = (id: string) => ({ name: id, state: table.rows.has(id) ? 'ENABLED' : 'DISABLED' })
  const routes: Route[] = [
    { method: 'GET', path: `${base}/projects/{id}/services/{service}`, answer: ({ path }) => state(path['service'] ?? '') },
    { method: 'POST', path: `${base}/projects/{id}/services/{service}:enable`, answer: ({ path }) => (table.rows.set(path['service'] ?? '', {}), operations.start('operations')) },
    { method: 'POST', path: `${base}/projects/{id}/services/{service}:disable`, answer: ({ path }) => (table.rows.delete(path['service'] ?? ''), operations.start('operations')) },
    { method: 'GET', path: `${base}/operations/{op}`, answer: ({ path }) => ({ name: `operations/${path['op']}`, done: true, response: {} }) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

/** Service accounts. */
export function fakeServiceAccounts(): FakeManagement {
  const table = new FakeTable<Body>()
  const base = 'iam.googleapis.com/v1/projects/{id}/serviceAccounts'
  const routes: Route[] = [
    {
      method: 'POST',
      path: base,
      answer({ path, body }) {
        const email = `${String(body['accountId'])}@${path['id']}.iam.gserviceaccount.com`
        return table.insert(email, { email, uniqueId: '11', ...(body['serviceAccount'] as Body) })
      },
    },
    { method: 'GET', path: `${base}/{email}`, answer: ({ path }) => table.get(path['email'] ?? '') },
    {
      method: 'PATCH',
      path: `${base}/{email}`,
      answer: ({ path, body }) => Object.assign(table.get(path['email'] ?? ''), pick(body['serviceAccount'] as Body, String(body['updateMask']))),
    },
    { method: 'DELETE', path: `${base}/{email}`, answer: ({ path }) => (table.remove(path['email'] ?? ''), {}) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

/** Containers of secrets. */
export function fakeSecrets(): FakeManagement {
  const table = new FakeTable<Body>()
  const base = 'secretmanager.googleapis.com/v1/projects/{id}/secrets'
  const routes: Route[] = [
    {
      method: 'POST',
      path: base,
      answer: ({ path, query, body }) => table.insert(query.get('secretId') ?? '', { ...body, name: `projects/${path['id']}/secrets/${query.get('secretId')}` }),
    },
    { method: 'GET', path: `${base}/{secret}`, answer: ({ path }) => table.get(path['secret'] ?? '') },
    { method: 'PATCH', path: `${base}/{secret}`, answer: ({ path, query, body }) => Object.assign(table.get(path['secret'] ?? ''), pick(body, query.get('updateMask') ?? '')) },
    { method: 'DELETE', path: `${base}/{secret}`, answer: ({ path }) => (table.remove(path['secret'] ?? ''), {}) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

export interface FakeSecretVersions extends FakeService {
  /** Oldest first; the number is the place plus one. */
  readonly versions: { state: string; data: string }[]
}

/** Versions of one secret. `routes` says whether old ones may be disabled too. */
export function fakeSecretVersions(kind: 'destroy' | 'all'): FakeSecretVersions {
  const versions: FakeSecretVersions['versions'] = []
  const base = 'secretmanager.googleapis.com/v1/projects/{id}/secrets/{secret}'
  const show = (index: number) => ({ name: `projects/7/secrets/token/versions/${index + 1}`, state: versions[index]?.state })
  const at = (version: string | undefined) => versions[Number(version) - 1] ?? absent()
  const change = (verb: string, state: string): Route => ({
    method: 'POST',
    path: `${base}/versions/{version}:${verb}`,
    answer: ({ path }) => (Object.assign(at(path['version']), { state, ...(state === 'DESTROYED' ? { data: '' } : {}) }), show(Number(path['version']) - 1)),
  })
  const routes: Route[] = [
    {
      method: 'POST',
      path: `${base}:addVersion`,
      answer({ body }) {
        const payload = body['payload'] as { data: string; dataCrc32c: string }
        if (!/^[0-9]+$/.test(payload.dataCrc32c)) throw new FakeError(400, 'no checksum')
        return show(versions.push({ state: 'ENABLED', data: Buffer.from(payload.data, 'base64').toString() }) - 1)
      },
    },
    { method: 'GET', path: `${base}/versions`, answer: () => (versions.length === 0 ? {} : { versions: versions.map((_version, index) => show(index)).toReversed() }) },
    {
      method: 'GET',
      path: `${base}/versions/{version}:access`,
      answer({ path }) {
        const { state, data } = at(path['version'])
        if (state !== 'ENABLED') throw new FakeError(400, 'the version is not enabled')
        return { payload: { data: Buffer.from(data).toString('base64') } }
      },
    },
    change('destroy', 'DESTROYED'),
    ...(kind === 'all' ? [change('disable', 'DISABLED')] : []),
  ]
  // what is destroyed is no more
  return { versions, routes, snapshot: () => versions.filter((version) => version.state !== 'DESTROYED') }
}

function absent(): never {
  throw new FakeError(404, 'there is no such version')
}

/** Python repositories. */
export function fakeRepositories(): FakeManagement {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const base = 'artifactregistry.googleapis.com/v1/projects/{id}/locations/{location}'
  const routes: Route[] = [
    {
      method: 'POST',
      path: `${base}/repositories`,
      answer: ({ query, body }) => (table.insert(query.get('repositoryId') ?? '', body), operations.start('projects/p/locations/l/operations')),
    },
    { method: 'GET', path: `${base}/operations/{op}`, answer: ({ path }) => ({ name: path['op'], done: true, response: {} }) },
    { method: 'GET', path: `${base}/repositories/{repository}`, answer: ({ path }) => table.get(path['repository'] ?? '') },
    {
      method: 'PATCH',
      path: `${base}/repositories/{repository}`,
      answer: ({ path, query, body }) => Object.assign(table.get(path['repository'] ?? ''), pick(body, query.get('updateMask') ?? '')),
    },
    {
      method: 'DELETE',
      path: `${base}/repositories/{repository}`,
      answer: ({ path }) => (table.remove(path['repository'] ?? ''), operations.start('projects/p/locations/l/operations')),
    },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

export interface FakePolicy extends FakeService {
  bindings: { role: string; members: string[]; condition?: unknown }[]
}

/** The policy of a bucket, which Cloud Storage keeps under a path of its own and takes without a wrapper. */
export function fakeBucketPolicy(): FakePolicy {
  const path = 'storage.googleapis.com/storage/v1/b/{bucket}/iam'
  const policy = fakePolicy('GET', '')
  const routes = policy.routes.map((route): Route => {
    if (route.method === 'GET') return { ...route, path }
    return { method: 'PUT', path, answer: (request) => route.answer({ ...request, body: { policy: request.body } }) }
  })
  return Object.assign(policy, { routes })
}

/** One policy with etags. Every third write meets somebody else's change and answers 409. */
export function fakePolicy(readMethod: 'GET' | 'POST', resource: string): FakePolicy {
  let etag = newEtag()
  let writes = 0
  const fake: FakePolicy = {
    bindings: [
      { role: 'roles/owner', members: ['user:ann@example.com'] },
      { role: 'roles/viewer', members: ['user:bob@example.com'], condition: { title: 'until May' } },
    ],
    routes: [
      { method: readMethod, path: `${resource}:getIamPolicy`, answer: () => ({ version: 3, etag, bindings: fake.bindings }) },
      {
        method: 'POST',
        path: `${resource}:setIamPolicy`,
        answer({ body }) {
          const policy = body['policy'] as { etag?: string; bindings: FakePolicy['bindings'] }
          writes += 1
          if (writes % 3 === 1) etag = newEtag()
          if (policy.etag !== etag) throw new FakeError(409, 'There were concurrent policy changes')
          etag = newEtag()
          fake.bindings = policy.bindings
          return policy
        },
      },
    ],
    snapshot: () => fake.bindings,
  }
  return fake
}

/** The fields that an update mask names. */
function pick(body: Body, mask: string): Body {
  return Object.fromEntries(mask.split(',').map((field) => [field, body[field]]))
}
