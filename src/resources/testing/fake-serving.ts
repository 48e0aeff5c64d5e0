/** Fakes of what a load balancer is made of: global collections of Compute Engine, instance templates and managed groups. */
import { newEtag } from '../../base/ids.ts'
import { FakeError, FakeOperations, FakeTable } from './fake-google.ts'
import type { Body, FakeRequest, FakeService, Route } from './fake-google.ts'

const project = 'compute.googleapis.com/compute/v1/projects/{project}'

export interface FakeCollection extends FakeService {
  readonly table: FakeTable<Body>
  /** Somebody else's change: with a new fingerprint, as every change has. */
  readonly meddle: (name: string, change: Body) => void
}

interface CollectionShape {
  /** `urlMaps` */
  readonly collection: string
  /** Default: `global`. */
  readonly scope?: string
  /** Changes must send the current fingerprint. */
  readonly fingerprinted?: boolean
  readonly changes?: 'PUT' | 'PATCH'
  /** Labels are set by their own method alone, as Google documents for addresses and forwarding rules. */
  readonly labelled?: boolean
  /** Fields that the cloud adds to a new one. */
  readonly added?: (body: Body) => Body
  /** `POST …/{name}/{verb}`; `path` where Google has it elsewhere. */
  readonly verbs?: readonly { readonly verb: string; readonly path?: string; readonly edit: (row: Body, request: FakeRequest) => void }[]
}

/** One collection. Links come back as whole URLs, whatever was sent. */
export function fakeCollection(shape: CollectionShape): FakeCollection {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const scope = shape.scope ?? 'global'
  const base = `${project}/${scope}/${shape.collection}`
  const row = (request: FakeRequest): Body => table.get(request.path['name'] ?? '')
  const done = ({ path }: FakeRequest): Body =>
    operations.startCompute(scope === 'global' ? {} : { zone: `https://www.googleapis.com/compute/v1/projects/${path['project']}/zones/${path['zone']}` })
  const put = (name: string, fields: Body): void => {
    const { labels: _labels, ...rest } = fields
    table.rows.set(name, { ...(withLinks(shape.labelled === true ? rest : fields) as Body), fingerprint: newEtag() })
  }
  const routes: Route[] = [
    {
      method: 'POST',
      path: base,
      answer(request) {
        const name = String(request.body['name'])
        table.insert(name, {})
        const selfLink = `projects/${request.path['project']}/${scope.replace('{zone}', request.path['zone'] ?? '')}/${shape.collection}/${name}`
        put(name, { ...request.body, ...shape.added?.(request.body), selfLink, ...(shape.labelled === true ? { labelFingerprint: newEtag() } : {}) })
        return done(request)
      },
    },
    { method: 'GET', path: `${base}/{name}`, answer: row },
    { method: 'DELETE', path: `${base}/{name}`, answer: (request) => (table.remove(request.path['name'] ?? ''), done(request)) },
    { method: 'POST', path: `${project}/${scope}/operations/{op}/wait`, answer: ({ path }) => ({ name: path['op'], status: 'DONE' }) },
  ]
  if (shape.changes !== undefined) {
    routes.push({
      method: shape.changes,
      path: `${base}/{name}`,
      answer(request) {
        const live = row(request)
        if (shape.fingerprinted === true && request.body['fingerprint'] !== live['fingerprint']) throw new FakeError(412, 'Invalid fingerprint.')
        const kept = shape.changes === 'PATCH' ? live : { selfLink: live['selfLink'] }
        put(String(live['name']), { ...kept, ...request.body, ...shape.added?.({ ...kept, ...request.body }) })
        return done(request)
      },
    })
  }
  for (const { verb, path, edit } of shape.verbs ?? []) {
    routes.push({ method: 'POST', path: path ?? `${base}/{name}/${verb}`, answer: (request) => (edit(row(request), request), done(request)) })
  }
  if (shape.labelled === true) {
    routes.push({
      method: 'POST',
      path: `${base}/{name}/setLabels`,
      answer(request) {
        const live = row(request)
        if (request.body['labelFingerprint'] !== live['labelFingerprint']) throw new FakeError(412, 'Labels fingerprint either invalid or resource labels have changed')
        Object.assign(live, { labels: request.body['labels'], labelFingerprint: newEtag() })
        return done(request)
      },
    })
  }
  return {
    table,
    routes,
    meddle: (name, change) => void Object.assign(table.get(name), withLinks(change), { fingerprint: newEtag(), labelFingerprint: newEtag() }),
    snapshot: () => Object.fromEntries([...table.rows].map(([name, fields]) => [name, { ...fields, fingerprint: '', labelFingerprint: '' }])),
  }
}

/** Addresses that are reserved globally. */
export function fakeGlobalAddresses(): FakeCollection {
  return fakeCollection({ collection: 'addresses', labelled: true, added: () => ({ address: '203.0.113.7', status: 'RESERVED' }) })
}

export function fakeHealthChecks(): FakeCollection {
  return fakeCollection({ collection: 'healthChecks', changes: 'PUT' })
}

export function fakeBackendServices(): FakeCollection {
  return fakeCollection({ collection: 'backendServices', changes: 'PATCH', fingerprinted: true })
}

export function fakeUrlMaps(): FakeCollection {
  return fakeCollection({ collection: 'urlMaps', changes: 'PUT', fingerprinted: true })
}

export function fakeTargetHttpProxies(): FakeCollection {
  return fakeCollection({
    collection: 'targetHttpProxies',
    // its path has no `global/`
    verbs: [{ verb: 'setUrlMap', path: `${project}/targetHttpProxies/{name}/setUrlMap`, edit: (row, { body }) => void Object.assign(row, withLinks(body)) }],
  })
}

export function fakeTargetHttpsProxies(): FakeCollection {
  const verb = (name: string) => ({
    verb: name,
    path: `${project}/targetHttpsProxies/{name}/${name}`,
    edit: (row: Body, { body }: FakeRequest) => void Object.assign(row, withLinks(body)),
  })
  return fakeCollection({ collection: 'targetHttpsProxies', verbs: [verb('setUrlMap'), verb('setSslCertificates')] })
}

/** Managed ones wait for their signature. */
export function fakeSslCertificates(): FakeCollection {
  return fakeCollection({ collection: 'sslCertificates', added: (body) => ({ managed: { ...(body['managed'] as Body), status: 'PROVISIONING' } }) })
}

export function fakeForwardingRules(): FakeCollection {
  return fakeCollection({
    collection: 'forwardingRules',
    labelled: true,
    added: (body) => ({ portRange: `${String(body['portRange'])}-${String(body['portRange'])}` }),
    verbs: [{ verb: 'setTarget', edit: (row, { body }) => void Object.assign(row, withLinks(body)) }],
  })
}

export function fakeInstanceTemplates(): FakeCollection {
  return fakeCollection({ collection: 'instanceTemplates' })
}

/** Managed groups with their unmanaged halves, which hold the named ports. */
export function fakeInstanceGroups(): FakeCollection {
  const fake = fakeCollection({
    collection: 'instanceGroupManagers',
    scope: 'zones/{zone}',
    changes: 'PATCH',
    fingerprinted: true,
    added: (body) => ({
      instanceGroup: `projects/p/zones/us-central1-c/instanceGroups/${String(body['name'])}`,
      updatePolicy: withCalculated(body['updatePolicy'] as Body),
      versions: body['versions'] ?? [{ instanceTemplate: body['instanceTemplate'] }],
    }),
    verbs: [{ verb: 'resize', edit: (row, { query }) => void Object.assign(row, { targetSize: Number(query.get('size')), fingerprint: newEtag() }) }],
  })
  const operations = new FakeOperations()
  const group = `${project}/zones/{zone}/instanceGroups/{name}`
  return {
    ...fake,
    routes: [
      ...fake.routes,
      { method: 'GET', path: group, answer: ({ path }) => ({ fingerprint: JSON.stringify(fake.table.get(path['name'] ?? '')['namedPorts']) }) },
      {
        method: 'POST',
        path: `${group}/setNamedPorts`,
        answer({ path, body }) {
          const row = fake.table.get(path['name'] ?? '')
          if (body['fingerprint'] !== JSON.stringify(row['namedPorts'])) throw new FakeError(412, 'Fingerprint does not match')
          Object.assign(row, { namedPorts: body['namedPorts'], fingerprint: newEtag() })
          return operations.startCompute({ zone: `https://www.googleapis.com/compute/v1/projects/${path['project']}/zones/${path['zone']}` })
        },
      },
    ],
  }
}

function withCalculated(policy: Body): Body {
  return { ...policy, maxSurge: { ...(policy['maxSurge'] as Body), calculated: 1 }, maxUnavailable: { ...(policy['maxUnavailable'] as Body), calculated: 0 } }
}

/** Paths as the whole URLs that Google answers with. */
function withLinks(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith('projects/') ? `https://www.googleapis.com/compute/v1/${value}` : value
  if (Array.isArray(value)) return value.map(withLinks)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withLinks(member)]))
}
