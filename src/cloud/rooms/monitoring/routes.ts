/** The route of time series. https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list */
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute } from '../../kernel/room.ts'
import type { TimeSeriesService } from './service.ts'

export function monitoringRoutes(kernel: Kernel, service: TimeSeriesService): readonly AnyRoute[] {
  return [
    {
      id: 'monitoring.projects.timeSeries.list',
      method: 'GET',
      path: '/v3/projects/:project/timeSeries',
      permission: 'monitoring.timeSeries.list',
      handler(request) {
        const project = request.params['project'] ?? ''
        const series = service.list(kernel.projects.find(project)?.projectId ?? project, request.query)
        const { items, nextPageToken } = page(
          series.toSorted((left, right) => (left.key < right.key ? -1 : 1)),
          request.query,
          ({ key }) => key,
          { size: 1000, max: 100_000 },
        )
        return { timeSeries: items.length === 0 ? undefined : items.map(({ body }) => body), nextPageToken, unit: '1' }
      },
    },
  ]
}
