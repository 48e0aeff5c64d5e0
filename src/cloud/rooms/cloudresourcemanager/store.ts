/** What Resource Manager keeps about a project beside the kernel's record. */
import type { Database, Migrations } from '../../../store/database.ts'

export const resourceManagerMigrations: Migrations = {
  namespace: 'cloudresourcemanager',
  steps: ['CREATE TABLE project_times (project_id TEXT PRIMARY KEY, update_time TEXT NOT NULL, delete_time TEXT) STRICT'],
}

export interface ProjectTimes {
  readonly updateTime: string
  readonly deleteTime?: string
}

export interface ProjectStore {
  times(projectId: string): ProjectTimes | undefined
  setTimes(projectId: string, times: ProjectTimes): void
}

export function createProjectStore(database: Database): ProjectStore {
  return {
    times(projectId) {
      const row = database.get<{ update_time: string; delete_time: string | null }>('SELECT update_time, delete_time FROM project_times WHERE project_id = ?', projectId)
      if (row === undefined) return undefined
      return { updateTime: row.update_time, ...(row.delete_time === null ? {} : { deleteTime: row.delete_time }) }
    },
    setTimes(projectId, times) {
      database.run(
        'INSERT INTO project_times VALUES (?, ?, ?) ON CONFLICT (project_id) DO UPDATE SET update_time = excluded.update_time, delete_time = excluded.delete_time',
        projectId,
        times.updateTime,
        times.deleteTime ?? null,
      )
    },
  }
}
