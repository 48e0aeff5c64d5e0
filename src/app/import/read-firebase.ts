/** The Firestore database with its indexes and rules, and sign-in. */
import { ownDomains } from '../../resources/identity-platform/resource.ts'
import type { FirestoreIndexInput, StackInput } from '../../config/stack-input.ts'
import { isAbsent } from '../../client/errors.ts'
import { all, lastPart, one } from './reading.ts'
import type { Foreign, Part, Reader, Reading } from './reading.ts'

type Auth = NonNullable<StackInput['auth']>
type Firestore = NonNullable<StackInput['firestore']>

export const rulesFile = 'firestore.rules'

export const readFirestore: Reader = async (reading): Promise<Part> => {
  const { projectId, signal } = reading
  const databases = await orNone(() => reading.clients.firestoreAdmin.listDatabases(projectId, { signal }))
  const foreign: Foreign[] = databases
    .filter((database) => lastPart(database.name) !== '(default)')
    .map((database) => ({ what: `firestore databases ${lastPart(database.name)}`, why: 'a stack has the database (default) alone' }))
  const own = databases.find((database) => lastPart(database.name) === '(default)')
  if (own === undefined) return { section: {}, foreign }
  if (own.type !== 'FIRESTORE_NATIVE') {
    foreign.push({ what: 'firestore databases (default)', why: `it is of the type ${own.type ?? ''}` })
    return { section: {}, foreign }
  }
  const indexes = await readIndexes(reading, foreign)
  const rules = await readRules(reading, foreign)
  const firestore: Firestore = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked with the whole draft
    location: (own.locationId ?? '') as Firestore['location'],
    ...(rules === undefined ? {} : { rules: `./${rulesFile}` }),
    ...(indexes.length === 0 ? {} : { indexes }),
    ...(own.deleteProtectionState === 'DELETE_PROTECTION_ENABLED' ? {} : { deleteProtection: false }),
  }
  return { section: { firestore }, foreign, files: rules === undefined ? {} : { [rulesFile]: rules } }
}

async function readIndexes(reading: Reading, foreign: Foreign[]): Promise<FirestoreIndexInput[]> {
  const found = await orNone(() => reading.clients.firestoreAdmin.listIndexes(`projects/${reading.projectId}/databases/(default)`, '-', { signal: reading.signal }))
  const indexes: FirestoreIndexInput[] = []
  for (const { name = '', queryScope, apiScope, fields = [] } of found) {
    const collectionGroup = name.split('/')[5] ?? ''
    const implied = fields.findLast((field) => field.fieldPath !== '__name__' && field.order !== undefined)?.order ?? 'ASCENDING'
    const own = fields.filter((field, at) => field.fieldPath !== '__name__' || at < fields.length - 1 || field.order !== implied)
    const isPlain = (apiScope ?? 'ANY_API') === 'ANY_API' && own.every((field) => field.order !== undefined || field.arrayConfig === 'CONTAINS')
    if (!isPlain || (queryScope !== 'COLLECTION' && queryScope !== 'COLLECTION_GROUP')) {
      foreign.push({ what: `firestore indexes composite ${lastPart(name)} of ${collectionGroup}`, why: 'it is no index over orders and arrays' })
      continue
    }
    const shown = own.map(({ fieldPath = '', order }) => {
      if (order === 'ASCENDING' || order === 'DESCENDING') return { fieldPath, order } as const
      return { fieldPath, arrayConfig: 'CONTAINS' } as const
    })
    indexes.push({ collectionGroup, ...(queryScope === 'COLLECTION' ? {} : { queryScope }), fields: shown })
  }
  return indexes
}

async function readRules(reading: Reading, foreign: Foreign[]): Promise<string | undefined> {
  const url = `https://firebaserules.googleapis.com/v1/projects/${reading.projectId}`
  const releases = await all<{ readonly name?: string; readonly rulesetName?: string }>(reading, `${url}/releases`, 'releases')
  const nameOf = (release: { readonly name?: string }): string => (release.name ?? '').split('/releases/')[1] ?? ''
  foreign.push(
    ...releases
      .filter((release) => nameOf(release) !== 'cloud.firestore')
      .map((release) => ({ what: `Firebase rules ${nameOf(release)}`, why: 'a stack has rules for Firestore alone' })),
  )
  const own = releases.find((release) => nameOf(release) === 'cloud.firestore')
  if (own === undefined) return undefined
  const ruleset = await one<{ readonly source?: { readonly files?: readonly { readonly content?: string }[] } }>(reading, `${url}/rulesets/${lastPart(own.rulesetName)}`)
  const [file, ...more] = ruleset?.source?.files ?? []
  if (more.length > 0) foreign.push({ what: 'Firebase rules cloud.firestore', why: `they have ${more.length + 1} files; the draft has the first` })
  return file?.content
}

export const readAuth: Reader = async (reading, { server }): Promise<Part> => {
  const { projectId } = reading
  const base = `https://identitytoolkit.googleapis.com/v2/projects/${projectId}`
  interface Config {
    readonly authorizedDomains?: readonly string[]
    readonly signIn?: Readonly<Record<string, { readonly enabled?: boolean }>>
  }
  const config = await one<Config>(reading, `${base}/config`)
  if (config === undefined) return { section: {} }
  interface Provider {
    readonly name?: string
    readonly enabled?: boolean
    readonly clientId?: string
  }
  const idps = await all<Provider>(reading, `${base}/defaultSupportedIdpConfigs`, 'defaultSupportedIdpConfigs')
  const google = idps.find((idp) => lastPart(idp.name) === 'google.com' && idp.enabled === true)
  const foreign = idps.filter((idp) => idp !== google).map((idp) => ({ what: `identity provider ${lastPart(idp.name)}`, why: 'the config knows google alone, and only enabled' }))
  const methods = [
    ['email', 'email'],
    ['phoneNumber', 'phone'],
    ['anonymous', 'anonymous'],
  ] as const
  const providers: Auth['providers'] = methods.flatMap(([key, provider]) => (config.signIn?.[key]?.enabled === true ? [provider] : []))
  if (google !== undefined) providers.push('google')
  if (providers.length === 0) return { section: {}, foreign }
  const known = [...ownDomains(projectId), ...(server?.domains ?? [])]
  const domains = (config.authorizedDomains ?? []).filter((domain) => !known.includes(domain))
  const auth: Auth = {
    providers,
    ...(domains.length === 0 ? {} : { authorizedDomains: domains }),
    ...(google === undefined ? {} : { google: { clientId: google.clientId ?? '', clientSecret: 'env:GOOGLE_CLIENT_SECRET' } }),
  }
  return { section: { auth }, foreign, comments: google === undefined ? {} : { 'auth.google': 'the secret stays where it is; the variable is only needed to set another one' } }
}

async function orNone<T>(read: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await read()
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}
