/** From the Authorization header to a principal. */
import type { IncomingHttpHeaders } from 'node:http'
import { ApiError } from './api-error.ts'
import { poolOfMember, poolPath } from '../../oidc/provider.ts'
import type { Kernel } from './kernel.ts'
import { serviceAccountPrincipal } from './principal.ts'
import type { Principal } from './principal.ts'
import { verifySelfSigned } from './self-signed.ts'

export const anonymous: Principal = { member: 'anonymous', email: 'anonymous' }

/**
 * Who calls. Bearer tokens everywhere; on package hosts also Basic with the user names that Artifact Registry defines
 * (https://cloud.google.com/artifact-registry/docs/python/authentication). `host` is the Google host that was asked, for tokens that accounts sign for one service.
 * @throws ApiError 401
 */
export async function authenticate(kernel: Kernel, headers: IncomingHttpHeaders, basicAuth: boolean, host = ''): Promise<Principal> {
  const [scheme = '', credentials = ''] = (headers.authorization ?? '').split(/\s+/, 2)
  if (scheme.toLowerCase() === 'bearer') return verifyToken(kernel, credentials, basicAuth, host)
  if (basicAuth && scheme.toLowerCase() === 'basic') return verifyBasic(kernel, credentials, host)
  throw unauthenticated(
    'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
    'CREDENTIALS_MISSING',
    basicAuth,
  )
}

function verifyToken(kernel: Kernel, accessToken: string, basicAuth: boolean, host: string): Principal {
  const info = kernel.tokens.verify(accessToken)
  if (info !== undefined) {
    const pool = poolOfMember(info.principal.member)
    if (pool === undefined || kernel.ports.use('workloadIdentity').isPoolActive(pool)) return info.principal
    throw unauthenticated(`The workload identity pool ${poolPath(pool)} of this access token is disabled or deleted.`, 'ACCESS_TOKEN_TYPE_UNSUPPORTED', basicAuth)
  }
  const selfSigned = accessToken.startsWith('ey') ? verifySelfSigned(accessToken, host, kernel.ports.use('serviceAccountKeys'), Date.now()) : undefined
  if (selfSigned !== undefined && 'principal' in selfSigned) return selfSigned.principal
  const why = selfSigned === undefined ? 'The access token is unknown here or has expired.' : `The JWT is no access token here: ${selfSigned.problem}.`
  throw unauthenticated(`Request had invalid authentication credentials. ${why}`, 'ACCESS_TOKEN_TYPE_UNSUPPORTED', basicAuth)
}

async function verifyBasic(kernel: Kernel, credentials: string, host: string): Promise<Principal> {
  const text = Buffer.from(credentials, 'base64').toString()
  const colon = text.indexOf(':')
  const user = text.slice(0, colon)
  const password = text.slice(colon + 1)
  if (user === 'oauth2accesstoken') return verifyToken(kernel, password, true, host)
  if (user === '_json_key_base64' || user === '_json_key') {
    const json = user === '_json_key' ? password : Buffer.from(password, 'base64').toString()
    const account = await kernel.ports.use('serviceAccounts').verifyKeyFile(json)
    if (account !== undefined) return serviceAccountPrincipal(account.email)
    throw unauthenticated('The service account key is not valid here.', 'INVALID_KEY', true)
  }
  throw unauthenticated(
    `The user name ${JSON.stringify(user.slice(0, 64))} is not known: use oauth2accesstoken with an access token, or _json_key_base64 with a key file.`,
    'CREDENTIALS_MISSING',
    true,
  )
}

function unauthenticated(message: string, reason: string, basicAuth: boolean): ApiError {
  return new ApiError('UNAUTHENTICATED', message, {
    reason: 'authError',
    details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'googleapis.com' }],
    headers: {
      'www-authenticate': basicAuth
        ? 'Basic realm="Artifact Registry"'
        : `Bearer realm="https://accounts.google.com/"${reason === 'CREDENTIALS_MISSING' ? '' : ', error="invalid_token"'}`,
    },
  })
}
