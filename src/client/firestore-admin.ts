/** Firestore's administration (REST v1): databases and composite indexes. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases */
import type { Operation } from './operations.ts'
import type { Transport } from './transport.ts'

export interface FirestoreDatabase {
  /** `projects/P/databases/D` */
  readonly name?: string
  readonly uid?: string
  readonly locationId?: string
  readonly type?: string
  readonly deleteProtectionState?: string
}

export interface FirestoreIndexField {
  readonly fieldPath?: string
  readonly order?: string
  readonly arrayConfig?: string
  readonly vectorConfig?: unknown
}

export interface FirestoreIndex {
  /** `projects/P/databases/D/collectionGroups/C/indexes/I` */
  readonly name?: string
  readonly queryScope?: string
  readonly apiScope?: string
  readonly state?: string
  readonly fields?: readonly FirestoreIndexField[]
}

interface CallOptions {
  readonly signal?: AbortSignal
}

/** Names are full resource names, as Google uses them. Every method throws as `Transport.send` does. */
export interface FirestoreAdmin {
  getDatabase(name: string, options?: CallOptions): Promise<FirestoreDatabase>
  listDatabases(projectId: string, options?: CallOptions): Promise<readonly FirestoreDatabase[]>
  createDatabase(projectId: string, databaseId: string, database: FirestoreDatabase, options?: CallOptions): Promise<Operation>
  patchDatabase(name: string, updateMask: string, database: FirestoreDatabase, options?: CallOptions): Promise<Operation>
  deleteDatabase(name: string, options?: CallOptions): Promise<Operation>
  /** All composite indexes of a collection group (all pages); `-` is every group. `name` is the database's. */
  listIndexes(name: string, collectionGroup: string, options?: CallOptions): Promise<readonly FirestoreIndex[]>
  getIndex(name: string, options?: CallOptions): Promise<FirestoreIndex>
  createIndex(name: string, collectionGroup: string, index: FirestoreIndex, options?: CallOptions): Promise<Operation>
  deleteIndex(name: string, options?: CallOptions): Promise<unknown>
  getOperation(name: string, options?: CallOptions): Promise<Operation>
}

const base = 'https://firestore.googleapis.com/v1'

/** Makes the client over a transport. */
export function createFirestoreAdmin(transport: Transport): FirestoreAdmin {
  const groupUrl = (name: string, collectionGroup: string): string => `${base}/${name}/collectionGroups/${encodeURIComponent(collectionGroup)}/indexes`
  return {
    getDatabase: (name, options) => transport.json('GET', `${base}/${name}`, options),
    async listDatabases(projectId, options) {
      const answer: { readonly databases?: readonly FirestoreDatabase[] } = await transport.json('GET', `${base}/projects/${projectId}/databases`, options)
      return answer.databases ?? []
    },
    createDatabase: (projectId, databaseId, database, options) =>
      transport.json('POST', `${base}/projects/${projectId}/databases?databaseId=${encodeURIComponent(databaseId)}`, { ...options, body: database }),
    patchDatabase: (name, updateMask, database, options) => transport.json('PATCH', `${base}/${name}?updateMask=${encodeURIComponent(updateMask)}`, { ...options, body: database }),
    deleteDatabase: (name, options) => transport.json('DELETE', `${base}/${name}`, options),
    async listIndexes(name, collectionGroup, options) {
      const indexes: FirestoreIndex[] = []
      let pageToken = ''
      do {
        const query = pageToken === '' ? '' : `?pageToken=${encodeURIComponent(pageToken)}`
        const page: { readonly indexes?: readonly FirestoreIndex[]; readonly nextPageToken?: string } = await transport.json(
          'GET',
          `${groupUrl(name, collectionGroup)}${query}`,
          options,
        )
        indexes.push(...(page.indexes ?? []))
        pageToken = page.nextPageToken ?? ''
      } while (pageToken !== '')
      return indexes
    },
    getIndex: (name, options) => transport.json('GET', `${base}/${name}`, options),
    createIndex: (name, collectionGroup, index, options) => transport.json('POST', groupUrl(name, collectionGroup), { ...options, body: index }),
    deleteIndex: (name, options) => transport.json('DELETE', `${base}/${name}`, options),
    getOperation: (name, options) => transport.json('GET', `${base}/${name}`, options),
  }
}
