/** Security Token Service v1. https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel */
import type { AnyRoute, Route } from '../../kernel/room.ts'
import { ExchangeError } from './errors.ts'
import { IntrospectBody, TokenBody } from './schema.ts'
import type { StsService } from './service.ts'

export function createStsRoutes(service: StsService): readonly AnyRoute[] {
  const introspect: Route<ReturnType<typeof IntrospectBody.parse>> = {
    id: 'sts.introspect',
    method: 'POST',
    path: '/v1/introspect',
    permission: 'public',
    body: IntrospectBody,
    handler: ({ body }) => service.introspect(body.token ?? ''),
  }
  return [tokenRoute(service, '/v1/token'), tokenRoute(service, '/v1beta/token'), introspect]
}

function tokenRoute(service: StsService, path: string): AnyRoute {
  const route: Route<ReturnType<typeof TokenBody.parse>> = {
    id: 'sts.token',
    method: 'POST',
    path,
    permission: 'public',
    body: TokenBody,
    async handler({ body, reply }) {
      void reply.header('cache-control', 'no-store')
      try {
        return await service.exchange(body)
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error
        void reply.code(400)
        return { error: error.error, error_description: error.message }
      }
    },
  }
  return route
}
