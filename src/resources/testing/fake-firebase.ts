/** Fakes of Firestore's administration, Firebase Rules and Identity Platform. */
import { FakeError, FakeOperations, FakeTable } from './fake-google.ts'
import type { Body, FakeService, Route } from './fake-google.ts'

const firestore = 'firestore.googleapis.com/v1/projects/{project}/databases'

/** Databases with delete protection. */
export function fakeDatabases(): FakeService & { readonly table: FakeTable<Body> } {
  const table = new FakeTable<Body>()
  const operations = new FakeOperations()
  const start = () => operations.start('projects/p/databases/(default)/operations')
  const routes: Route[] = [
    { method: 'POST', path: firestore, answer: ({ query, body }) => (table.insert(query.get('databaseId') ?? '', { ...body }), start()) },
    { method: 'GET', path: `${firestore}/{database}/operations/{op}`, answer: ({ path }) => ({ name: path['op'], done: true, response: {} }) },
    { method: 'GET', path: `${firestore}/{database}`, answer: ({ path }) => table.get(path['database'] ?? '') },
    {
      method: 'PATCH',
      path: `${firestore}/{database}`,
      answer({ path, query, body }) {
        if (query.get('updateMask') !== 'deleteProtectionState') throw new FakeError(400, 'another mask')
        Object.assign(table.get(path['database'] ?? ''), body)
        return start()
      },
    },
    {
      method: 'DELETE',
      path: `${firestore}/{database}`,
      answer({ path }) {
        if (table.get(path['database'] ?? '')['deleteProtectionState'] === 'DELETE_PROTECTION_ENABLED') throw new FakeError(400, 'Delete protection is enabled')
        table.remove(path['database'] ?? '')
        return start()
      },
    },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

export interface FakeIndexes extends FakeService {
  readonly indexes: Body[]
  /** Somebody else's index, whose building is done when it was asked for once. */
  readonly begin: (collection: string, index: Body) => void
}

/** Composite indexes: Google names them and ends them with the document's name. */
export function fakeIndexes(): FakeIndexes {
  const indexes: Body[] = []
  const operations = new FakeOperations()
  const group = `${firestore}/{database}/collectionGroups/{collection}/indexes`
  let count = 0
  const add = (collection: string, index: Body): Body => {
    count += 1
    const fields = index['fields'] as Body[]
    const order = fields.findLast((field) => field['order'] !== undefined)?.['order'] ?? 'ASCENDING'
    const made = { ...index, apiScope: 'ANY_API', name: `projects/p/databases/(default)/collectionGroups/${collection}/indexes/${count}`, state: 'CREATING' }
    indexes.push(Object.assign(made, { fields: [...fields, { fieldPath: '__name__', order }] }))
    return made
  }
  const at = (name: string): number => indexes.findIndex((index) => String(index['name']).endsWith(`/${name}`))
  const routes: Route[] = [
    {
      method: 'GET',
      path: group,
      answer() {
        const shown = structuredClone(indexes)
        for (const index of indexes) if (index['state'] === 'CREATING') index['state'] = 'READY'
        return shown.length === 0 ? {} : { indexes: shown }
      },
    },
    {
      method: 'POST',
      path: group,
      answer({ path, body }) {
        const shape = JSON.stringify(body['fields'])
        if (indexes.some((index) => JSON.stringify((index['fields'] as Body[]).slice(0, -1)) === shape)) throw new FakeError(409, 'index already exists')
        add(path['collection'] ?? '', body)
        return operations.start('projects/p/databases/(default)/operations')
      },
    },
    {
      method: 'GET',
      path: `${firestore}/{database}/operations/{op}`,
      answer({ path }) {
        for (const index of indexes) index['state'] = 'READY'
        return { name: path['op'], done: true, response: {} }
      },
    },
    { method: 'GET', path: `${group}/{index}`, answer: ({ path }) => indexes[at(path['index'] ?? '')] ?? missing() },
    { method: 'DELETE', path: `${group}/{index}`, answer: ({ path }) => (at(path['index'] ?? '') < 0 ? missing() : (indexes.splice(at(path['index'] ?? ''), 1), {})) },
  ]
  return { indexes, begin: (collection, index) => void add(collection, index), routes, snapshot: () => indexes.map(({ name: _name, ...rest }) => rest) }
}

export interface FakeRules extends FakeService {
  /** Gives the new ruleset's id. */
  readonly add: (file: string, content: string) => string
  readonly release: (name: string, rulesetId: string) => void
  /** How often the list was asked for. */
  readonly listed: () => number
}

/** Rulesets and releases; `part` says which routes a test uses. */
export function fakeRules(part: 'rulesets' | 'releases' | 'both'): FakeRules {
  const rulesets = new Map<string, Body>()
  const releases = new FakeTable<string>()
  const base = 'firebaserules.googleapis.com/v1/projects/{project}'
  let count = 0
  let listed = 0
  const add = (files: unknown): string => {
    count += 1
    rulesets.set(String(count), { name: `projects/p/rulesets/${count}`, source: { files } })
    return String(count)
  }
  const show = (name: string) => ({ name: `projects/p/releases/${name}`, rulesetName: `projects/p/rulesets/${releases.get(name)}` })
  const idOf = (name: unknown) => String(name).split('/').at(-1) ?? ''
  const routes: Route[] = [
    { method: 'POST', path: `${base}/rulesets`, answer: ({ body }) => rulesets.get(add((body['source'] as Body)['files'])) },
    {
      method: 'GET',
      path: `${base}/rulesets`,
      answer() {
        listed += 1
        return { rulesets: [...rulesets.values()].map(({ name }) => ({ name })).toReversed() }
      },
    },
    { method: 'GET', path: `${base}/rulesets/{id}`, answer: ({ path }) => rulesets.get(path['id'] ?? '') ?? missing() },
    { method: 'DELETE', path: `${base}/rulesets/{id}`, answer: ({ path }) => (rulesets.delete(path['id'] ?? '') ? {} : missing()) },
    { method: 'GET', path: `${base}/releases/{name}`, answer: ({ path }) => show(path['name'] ?? '') },
    { method: 'POST', path: `${base}/releases`, answer: ({ body }) => (releases.insert(idOf(body['name']), idOf(body['rulesetName'])), show(idOf(body['name']))) },
    {
      method: 'PATCH',
      path: `${base}/releases/{name}`,
      answer({ path, body }) {
        releases.get(path['name'] ?? '')
        releases.rows.set(path['name'] ?? '', idOf((body['release'] as Body)['rulesetName']))
        return show(path['name'] ?? '')
      },
    },
    { method: 'DELETE', path: `${base}/releases/{name}`, answer: ({ path }) => (releases.remove(path['name'] ?? ''), {}) },
  ]
  const isUsed = (route: Route) => part === 'both' || route.path.includes(`/${part}`) || (part === 'rulesets' && route.method === 'GET')
  return {
    routes: routes.filter(isUsed),
    add: (name, content) => add([{ name, content }]),
    release: (name, rulesetId) => void releases.rows.set(name, rulesetId),
    listed: () => listed,
    snapshot: () => ({ rulesets: [...rulesets.values()].map((ruleset) => ruleset['source']), releases: Object.fromEntries(releases.rows) }),
  }
}

export interface FakeIdentityPlatform extends FakeService {
  /** Identity providers, which only count here. */
  readonly providers: FakeTable<Body>
  readonly change: (part: Body) => void
}

const identity = 'identitytoolkit.googleapis.com/v2/projects/{project}'

/** A project's sign-in: off until it is initialised, then for ever on. */
export function fakeIdentityPlatform(): FakeIdentityPlatform {
  const providers = new FakeTable<Body>()
  let config: Body | undefined
  const own = ['localhost', 'p.firebaseapp.com', 'p.web.app']
  const live = (): Body => config ?? missing()
  const routes: Route[] = [
    {
      method: 'POST',
      path: `${identity}/identityPlatform:initializeAuth`,
      answer() {
        if (config !== undefined) throw new FakeError(400, 'INVALID_PROJECT_ID : Identity Platform has already been enabled for this project.')
        config = { signIn: {}, authorizedDomains: own }
        return {}
      },
    },
    { method: 'GET', path: `${identity}/config`, answer: live },
    {
      method: 'PATCH',
      path: `${identity}/config`,
      answer({ query, body }) {
        if (query.get('updateMask') !== 'signIn.email,signIn.phoneNumber,signIn.anonymous,authorizedDomains') throw new FakeError(400, 'another mask')
        return Object.assign(live(), body)
      },
    },
    { method: 'GET', path: `${identity}/defaultSupportedIdpConfigs`, answer: () => ({ defaultSupportedIdpConfigs: [...providers.rows.values()] }) },
  ]
  const methods = ({ signIn }: Body) => Object.entries(signIn as Record<string, Body>).flatMap(([method, { enabled }]) => (enabled === true ? [method] : []))
  const isOn = (live: Body) => methods(live).length > 0 || (live['authorizedDomains'] as string[]).length > own.length
  return {
    providers,
    routes,
    change: (changes) => void Object.assign(live(), changes),
    // a service that is on without a method lasts, and is nothing of ours
    snapshot: () => (config === undefined || !isOn(config) ? {} : { methods: methods(config), domains: config['authorizedDomains'] }),
  }
}

/** Identity providers with their secrets, which Google shows to those who may see them. */
export function fakeIdentityProviders(): FakeService & { readonly table: FakeTable<Body> } {
  const table = new FakeTable<Body>()
  const base = `${identity}/defaultSupportedIdpConfigs`
  const routes: Route[] = [
    { method: 'POST', path: base, answer: ({ query, body }) => table.insert(query.get('idpId') ?? '', { ...body }) },
    { method: 'GET', path: `${base}/{idp}`, answer: ({ path }) => table.get(path['idp'] ?? '') },
    {
      method: 'PATCH',
      path: `${base}/{idp}`,
      answer: ({ path, query, body }) =>
        Object.assign(table.get(path['idp'] ?? ''), Object.fromEntries((query.get('updateMask') ?? '').split(',').map((field) => [field, body[field]]))),
    },
    { method: 'DELETE', path: `${base}/{idp}`, answer: ({ path }) => (table.remove(path['idp'] ?? ''), {}) },
  ]
  return { table, routes, snapshot: () => Object.fromEntries(table.rows) }
}

function missing(): never {
  throw new FakeError(404, 'Requested entity was not found.')
}
