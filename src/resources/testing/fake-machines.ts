/** Fakes of Compute Engine's firewalls and instances, and of Cloud Storage. */
import { createHash } from 'node:crypto'
import { newEtag } from '../../base/ids.ts'
import { FakeError, FakeOperations, FakeTable } from './fake-google.ts'
import type { Body, FakeRequest, FakeService, Route } from './fake-google.ts'

const compute = 'compute.googleapis.com/compute/v1/projects/{project}'
const link = (path: string) => `https://www.googleapis.com/compute/v1/${path}`

export interface FakeFirewalls extends FakeService {
  readonly table: FakeTable<Body>
}

/** Firewall rules; links come back with another host, as on Google. */
export function fakeFirewalls(): FakeFirewalls {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const base = `${compute}/global/firewalls`
  const routes: Route[] = [
    {
      method: 'POST',
      path: base,
      answer({ body }) {
        table.insert(String(body['name']), { priority: 1000, ...body, network: link(String(body['network'])) })
        return operations.startCompute({})
      },
    },
    { method: 'GET', path: `${base}/{name}`, answer: ({ path }) => table.get(path['name'] ?? '') },
    { method: 'PATCH', path: `${base}/{name}`, answer: ({ path, body }) => (Object.assign(table.get(path['name'] ?? ''), body), operations.startCompute({})) },
    { method: 'DELETE', path: `${base}/{name}`, answer: ({ path }) => (table.remove(path['name'] ?? ''), operations.startCompute({})) },
    { method: 'POST', path: `${compute}/global/operations/{op}/wait`, answer: ({ path }) => ({ name: path['op'], status: 'DONE' }) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

interface Machine {
  status: string
  machineType: string
  image: string
  network: string
  tags: string[]
  labels: Record<string, string>
  metadata: { key: string; value: string }[]
  accounts: Body[]
  fingerprint: string
}

export interface FakeInstances extends FakeService {
  readonly table: FakeTable<Machine>
}

/** Instances with their boot disks. Fingerprints are checked, and what needs a stopped VM is refused on a running one. */
export function fakeInstances(): FakeInstances {
  const table = new FakeTable<Machine>()
  const operations = new FakeOperations()
  const base = `${compute}/zones/{zone}`
  const done = ({ path }: FakeRequest) => operations.startCompute({ zone: link(`projects/${path['project']}/zones/${path['zone']}`) })
  const machine = (request: FakeRequest) => table.get(request.path['name'] ?? '')
  const change = (verb: string, needs: 'stopped' | 'fingerprint' | 'nothing', edit: (vm: Machine, body: Body) => void): Route => ({
    method: 'POST',
    path: `${base}/instances/{name}/${verb}`,
    answer(request) {
      const vm = machine(request)
      if (needs === 'stopped' && vm.status !== 'TERMINATED') throw new FakeError(400, 'The instance must be stopped')
      const given = request.body['fingerprint'] ?? request.body['labelFingerprint']
      if (needs === 'fingerprint' && given !== vm.fingerprint) throw new FakeError(412, 'Fingerprint does not match')
      edit(vm, request.body)
      return done(request)
    },
  })
  const routes: Route[] = [
    {
      method: 'POST',
      path: `${base}/instances`,
      answer(request) {
        const { body } = request
        const disk = (body['disks'] as { initializeParams: { sourceImage: string } }[])[0]
        const nic = (body['networkInterfaces'] as { network: string }[])[0]
        table.insert(String(body['name']), {
          status: 'RUNNING',
          machineType: link(`projects/p/${String(body['machineType'])}`),
          image: link(disk?.initializeParams.sourceImage ?? ''),
          network: link(nic?.network ?? ''),
          tags: (body['tags'] as { items: string[] }).items,
          labels: { ...(body['labels'] as Record<string, string>), 'goog-added': 'x' },
          metadata: [...(body['metadata'] as { items: Machine['metadata'] }).items, { key: 'ssh-keys', value: 'ann:key' }],
          accounts: body['serviceAccounts'] as Body[],
          fingerprint: newEtag(),
        })
        return done(request)
      },
    },
    {
      method: 'GET',
      path: `${base}/instances/{name}`,
      answer(request) {
        const vm = machine(request)
        return {
          id: '5',
          name: request.path['name'],
          status: vm.status,
          machineType: vm.machineType,
          disks: [{ boot: true, source: link(`projects/p/zones/z/disks/${request.path['name']}`) }],
          networkInterfaces: [{ network: vm.network, networkIP: '10.0.0.2', accessConfigs: [{ natIP: '127.0.0.1' }] }],
          tags: { items: vm.tags, fingerprint: vm.fingerprint },
          labels: vm.labels,
          labelFingerprint: vm.fingerprint,
          metadata: { items: vm.metadata, fingerprint: vm.fingerprint },
          serviceAccounts: vm.accounts,
        }
      },
    },
    { method: 'GET', path: `${base}/disks/{name}`, answer: (request) => ({ sizeGb: '10', sourceImage: machine(request).image, sourceImageId: '3' }) },
    { method: 'DELETE', path: `${base}/instances/{name}`, answer: (request) => (table.remove(request.path['name'] ?? ''), done(request)) },
    { method: 'POST', path: `${base}/operations/{op}/wait`, answer: ({ path }) => ({ name: path['op'], status: 'DONE' }) },
    change('setLabels', 'fingerprint', (vm, body) => (vm.labels = body['labels'] as Machine['labels'])),
    change('setMetadata', 'fingerprint', (vm, body) => (vm.metadata = body['items'] as Machine['metadata'])),
    change('setTags', 'fingerprint', (vm, body) => (vm.tags = body['items'] as string[])),
    change('setMachineType', 'stopped', (vm, body) => (vm.machineType = link(`projects/p/${String(body['machineType'])}`))),
    change('setServiceAccount', 'stopped', (vm, body) => (vm.accounts = body['email'] === undefined ? [] : [body])),
    change('stop', 'nothing', (vm) => (vm.status = 'TERMINATED')),
    change('start', 'nothing', (vm) => (vm.status = 'RUNNING')),
  ]
  const lasting = ([name, vm]: [string, Machine]) => [name, { ...vm, fingerprint: '', metadata: vm.metadata.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }]
  return { table, routes, snapshot: () => Object.fromEntries([...table.rows].map(lasting)) }
}

interface StoredObject {
  content: string
  generation: number
  metadata: Record<string, string>
  contentType: string
}

export interface FakeStorage extends FakeService {
  readonly buckets: FakeTable<Body>
  readonly objects: FakeTable<StoredObject>
}

/** Buckets (names shared by everybody) and objects with generations. */
export function fakeStorage(parts: 'buckets' | 'objects'): FakeStorage {
  const buckets = new FakeTable<Body>()
  const objects = new FakeTable<StoredObject>()
  let generation = 100
  const base = 'storage.googleapis.com/storage/v1/b'
  const view = (name: string, object: StoredObject) => ({
    bucket: 'b',
    name,
    generation: String(object.generation),
    size: String(object.content.length),
    md5Hash: createHash('md5').update(object.content).digest('base64'),
    contentType: object.contentType,
    metadata: object.metadata,
  })
  const bucketRoutes: Route[] = [
    { method: 'POST', path: base, answer: ({ body }) => buckets.insert(String(body['name']), { ...body, location: String(body['location']).toUpperCase() }) },
    { method: 'GET', path: `${base}/{bucket}`, answer: ({ path }) => buckets.get(path['bucket'] ?? '') },
    {
      method: 'PATCH',
      path: `${base}/{bucket}`,
      answer({ path, body }) {
        const bucket = buckets.get(path['bucket'] ?? '')
        const labels = Object.entries({ ...(bucket['labels'] as Body), ...(body['labels'] as Body) }).filter(([, value]) => value !== null)
        return Object.assign(bucket, { labels: Object.fromEntries(labels), iamConfiguration: { ...(bucket['iamConfiguration'] as Body), ...(body['iamConfiguration'] as Body) } })
      },
    },
    {
      method: 'DELETE',
      path: `${base}/{bucket}`,
      answer({ path }) {
        buckets.get(path['bucket'] ?? '')
        if (objects.rows.size > 0) throw new FakeError(409, 'The bucket you tried to delete is not empty.')
        buckets.remove(path['bucket'] ?? '')
      },
    },
    {
      method: 'GET',
      path: `${base}/{bucket}/o`,
      answer({ path, query }) {
        buckets.get(path['bucket'] ?? '')
        // one object a page
        const names = [...objects.rows.keys()].toSorted().filter((name) => name > (query.get('pageToken') ?? ''))
        const [first] = names
        return first === undefined ? {} : { items: [view(first, objects.get(first))], ...(names.length > 1 ? { nextPageToken: first } : {}) }
      },
    },
  ]
  const objectRoutes: Route[] = [
    { method: 'GET', path: `${base}/{bucket}/o/{object}`, answer: ({ path }) => view(path['object'] ?? '', objects.get(path['object'] ?? '')) },
    {
      method: 'POST',
      path: 'storage.googleapis.com/upload/storage/v1/b/{bucket}/o',
      answer({ query, text }) {
        const name = query.get('name') ?? ''
        const [, head = '', content = ''] = /^--.*?\r\n\r\n(.*?)\r\n--.*?\r\n\r\n(.*)\r\n--.*--\r\n$/s.exec(text) ?? []
        const resource = JSON.parse(head) as { metadata: Record<string, string>; contentType: string }
        if (query.get('ifGenerationMatch') !== String(objects.rows.get(name)?.generation ?? 0)) throw new FakeError(412, 'generation')
        generation += 1
        objects.rows.set(name, { content, generation, metadata: resource.metadata, contentType: resource.contentType })
        return view(name, objects.get(name))
      },
    },
  ]
  const remove: Route = { method: 'DELETE', path: `${base}/{bucket}/o/{object}`, answer: ({ path }) => void objects.remove(path['object'] ?? ''), optional: parts === 'buckets' }
  return {
    buckets,
    objects,
    routes: parts === 'buckets' ? [...bucketRoutes, remove] : [...objectRoutes, remove],
    snapshot: () => ({ buckets: Object.fromEntries(buckets.rows), objects: Object.fromEntries([...objects.rows].map(([name, object]) => [name, { ...object, generation: 0 }])) }),
  }
}
