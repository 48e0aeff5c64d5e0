/** The token endpoint under all its names, token info, user info and key sets. */
import type { Principal } from '../../kernel/principal.ts'
import type { Route, AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { OauthError } from './errors.ts'
import { RevokeRequest, TokenInfoRequest, TokenRequest } from './schema.ts'
import { JWT_BEARER } from './service.ts'
import type { OauthService } from './service.ts'

export function createOauthRoutes(service: OauthService): readonly AnyRoute[] {
  return [
    tokenRoute(service, 'api', '/token'),
    tokenRoute(service, 'www', '/oauth2/v4/token'),
    tokenRoute(service, 'accounts', '/o/oauth2/token'),
    tokenRoute(service, 'accounts', '/o/oauth2/v2/token'),
    revokeRoute(service, 'POST', 'api', '/revoke'),
    revokeRoute(service, 'POST', 'accounts', '/o/oauth2/revoke'),
    revokeRoute(service, 'GET', 'accounts', '/o/oauth2/revoke'),
    ...tokenInfoRoutes(service, 'api', '/tokeninfo'),
    ...tokenInfoRoutes(service, 'www', '/oauth2/v1/tokeninfo', 'v1'),
    ...tokenInfoRoutes(service, 'www', '/oauth2/v2/tokeninfo', 'v2'),
    ...tokenInfoRoutes(service, 'www', '/oauth2/v3/tokeninfo'),
    { id: 'oauth2.discovery', method: 'GET', host: 'accounts', path: '/.well-known/openid-configuration', permission: 'public', handler: () => service.discovery() },
    { id: 'oauth2.certs', method: 'GET', host: 'www', path: '/oauth2/v3/certs', permission: 'public', handler: () => service.keySet() },
    { id: 'oauth2.certs', method: 'GET', host: 'www', path: '/oauth2/v1/certs', permission: 'public', handler: () => service.certificates() },
    ...['/robot/v1/metadata/x509', '/service_accounts/v1/metadata/x509'].map((path): AnyRoute => ({
      id: 'oauth2.serviceAccountCertificates',
      method: 'GET',
      host: 'www',
      path: `${path}/:account`,
      permission: 'public',
      handler: ({ params }) => service.certificates(params['account'] ?? ''),
    })),
    ...['/service_accounts/v1/jwk', '/service_accounts/v1/metadata/jwk', '/robot/v1/metadata/jwk'].map((path): AnyRoute => ({
      id: 'oauth2.serviceAccountKeys',
      method: 'GET',
      host: 'www',
      path: `${path}/:account`,
      permission: 'public',
      handler: ({ params }) => service.keySet(params['account'] ?? ''),
    })),
    ...(['GET', 'POST'] as const).flatMap((method) => [
      userInfoRoute(method, 'openid', '/v1/userinfo', service.userInfo),
      userInfoRoute(method, 'www', '/oauth2/v3/userinfo', service.userInfo),
      userInfoRoute(method, 'www', '/oauth2/v2/userinfo', service.oldUserInfo),
      userInfoRoute(method, 'www', '/oauth2/v1/userinfo', service.oldUserInfo),
    ]),
    userInfoRoute('GET', 'www', '/userinfo/v2/me', service.oldUserInfo),
  ]
}

function userInfoRoute(method: 'GET' | 'POST', host: string, path: string, answer: (principal: Principal) => Record<string, unknown>): AnyRoute {
  return { id: 'oauth2.userinfo', method, host, path, permission: 'authenticated', handler: ({ principal }) => answer(principal) }
}

function tokenRoute(service: OauthService, host: string, path: string): AnyRoute {
  const route: Route<ReturnType<typeof TokenRequest.parse>> = {
    id: 'oauth2.token',
    method: 'POST',
    host,
    path,
    permission: 'public',
    body: TokenRequest,
    handler: (request) =>
      answer(request, async () => {
        const { grant_type: grantType, assertion, refresh_token: refreshToken } = request.body
        if (grantType === JWT_BEARER) return service.jwtBearer(required(assertion, 'assertion'))
        if (grantType === 'refresh_token') return service.refresh(required(refreshToken, 'refresh_token'))
        throw new OauthError('unsupported_grant_type', `Invalid grant_type: ${grantType ?? ''}`)
      }),
  }
  return route
}

function revokeRoute(service: OauthService, method: 'GET' | 'POST', host: string, path: string): AnyRoute {
  const route: Route<ReturnType<typeof RevokeRequest.parse>> = {
    id: 'oauth2.revoke',
    method,
    host,
    path,
    permission: 'public',
    body: RevokeRequest,
    handler: (request) => answer(request, async () => service.revoke(required(request.body.token ?? request.query['token'], 'token'))),
  }
  return route
}

function tokenInfoRoutes(service: OauthService, host: string, path: string, version?: 'v1' | 'v2'): readonly AnyRoute[] {
  const id = 'oauth2.tokeninfo'
  const info = (request: RouteRequest<unknown>, given: ReturnType<typeof TokenInfoRequest.parse>): Promise<unknown> =>
    answer(request, async () => {
      if (given.id_token !== undefined) return version === 'v1' || version === 'v2' ? service.oldIdTokenInfo(given.id_token) : service.idTokenInfo(given.id_token)
      const token = required(given.access_token, 'access_token')
      if (version === 'v1') return { ...service.oldAccessTokenInfo(token), access_type: service.accessTokenInfo(token)['access_type'] }
      return version === 'v2' ? service.oldAccessTokenInfo(token) : service.accessTokenInfo(token)
    })
  const post: Route<ReturnType<typeof TokenInfoRequest.parse>> = {
    id,
    method: 'POST',
    host,
    path,
    permission: 'public',
    body: TokenInfoRequest,
    handler: (request) => info(request, { access_token: request.query['access_token'], id_token: request.query['id_token'], ...request.body }),
  }
  return [post, { id, method: 'GET', host, path, permission: 'public', handler: (request) => info(request, TokenInfoRequest.parse(request.query)) }]
}

/** Answers with what `work` gives, or with its error in OAuth's form; never to be cached. */
async function answer({ reply }: Pick<RouteRequest, 'reply'>, work: () => Promise<Record<string, unknown>>): Promise<unknown> {
  void reply.header('cache-control', 'no-store')
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof OauthError)) throw error
    void reply.code(error.httpStatus)
    return { error: error.error, error_description: error.message }
  }
}

function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new OauthError('invalid_request', `Missing required parameter: ${name}`)
  return value
}
