/** Routes of a project's configuration, of public keys and of refresh tokens. https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects */
import type { Kernel } from '../../kernel/kernel.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { authError } from './errors.ts'
import { ConfigBody, TokenBody } from './schema.ts'
import type { ConfigService } from './service.config.ts'
import { TOKEN_SIGNER } from './service.tokens.ts'
import type { UserTokenService } from './service.tokens.ts'
import type { StoredConfig } from './store.ts'

const PROJECT = '/v2/projects/:project'

export function configRoutes(kernel: Kernel, configs: ConfigService, tokens: UserTokenService): readonly AnyRoute[] {
  const show = (request: RouteRequest<unknown>, stored: StoredConfig): Record<string, unknown> =>
    configs.present(stored, kernel.policies.can(request.principal, 'firebaseauth.configs.getHashConfig', { projectId: stored.projectId }))
  const patch: Route<ConfigBody> = {
    id: 'identitytoolkit.projects.updateConfig',
    method: 'PATCH',
    path: `${PROJECT}/config`,
    permission: 'firebaseauth.configs.update',
    body: ConfigBody,
    handler: (request) => show(request, configs.change(param(request, 'project'), request.body, request.query['updateMask'])),
  }
  const refresh: Route<TokenBody> = {
    id: 'securetoken.token',
    method: 'POST',
    host: 'securetoken',
    path: '/v1/token',
    permission: 'public',
    body: TokenBody,
    async handler(request) {
      const config = configs.ofKey(apiKeyOf(request))
      if ((request.body.grant_type ?? request.body.grantType) !== 'refresh_token') throw authError('INVALID_GRANT_TYPE')
      const refreshToken = request.body.refresh_token ?? request.body.refreshToken
      if (typeof refreshToken !== 'string' || refreshToken === '') throw authError('MISSING_REFRESH_TOKEN')
      const session = await tokens.refresh(config.projectId, refreshToken)
      return {
        access_token: session.idToken,
        expires_in: session.expiresIn,
        token_type: 'Bearer',
        refresh_token: session.refreshToken,
        id_token: session.idToken,
        user_id: session.account.localId,
        project_id: kernel.projects.find(config.projectId)?.projectNumber,
      }
    },
  }
  const keyRoute = (id: string, path: string, read: () => Promise<Record<string, unknown>>): AnyRoute => ({
    id,
    method: 'GET',
    host: 'keys',
    path: `${path}/:account`,
    permission: 'public',
    handler(request) {
      void request.reply.header('cache-control', 'public, max-age=3600, must-revalidate, no-transform')
      return read()
    },
  })
  return [
    {
      id: 'identitytoolkit.projects.identityPlatform.initializeAuth',
      method: 'POST',
      path: `${PROJECT}/identityPlatform::initializeAuth`,
      permission: 'firebaseauth.configs.create',
      handler(request) {
        configs.initialize(param(request, 'project'))
        return {}
      },
    },
    {
      id: 'identitytoolkit.projects.getConfig',
      method: 'GET',
      path: `${PROJECT}/config`,
      permission: 'firebaseauth.configs.get',
      handler: (request) => show(request, configs.get(param(request, 'project'))),
    },
    patch,
    refresh,
    keyRoute('identitytoolkit.tokenCertificates', '/robot/v1/metadata/x509', () => tokens.certificates()),
    keyRoute('identitytoolkit.tokenKeys', '/service_accounts/v1/jwk', () => tokens.keySet()),
  ]
}

/** On www.googleapis.com only the signer of user tokens is ours; other accounts' keys are the oauth2 room's. */
export const KEY_PATHS = new RegExp(`^/(robot/v1/metadata/x509|service_accounts/v1/jwk)/${TOKEN_SIGNER.replaceAll('.', String.raw`\.`).replace('@', '(@|%40)')}(\\?|$)`, 'i')

/** A path parameter that the route has. */
export function param(request: { readonly params: Readonly<Record<string, string>> }, name: string): string {
  return request.params[name] ?? ''
}

/** Apps send their key in the query or in a header. */
export function apiKeyOf(request: RouteRequest<unknown>): string | undefined {
  const header = request.headers['x-goog-api-key']
  return request.query['key'] ?? (typeof header === 'string' ? header : undefined)
}
