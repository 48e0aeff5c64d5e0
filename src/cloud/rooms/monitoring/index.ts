/** Cloud Monitoring: the requests at load balancers, which the compute room counts. Descriptor only. */
import type { Room } from '../../kernel/room.ts'
import { monitoringRoutes } from './routes.ts'
import { createTimeSeriesService } from './service.ts'

export function createMonitoringRoom(): Room {
  return {
    id: 'monitoring',
    service: 'monitoring.googleapis.com',
    hosts: [{ name: 'api', match: 'monitoring.googleapis.com' }],
    migrations: { namespace: 'monitoring', steps: [] },
    routes: (kernel) => monitoringRoutes(kernel, createTimeSeriesService(kernel)),
  }
}
