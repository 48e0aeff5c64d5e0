/** Projects and which services each has enabled: every room needs both, so the kernel keeps them. */
import type { Database, Migrations } from '../../store/database.ts'
import { ApiError, serviceDisabled } from './api-error.ts'

export interface Project {
  readonly projectId: string
  /** Decimal text, 12 digits. */
  readonly projectNumber: string
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'ACTIVE' | 'DELETE_REQUESTED'
  /** RFC 3339. */
  readonly createTime: string
}

export const projectMigrations: Migrations = {
  namespace: 'kernel.projects',
  steps: [
    `CREATE TABLE projects (project_id TEXT PRIMARY KEY, project_number TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL, labels TEXT NOT NULL, state TEXT NOT NULL, create_time TEXT NOT NULL) STRICT;
     CREATE TABLE enabled_services (project_id TEXT NOT NULL REFERENCES projects, service TEXT NOT NULL, PRIMARY KEY (project_id, service)) STRICT`,
  ],
}

interface ProjectRow {
  project_id: string
  project_number: string
  display_name: string
  labels: string
  state: Project['state']
  create_time: string
}

export type ServiceListener = (project: Project, service: string) => void

export interface Projects {
  /** By id or by number; deleted ones too (look at `state`). */
  find(idOrNumber: string): Project | undefined
  list(): readonly Project[]
  insert(project: Project): void
  update(project: Project): void
  /** Services that this project enabled, sorted. */
  enabledServices(projectId: string): readonly string[]
  /** Runs the listeners inside the same transaction when a service becomes enabled that was not. */
  setService(projectId: string, service: string, enabled: boolean): void
  /** Called once for each service that a project newly enables; must be synchronous. Rooms make there what Google makes (the default service account of Compute Engine). */
  onServiceEnabled(listener: ServiceListener): void
  /** @throws ApiError 403 SERVICE_DISABLED in Google's words. */
  requireService(projectId: string, service: string): void
  /** The project, when it exists and is not being deleted. `service` is who asks, for the error. @throws ApiError 403 CONSUMER_INVALID, as Google does not tell missing from forbidden. */
  requireActive(idOrNumber: string, service: string): Project
}

export function createProjects(database: Database): Projects {
  database.migrate(projectMigrations)
  const listeners: ServiceListener[] = []

  const find = database.remember((idOrNumber): Project | undefined => {
    const row = database.get<ProjectRow>('SELECT * FROM projects WHERE project_id = ? OR project_number = ?', idOrNumber, idOrNumber)
    return row === undefined ? undefined : toProject(row)
  })

  const enabledServices = database.remember((projectId): readonly string[] =>
    database.all<{ service: string }>('SELECT service FROM enabled_services WHERE project_id = ? ORDER BY service', projectId).map((row) => row.service),
  )

  return {
    find,
    list: () => database.all<ProjectRow>('SELECT * FROM projects ORDER BY project_id').map(toProject),
    insert(project) {
      database.run(
        'INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?)',
        project.projectId,
        project.projectNumber,
        project.displayName,
        JSON.stringify(project.labels),
        project.state,
        project.createTime,
      )
    },
    update(project) {
      database.run(
        'UPDATE projects SET display_name = ?, labels = ?, state = ? WHERE project_id = ?',
        project.displayName,
        JSON.stringify(project.labels),
        project.state,
        project.projectId,
      )
    },
    enabledServices,
    setService(projectId, service, enabled) {
      if (!enabled) {
        database.run('DELETE FROM enabled_services WHERE project_id = ? AND service = ?', projectId, service)
        return
      }
      database.transaction(() => {
        const changed = database.run('INSERT OR IGNORE INTO enabled_services VALUES (?, ?)', projectId, service)
        const project = find(projectId)
        if (changed === 0 || project === undefined) return
        for (const listener of listeners) listener(project, service)
      })
    },
    onServiceEnabled: (listener) => void listeners.push(listener),
    requireService(projectId, service) {
      if (enabledServices(projectId).includes(service)) return
      throw serviceDisabled(service, projectId, find(projectId)?.projectNumber ?? projectId)
    },
    requireActive(idOrNumber, service) {
      const project = find(idOrNumber)
      if (project !== undefined && project.state === 'ACTIVE') return project
      throw new ApiError('PERMISSION_DENIED', `Permission denied on resource project ${idOrNumber}: the project does not exist, or it is being deleted.`, {
        details: [
          { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'CONSUMER_INVALID', domain: 'googleapis.com', metadata: { consumer: `projects/${idOrNumber}`, service } },
        ],
      })
    },
  }
}

function toProject(row: ProjectRow): Project {
  return {
    projectId: row.project_id,
    projectNumber: row.project_number,
    displayName: row.display_name,
    labels: JSON.parse(row.labels) as Record<string, string>,
    state: row.state,
    createTime: row.create_time,
  }
}
