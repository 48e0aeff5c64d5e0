/** IAM Service Account Credentials v1. https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { AccessTokenBody, IdTokenBody, SignBlobBody, SignJwtBody } from './schema.ts'
import type { CredentialsService } from './service.ts'

const ACCOUNT = '/v1/projects/:project/serviceAccounts/:account(^[^:/]+)'

interface Common {
  readonly delegates?: readonly string[] | null | undefined
}

export function createCredentialsRoutes(service: CredentialsService): readonly AnyRoute[] {
  const target = ({ params }: Pick<RouteRequest, 'params'>): Target => {
    const name = params['account'] ?? ''
    const account = service.find(name)
    return account === undefined ? { resource: `projects/-/serviceAccounts/${name}` } : service.targetOf(account)
  }
  const accountOf = (permission: string, request: RouteRequest<Common>): string => {
    const name = nameOf(request)
    if (hasDelegates(request)) service.checkChain(request.principal, request.body.delegates ?? [], name, permission)
    return name
  }
  const accessToken: Route<ReturnType<typeof AccessTokenBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.generateAccessToken',
    method: 'POST',
    path: `${ACCOUNT}::generateAccessToken`,
    permission: 'iam.serviceAccounts.getAccessToken',
    target,
    isOpen: hasDelegates,
    body: AccessTokenBody,
    handler: (request) => service.accessToken(accountOf('iam.serviceAccounts.getAccessToken', request), request.body.scope, request.body.lifetime ?? undefined),
  }
  const idToken: Route<ReturnType<typeof IdTokenBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.generateIdToken',
    method: 'POST',
    path: `${ACCOUNT}::generateIdToken`,
    permission: 'iam.serviceAccounts.getOpenIdToken',
    target,
    isOpen: hasDelegates,
    body: IdTokenBody,
    handler: (request) => service.idToken(accountOf('iam.serviceAccounts.getOpenIdToken', request), request.body.audience, request.body.includeEmail === true),
  }
  const signJwt: Route<ReturnType<typeof SignJwtBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.signJwt',
    method: 'POST',
    path: `${ACCOUNT}::signJwt`,
    permission: 'iam.serviceAccounts.signJwt',
    target,
    isOpen: hasDelegates,
    body: SignJwtBody,
    handler: (request) => service.signJwt(accountOf('iam.serviceAccounts.signJwt', request), request.body.payload),
  }
  const signBlob: Route<ReturnType<typeof SignBlobBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.signBlob',
    method: 'POST',
    path: `${ACCOUNT}::signBlob`,
    permission: 'iam.serviceAccounts.signBlob',
    target,
    isOpen: hasDelegates,
    body: SignBlobBody,
    handler: (request) => service.signBlob(accountOf('iam.serviceAccounts.signBlob', request), request.body.payload),
  }
  return [accessToken, idToken, signJwt, signBlob]
}

/** The account of the path. @throws ApiError 400 for another project than `-` */
function nameOf({ params }: Pick<RouteRequest, 'params'>): string {
  if (params['project'] !== '-') throw invalidArgument(`Invalid resource name: the project must be '-', not '${params['project'] ?? ''}'.`)
  return params['account'] ?? ''
}

/** With a chain it is not the caller who needs the permission on the account, but the last delegate: the handler looks at each link. */
function hasDelegates({ reply }: Pick<RouteRequest, 'reply'>): boolean {
  const { body } = reply.request
  const delegates: unknown = typeof body === 'object' && body !== null && 'delegates' in body ? body.delegates : undefined
  return Array.isArray(delegates) && delegates.length > 0
}
