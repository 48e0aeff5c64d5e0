/** What a composite index is, without a cloud: its whole shape is its identity, since Google chooses its name. */
import type { FirestoreIndex, FirestoreIndexField } from '../../client/firestore-admin.ts'
import type { Resource } from '../resource.ts'
import type { FirestoreIndexProps } from './schema.ts'

export const firestoreIndexResource: Resource<FirestoreIndexProps> = {
  kind: 'firestore-index',
  identity: (props) => ({
    projectId: props.projectId,
    database: props.database,
    collectionGroup: props.collectionGroup,
    queryScope: props.queryScope,
    fields: indexFields(props.fields),
  }),
  replacing: ['state'],
}

/** `user ASCENDING, tags CONTAINS`. Google adds the document's name at the end, in the direction of the last ordered field; it is not written here. */
export function indexFields(fields: readonly FirestoreIndexField[]): string {
  const own = fields.filter((field) => field.fieldPath !== '__name__')
  const implied = own.findLast((field) => field.order !== undefined)?.order ?? 'ASCENDING'
  const shown = fields.filter((field, index) => field.fieldPath !== '__name__' || index < fields.length - 1 || field.order !== implied)
  return shown.map((field) => `${field.fieldPath ?? ''} ${field.order ?? field.arrayConfig ?? 'VECTOR'}`).join(', ')
}

/** True when a live index has the shape that an identity names. */
export function hasShape(identity: Readonly<Record<string, string>>, index: FirestoreIndex): boolean {
  const isNative = index.apiScope === undefined || index.apiScope === 'ANY_API'
  return isNative && (index.queryScope ?? 'COLLECTION') === identity['queryScope'] && indexFields(index.fields ?? []) === identity['fields']
}
