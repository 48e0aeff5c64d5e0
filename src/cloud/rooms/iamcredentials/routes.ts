/** IAM Service Account Credentials v1. https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
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
    return account === undefined
      ? { resource: `projects/-/serviceAccounts/${name}` }
      : { projectId: account.projectId, resource: `projects/${account.projectId}/serviceAccounts/${account.email}` }
  }
  const accessToken: Route<ReturnType<typeof AccessTokenBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.generateAccessToken',
    method: 'POST',
    path: `${ACCOUNT}::generateAccessToken`,
    permission: 'iam.serviceAccounts.getAccessToken',
    target,
    body: AccessTokenBody,
    handler: (request) => service.accessToken(accountOf(request), request.body.scope, request.body.lifetime ?? undefined),
  }
  const idToken: Route<ReturnType<typeof IdTokenBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.generateIdToken',
    method: 'POST',
    path: `${ACCOUNT}::generateIdToken`,
    permission: 'iam.serviceAccounts.getOpenIdToken',
    target,
    body: IdTokenBody,
    handler: (request) => service.idToken(accountOf(request), request.body.audience, request.body.includeEmail === true),
  }
  const signJwt: Route<ReturnType<typeof SignJwtBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.signJwt',
    method: 'POST',
    path: `${ACCOUNT}::signJwt`,
    permission: 'iam.serviceAccounts.signJwt',
    target,
    body: SignJwtBody,
    handler: (request) => service.signJwt(accountOf(request), request.body.payload),
  }
  const signBlob: Route<ReturnType<typeof SignBlobBody.parse>> = {
    id: 'iamcredentials.projects.serviceAccounts.signBlob',
    method: 'POST',
    path: `${ACCOUNT}::signBlob`,
    permission: 'iam.serviceAccounts.signBlob',
    target,
    body: SignBlobBody,
    handler: (request) => service.signBlob(accountOf(request), request.body.payload),
  }
  return [accessToken, idToken, signJwt, signBlob]
}

/** @throws ApiError 400 for another project than `-`, 501 for a chain of delegates */
function accountOf({ params, body }: RouteRequest<Common>): string {
  if (params['project'] !== '-') throw invalidArgument(`Invalid resource name: the project must be '-', not '${params['project'] ?? ''}'.`)
  if (body.delegates !== undefined && body.delegates !== null && body.delegates.length > 0)
    throw new ApiError('UNIMPLEMENTED', 'Chains of delegates are not implemented by the pocket cloud.')
  return params['account'] ?? ''
}
