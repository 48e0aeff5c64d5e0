/** Fakes of workload identity pools and their providers, which stay for 30 days after they are deleted. */
import { FakeError, FakeOperations, FakeTable } from './fake-google.ts'
import type { Body, FakeService, Route } from './fake-google.ts'

export interface FakeFederation extends FakeService {
  readonly table: FakeTable<Body>
}

const pools = 'iam.googleapis.com/v1/projects/{project}/locations/global/workloadIdentityPools'

export function fakePools(): FakeFederation {
  return fakeSoftDeleted(pools, 'workloadIdentityPoolId', 'projects/7/locations/global/workloadIdentityPools')
}

export function fakeProviders(): FakeFederation {
  return fakeSoftDeleted(`${pools}/{pool}/providers`, 'workloadIdentityPoolProviderId', 'projects/7/locations/global/workloadIdentityPools/github/providers')
}

function fakeSoftDeleted(base: string, idParameter: string, parent: string): FakeFederation {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const active = (id: string | undefined): Body => {
    const row = table.get(id ?? '')
    if (row['state'] === 'DELETED') throw new FakeError(400, 'The resource is deleted')
    return row
  }
  const start = (id: string | undefined) => operations.start(`${parent}/${id}/operations`)
  const routes: Route[] = [
    {
      method: 'POST',
      path: base,
      answer({ query, body }) {
        const id = query.get(idParameter) ?? ''
        table.insert(id, { ...body, name: `${parent}/${id}`, state: 'ACTIVE' })
        return start(id)
      },
    },
    { method: 'GET', path: `${base}/{id}/operations/{op}`, answer: ({ path }) => ({ name: path['op'], done: true, response: {} }) },
    { method: 'GET', path: `${base}/{id}`, answer: ({ path }) => table.get(path['id'] ?? '') },
    {
      method: 'PATCH',
      path: `${base}/{id}`,
      answer({ path, query, body }) {
        const row = active(path['id'])
        for (const field of (query.get('updateMask') ?? '').split(',')) {
          const [first = ''] = field.split('.')
          if (body[first] === false) delete row[first]
          else row[first] = body[first]
        }
        return start(path['id'])
      },
    },
    { method: 'DELETE', path: `${base}/{id}`, answer: ({ path }) => (Object.assign(active(path['id']), { state: 'DELETED' }), start(path['id'])) },
    {
      method: 'POST',
      path: `${base}/{id}:undelete`,
      answer: ({ path }) => (Object.assign(table.get(path['id'] ?? ''), { state: 'ACTIVE' }), start(path['id'])),
      optional: true,
    },
  ]
  return { table, routes, snapshot: () => Object.fromEntries([...table.rows].filter(([, row]) => row['state'] === 'ACTIVE')) }
}
