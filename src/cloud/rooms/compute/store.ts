/** Rows of the compute room: one table for every kind of resource, since all are a name in a scope with a JSON record. */
import type { Database, Migrations } from '../../../store/database.ts'

export const computeMigrations: Migrations = {
  namespace: 'compute',
  steps: [
    `CREATE TABLE compute_resources (
       project_id TEXT NOT NULL, scope TEXT NOT NULL, collection TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
       record TEXT NOT NULL, hidden TEXT NOT NULL, PRIMARY KEY (project_id, scope, collection, name)) STRICT;
     CREATE INDEX compute_resources_by_collection ON compute_resources (collection);
     CREATE TABLE compute_requests (project_id TEXT NOT NULL, request_id TEXT NOT NULL, operation TEXT NOT NULL, PRIMARY KEY (project_id, request_id)) STRICT`,
  ],
}

/** One resource. `record` is what Google's API shows; `hidden` is what only this room knows. */
export interface Resource<Fields extends object = object, Hidden extends object = object> {
  readonly projectId: string
  readonly scope: string
  readonly collection: string
  readonly name: string
  readonly id: string
  readonly record: Fields
  readonly hidden: Hidden
}

interface ResourceRow {
  project_id: string
  scope: string
  collection: string
  name: string
  id: string
  record: string
  hidden: string
}

export interface Key {
  readonly projectId: string
  readonly scope: string
  readonly collection: string
  readonly name: string
}

export interface ComputeStore {
  get(key: Key): Resource | undefined
  /** By the numeric id, which never comes back after a delete. */
  byId(id: string): Resource | undefined
  /** Sorted by scope and name; every project and scope by default. */
  list(collection: string, projectId?: string, scope?: string): readonly Resource[]
  insert(resource: Resource): void
  /** Replaces record and hidden fields of the row with this id; false when it is gone. */
  update(resource: Resource): boolean
  remove(id: string): void
  /** The operation that an earlier call with this requestId started. */
  findRequest(projectId: string, requestId: string): string | undefined
  saveRequest(projectId: string, requestId: string, operation: string): void
}

export function createComputeStore(database: Database): ComputeStore {
  return {
    get(key) {
      const row = database.get<ResourceRow>(
        'SELECT * FROM compute_resources WHERE project_id = ? AND scope = ? AND collection = ? AND name = ?',
        key.projectId,
        key.scope,
        key.collection,
        key.name,
      )
      return row === undefined ? undefined : toResource(row)
    },
    byId(id) {
      const row = database.get<ResourceRow>('SELECT * FROM compute_resources WHERE id = ?', id)
      return row === undefined ? undefined : toResource(row)
    },
    list: (collection, projectId, scope) =>
      database
        .all<ResourceRow>(
          'SELECT * FROM compute_resources WHERE collection = ? AND (? IS NULL OR project_id = ?) AND (? IS NULL OR scope = ?) ORDER BY scope, name',
          collection,
          projectId ?? null,
          projectId ?? null,
          scope ?? null,
          scope ?? null,
        )
        .map(toResource),
    insert(resource) {
      database.run(
        'INSERT INTO compute_resources VALUES (?, ?, ?, ?, ?, ?, ?)',
        resource.projectId,
        resource.scope,
        resource.collection,
        resource.name,
        resource.id,
        JSON.stringify(resource.record),
        JSON.stringify(resource.hidden),
      )
    },
    update: (resource) =>
      database.run('UPDATE compute_resources SET record = ?, hidden = ? WHERE id = ?', JSON.stringify(resource.record), JSON.stringify(resource.hidden), resource.id) > 0,
    remove: (id) => void database.run('DELETE FROM compute_resources WHERE id = ?', id),
    findRequest: (projectId, requestId) =>
      database.get<{ operation: string }>('SELECT operation FROM compute_requests WHERE project_id = ? AND request_id = ?', projectId, requestId)?.operation,
    saveRequest: (projectId, requestId, operation) => void database.run('INSERT OR REPLACE INTO compute_requests VALUES (?, ?, ?)', projectId, requestId, operation),
  }
}

function toResource(row: ResourceRow): Resource {
  return {
    projectId: row.project_id,
    scope: row.scope,
    collection: row.collection,
    name: row.name,
    id: row.id,
    record: JSON.parse(row.record) as object,
    hidden: JSON.parse(row.hidden) as object,
  }
}
