/** Documents, one row each. */
import type { Database } from '../../../../store/database.ts'
import type { Fields } from './value.ts'

/** Added to the room's migrations. */
export const documentTables = `CREATE TABLE firestore_documents (
   uid TEXT NOT NULL REFERENCES firestore_databases (uid) ON DELETE CASCADE, path TEXT NOT NULL, parent TEXT NOT NULL, collection TEXT NOT NULL,
   create_time TEXT NOT NULL, update_time TEXT NOT NULL, fields TEXT NOT NULL,
   PRIMARY KEY (uid, path)
 ) STRICT;
 CREATE INDEX firestore_documents_parent ON firestore_documents (uid, parent);
 CREATE INDEX firestore_documents_collection ON firestore_documents (uid, collection)`

export interface StoredDocument {
  /** Below `documents/`: `users/ann`. */
  readonly path: string
  /** RFC 3339 with microseconds. */
  readonly createTime: string
  readonly updateTime: string
  readonly fields: Fields
}

interface DocumentRow {
  path: string
  create_time: string
  update_time: string
  fields: string
}

export interface DocumentStore {
  find(uid: string, path: string): StoredDocument | undefined
  /** Documents directly in a collection, by the collection's path. */
  inCollection(uid: string, collectionPath: string): readonly StoredDocument[]
  /** All below a document (or everywhere, for the empty path), in any depth; only of collections with this id, when it is given. */
  below(uid: string, documentPath: string, collectionId: string | undefined): readonly StoredDocument[]
  put(uid: string, document: StoredDocument): void
  remove(uid: string, path: string): void
  /** The latest time at which anything was written, empty when nothing was. */
  latest(): string
}

export function createDocumentStore(database: Database): DocumentStore {
  return {
    find(uid, path) {
      const row = database.get<DocumentRow>('SELECT * FROM firestore_documents WHERE uid = ? AND path = ?', uid, path)
      return row === undefined ? undefined : toDocument(row)
    },
    inCollection: (uid, collectionPath) => database.all<DocumentRow>('SELECT * FROM firestore_documents WHERE uid = ? AND parent = ?', uid, collectionPath).map(toDocument),
    below(uid, documentPath, collectionId) {
      const prefix = documentPath === '' ? '' : `${documentPath}/`
      // 0 is the character after /, so that this is the range of all paths with the prefix.
      const [from, to] = prefix === '' ? ['', '\u{10FFFF}'] : [prefix, `${documentPath}0`]
      return database
        .all<DocumentRow>(
          'SELECT * FROM firestore_documents WHERE uid = ? AND path >= ? AND path < ? AND (? IS NULL OR collection = ?)',
          uid,
          from,
          to,
          collectionId ?? null,
          collectionId ?? null,
        )
        .map(toDocument)
    },
    put(uid, document) {
      const parent = document.path.slice(0, document.path.lastIndexOf('/'))
      database.run(
        `INSERT INTO firestore_documents VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (uid, path) DO UPDATE SET create_time = excluded.create_time, update_time = excluded.update_time, fields = excluded.fields`,
        uid,
        document.path,
        parent,
        parent.slice(parent.lastIndexOf('/') + 1),
        document.createTime,
        document.updateTime,
        JSON.stringify(document.fields),
      )
    },
    remove: (uid, path) => void database.run('DELETE FROM firestore_documents WHERE uid = ? AND path = ?', uid, path),
    latest: () => database.get<{ latest: string | null }>('SELECT max(update_time) AS latest FROM firestore_documents')?.latest ?? '',
  }
}

function toDocument(row: DocumentRow): StoredDocument {
  return { path: row.path, createTime: row.create_time, updateTime: row.update_time, fields: JSON.parse(row.fields) as Fields }
}
