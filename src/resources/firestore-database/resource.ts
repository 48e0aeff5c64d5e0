/** What a Firestore database is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { FirestoreDatabaseProps } from './schema.ts'

export const firestoreDatabaseResource: Resource<FirestoreDatabaseProps> = {
  kind: 'firestore-database',
  identity: (props) => ({ projectId: props.projectId, database: props.database }),
  replacing: ['location', 'type'],
}

/** `projects/P/databases/D` */
export function databaseName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/databases/${part(identity, 'database')}`
}
