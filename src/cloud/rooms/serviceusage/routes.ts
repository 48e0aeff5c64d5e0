/** Service Usage v1. https://cloud.google.com/service-usage/docs/reference/rest */
import { toLongRunning } from '../../kernel/operations.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { AnyRoute, Route } from '../../kernel/room.ts'
import { BatchEnableBody, DisableServiceBody } from './schema.ts'
import type { ServiceState, UsageResult, UsageService } from './service.ts'

const TYPES = 'type.googleapis.com/google.api.serviceusage.v1'
const SERVICES = '/v1/projects/:project/services'
/** What Google answers when there was nothing to do. */
const NOTHING_TO_DO = 'noop.DONE_OPERATION'

export function createServiceUsageRoutes(service: UsageService): readonly AnyRoute[] {
  const disable: Route<ReturnType<typeof DisableServiceBody.parse>> = {
    id: 'serviceusage.services.disable',
    method: 'POST',
    path: `${SERVICES}/:service(^[^:/]+)::disable`,
    permission: 'serviceusage.services.disable',
    body: DisableServiceBody,
    handler: ({ params, body, principal }) => render(service, service.disable(params['project'] ?? '', params['service'] ?? '', body.disableDependentServices === true, principal)),
  }
  const batchEnable: Route<ReturnType<typeof BatchEnableBody.parse>> = {
    id: 'serviceusage.services.batchEnable',
    method: 'POST',
    path: `${SERVICES}::batchEnable`,
    permission: 'serviceusage.services.enable',
    body: BatchEnableBody,
    handler: ({ params, body, principal }) => render(service, service.batchEnable(params['project'] ?? '', body.serviceIds, principal)),
  }
  return [
    disable,
    batchEnable,
    {
      id: 'serviceusage.services.enable',
      method: 'POST',
      path: `${SERVICES}/:service(^[^:/]+)::enable`,
      permission: 'serviceusage.services.enable',
      handler({ params, principal }) {
        const operation = service.enable(params['project'] ?? '', params['service'] ?? '', principal)
        if (operation !== undefined) return render(service, operation)
        return {
          name: `operations/${NOTHING_TO_DO}`,
          done: true,
          response: { '@type': `${TYPES}.EnableServiceResponse`, service: toService(service.get(params['project'] ?? '', params['service'] ?? '')) },
        }
      },
    },
    {
      id: 'serviceusage.services.list',
      method: 'GET',
      path: SERVICES,
      permission: 'serviceusage.services.list',
      handler({ params, query }) {
        const { items, nextPageToken } = service.list(params['project'] ?? '', query['filter'] ?? '', query)
        return { services: items.map(toService), nextPageToken }
      },
    },
    {
      id: 'serviceusage.services.batchGet',
      method: 'GET',
      path: `${SERVICES}::batchGet`,
      permission: 'serviceusage.services.get',
      handler: (request) => ({ services: service.batchGet(request.params['project'] ?? '', request.queryAll('names')).map(toService) }),
    },
    {
      id: 'serviceusage.services.get',
      method: 'GET',
      path: `${SERVICES}/:service`,
      permission: 'serviceusage.services.get',
      handler: ({ params }) => toService(service.get(params['project'] ?? '', params['service'] ?? '')),
    },
    {
      id: 'serviceusage.operations.get',
      method: 'GET',
      path: '/v1/operations/:operation',
      permission: 'authenticated',
      handler({ params, principal }) {
        if (params['operation'] === NOTHING_TO_DO) return { name: `operations/${NOTHING_TO_DO}`, done: true, response: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }
        return render(service, service.operation(params['operation'] ?? '', principal))
      },
    },
  ]
}

function toService({ project, service, enabled }: ServiceState): Record<string, unknown> {
  const parent = `projects/${project.projectNumber}`
  return {
    name: `${parent}/services/${service.name}`,
    config: { name: service.name, title: service.title, documentation: {}, quota: {}, authentication: {}, usage: {} },
    state: enabled ? 'ENABLED' : 'DISABLED',
    parent,
  }
}

function render(service: UsageService, operation: Operation): Record<string, unknown> {
  const shown = toLongRunning(operation, 'operations/', { '@type': `${TYPES}.OperationMetadata`, resourceNames: operation.target.split(',') })
  if (operation.response === undefined) return shown
  const { projectId, services } = operation.response as UsageResult
  // The state is the one that the operation made; what was changed since is not its business.
  const states = service.describe(projectId, services, operation.type !== 'DisableService').map(toService)
  if (operation.type === 'BatchEnableServices') return { ...shown, response: { '@type': `${TYPES}.BatchEnableServicesResponse`, services: states } }
  return { ...shown, response: { '@type': `${TYPES}.${operation.type}Response`, service: states[0] } }
}
