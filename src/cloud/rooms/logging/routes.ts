/** Routes of entries and logs. https://cloud.google.com/logging/docs/reference/v2/rest */
import { page } from '../../kernel/paging.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { AnyRoute, Route } from '../../kernel/room.ts'
import { ListBody, WriteBody } from './schema.ts'
import type { LogService } from './service.ts'

const LOGS = '/v2/projects/:project/logs'

export function loggingRoutes(kernel: Kernel, logs: LogService): readonly AnyRoute[] {
  const write: Route<WriteBody> = {
    id: 'logging.entries.write',
    method: 'POST',
    path: '/v2/entries::write',
    permission: 'authenticated',
    body: WriteBody,
    handler(request) {
      for (const project of logs.projectsOf(request.body)) request.require('logging.logEntries.create', { projectId: kernel.projects.find(project)?.projectId ?? project })
      logs.write(request.body)
      return {}
    },
  }
  const list: Route<ListBody> = {
    id: 'logging.entries.list',
    method: 'POST',
    path: '/v2/entries::list',
    permission: 'authenticated',
    body: ListBody,
    handler(request) {
      const projectIds = logs.readProjects(request.body)
      for (const projectId of projectIds) request.require('logging.logEntries.list', { projectId })
      const { entries, nextPageToken } = logs.list(projectIds, request.body)
      return { entries: entries.length === 0 ? undefined : entries, nextPageToken }
    },
  }
  return [
    write,
    list,
    {
      id: 'logging.projects.logs.list',
      method: 'GET',
      path: LOGS,
      permission: 'logging.logs.list',
      handler(request) {
        const { items, nextPageToken } = page(logs.logs(request.params['project'] ?? ''), request.query, (name) => name, { size: 50, max: 1000 })
        return { logNames: items.length === 0 ? undefined : items, nextPageToken }
      },
    },
    {
      id: 'logging.projects.logs.delete',
      method: 'DELETE',
      path: `${LOGS}/:log`,
      permission: 'logging.logs.delete',
      handler(request) {
        logs.removeLog(request.params['project'] ?? '', request.params['log'] ?? '')
        return {}
      },
    },
  ]
}
