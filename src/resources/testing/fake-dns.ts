/** Fakes of Cloud DNS: zones, and the record sets of one zone. */
import { FakeError, FakeTable } from './fake-google.ts'
import type { Body, FakeService, Route } from './fake-google.ts'

const zones = 'dns.googleapis.com/dns/v1/projects/{project}/managedZones'

export interface FakeDns extends FakeService {
  readonly table: FakeTable<Body>
}

/** Zones. One with `isFull` has record sets of others and cannot be deleted. */
export function fakeManagedZones(): FakeDns {
  const table = new FakeTable<Body>()
  const named = (path: Readonly<Record<string, string>>): string => path['zone'] ?? ''
  const routes: Route[] = [
    {
      method: 'POST',
      path: zones,
      answer: ({ body }) => table.insert(String(body['name']), { ...body, id: '7', nameServers: ['ns-cloud-a1.googledomains.com.'] }),
    },
    { method: 'GET', path: `${zones}/{zone}`, answer: ({ path }) => table.get(named(path)) },
    {
      method: 'PATCH',
      path: `${zones}/{zone}`,
      answer: ({ path, body }) => (Object.assign(table.get(named(path)), body), { kind: 'dns#operation', id: 'op-1', status: 'pending' }),
    },
    { method: 'GET', path: `${zones}/{zone}/operations/{op}`, answer: ({ path }) => ({ kind: 'dns#operation', id: path['op'], status: 'done' }) },
    {
      method: 'DELETE',
      path: `${zones}/{zone}`,
      answer({ path }) {
        if (table.get(named(path))['isFull'] === true) throw new FakeError(400, "cannot be deleted because it contains one or more 'resource records'.", 'containerNotEmpty')
        table.remove(named(path))
        return undefined
      },
    },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

/** Record sets, by `NAME/TYPE`. */
export function fakeRecordSets(): FakeDns {
  const table = new FakeTable<Body>()
  const sets = `${zones}/{zone}/rrsets`
  const key = (path: Readonly<Record<string, string>>): string => `${path['name']}/${path['type']}`
  const routes: Route[] = [
    { method: 'POST', path: sets, answer: ({ body }) => table.insert(`${String(body['name'])}/${String(body['type'])}`, { ...body }) },
    { method: 'GET', path: `${sets}/{name}/{type}`, answer: ({ path }) => table.get(key(path)) },
    { method: 'PATCH', path: `${sets}/{name}/{type}`, answer: ({ path, body }) => Object.assign(table.get(key(path)), body) },
    { method: 'DELETE', path: `${sets}/{name}/{type}`, answer: ({ path }) => (table.remove(key(path)), {}) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}
