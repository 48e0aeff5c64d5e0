/** Keys of service accounts. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { accountTarget, ACCOUNTS } from './routes.accounts.ts'
import { CreateKeyBody, UploadKeyBody } from './schema.ts'
import type { AccountService } from './service.accounts.ts'
import type { KeyService } from './service.keys.ts'
import type { Account, Key } from './store.ts'

const KEYS = `${ACCOUNTS}/:account/keys`

export function createKeyRoutes(kernel: Kernel, accounts: AccountService, keys: KeyService): readonly AnyRoute[] {
  const target = accountTarget(accounts)
  const create: Route<ReturnType<typeof CreateKeyBody.parse>> = {
    id: 'iam.projects.serviceAccounts.keys.create',
    method: 'POST',
    path: KEYS,
    permission: 'iam.serviceAccountKeys.create',
    target,
    body: CreateKeyBody,
    async handler({ params, body }) {
      if (body.privateKeyType === 'TYPE_PKCS12_FILE')
        throw new ApiError('UNIMPLEMENTED', 'iam.projects.serviceAccounts.keys.create makes no TYPE_PKCS12_FILE here: use TYPE_GOOGLE_CREDENTIALS_FILE.')
      if (!['KEY_ALG_UNSPECIFIED', 'KEY_ALG_RSA_2048', undefined].includes(body.keyAlgorithm))
        throw invalidArgument(`The key algorithm ${body.keyAlgorithm} is not supported: use KEY_ALG_RSA_2048.`)
      // Programs that do not come through the proxy must reach it too, so it is the direct URL.
      const { account, key, keyFile } = await keys.create(params['project'] ?? '', params['account'] ?? '', `${kernel.rootUrl()}/oauth2.googleapis.com/token`)
      return { ...toKey(account, key), privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE', privateKeyData: Buffer.from(keyFile).toString('base64') }
    },
  }
  const upload: Route<ReturnType<typeof UploadKeyBody.parse>> = {
    id: 'iam.projects.serviceAccounts.keys.upload',
    method: 'POST',
    path: `${ACCOUNTS}/:account/keys::upload`,
    permission: 'iam.serviceAccountKeys.create',
    target,
    body: UploadKeyBody,
    handler({ params, body }) {
      const { account, key } = keys.upload(params['project'] ?? '', params['account'] ?? '', body.publicKeyData)
      return toKey(account, key)
    },
  }
  return [
    create,
    upload,
    {
      id: 'iam.projects.serviceAccounts.keys.list',
      method: 'GET',
      path: KEYS,
      permission: 'iam.serviceAccountKeys.list',
      target,
      handler(request) {
        const kinds = request.queryAll('keyTypes')
        const { account, keys: found } = keys.list(request.params['project'] ?? '', request.params['account'] ?? '')
        return { keys: found.filter((key) => kinds.length === 0 || kinds.includes(key.kind)).map((key) => toKey(account, key)) }
      },
    },
    {
      id: 'iam.projects.serviceAccounts.keys.get',
      method: 'GET',
      path: `${KEYS}/:key`,
      permission: 'iam.serviceAccountKeys.get',
      target,
      handler(request) {
        const { account, key } = keys.get(...names(request))
        return { ...toKey(account, key), ...publicPart(key, request.query['publicKeyType']) }
      },
    },
    {
      id: 'iam.projects.serviceAccounts.keys.delete',
      method: 'DELETE',
      path: `${KEYS}/:key`,
      permission: 'iam.serviceAccountKeys.delete',
      target,
      handler(request) {
        keys.remove(...names(request))
        return {}
      },
    },
    ...(['enable', 'disable'] as const).map((verb): AnyRoute => ({
      id: `iam.projects.serviceAccounts.keys.${verb}`,
      method: 'POST',
      path: `${KEYS}/:key(^[^:/]+)::${verb}`,
      permission: `iam.serviceAccountKeys.${verb}`,
      target,
      handler(request) {
        keys.setDisabled(...names(request), verb === 'disable')
        return {}
      },
    })),
  ]
}

function names({ params }: Pick<RouteRequest, 'params'>): [project: string, account: string, key: string] {
  return [params['project'] ?? '', params['account'] ?? '', params['key'] ?? '']
}

function publicPart(key: Key, type: string | undefined): { publicKeyData?: string } {
  if (type === undefined || type === 'TYPE_NONE') return {}
  if (type === 'TYPE_RAW_PUBLIC_KEY') return { publicKeyData: Buffer.from(key.publicPem).toString('base64') }
  if (type === 'TYPE_X509_PEM_FILE') return { publicKeyData: Buffer.from(key.certificatePem).toString('base64') }
  throw invalidArgument(`The public key type ${type} is not known.`)
}

function toKey(account: Account, key: Key): Record<string, unknown> {
  return {
    name: `projects/${account.projectId}/serviceAccounts/${account.email}/keys/${key.keyId}`,
    validAfterTime: key.validAfter,
    validBeforeTime: key.validBefore,
    keyAlgorithm: 'KEY_ALG_RSA_2048',
    keyOrigin: key.origin,
    keyType: key.kind,
    ...(key.disabled ? { disabled: true, disableReason: 'SERVICE_ACCOUNT_KEY_DISABLE_REASON_USER_INITIATED' } : {}),
  }
}
