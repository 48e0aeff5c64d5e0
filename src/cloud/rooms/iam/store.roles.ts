/** Custom roles of projects. */
import type { Database } from '../../../store/database.ts'

export interface RoleRecord {
  readonly projectId: string
  readonly roleId: string
  readonly title: string
  readonly description: string
  readonly includedPermissions: readonly string[]
  /** ALPHA, BETA, GA, DEPRECATED, DISABLED or EAP. */
  readonly stage: string
  readonly etag: string
  /** RFC 3339; set while it can still be undeleted, and its id stays taken. */
  readonly deletedAt?: string
}

export const roleTables =
  'CREATE TABLE custom_roles (project_id TEXT NOT NULL, role_id TEXT NOT NULL, record TEXT NOT NULL, deleted_at TEXT, PRIMARY KEY (project_id, role_id)) STRICT'

export interface RoleStore {
  role(projectId: string, roleId: string): RoleRecord | undefined
  /** By id, deleted ones too. */
  roles(projectId: string): readonly RoleRecord[]
  put(role: RoleRecord): void
  /** Forgets what was deleted before this time (RFC 3339). */
  purge(before: string): void
}

export function createRoleStore(database: Database): RoleStore {
  return {
    role(projectId, roleId) {
      const row = database.get<{ record: string }>('SELECT record FROM custom_roles WHERE project_id = ? AND role_id = ?', projectId, roleId)
      return row === undefined ? undefined : (JSON.parse(row.record) as RoleRecord)
    },
    roles: (projectId) =>
      database.all<{ record: string }>('SELECT record FROM custom_roles WHERE project_id = ? ORDER BY role_id', projectId).map((row) => JSON.parse(row.record) as RoleRecord),
    put(role) {
      database.run(
        'INSERT INTO custom_roles VALUES (?, ?, ?, ?) ON CONFLICT (project_id, role_id) DO UPDATE SET record = excluded.record, deleted_at = excluded.deleted_at',
        role.projectId,
        role.roleId,
        JSON.stringify(role),
        role.deletedAt ?? null,
      )
    },
    purge: (before) => void database.run('DELETE FROM custom_roles WHERE deleted_at < ?', before),
  }
}
