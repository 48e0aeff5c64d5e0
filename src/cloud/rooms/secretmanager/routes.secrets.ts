/** Routes of secrets and their policies. https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets */
import type { z } from 'zod'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import { getPolicy, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { SecretBody } from './schema.ts'
import type { SecretService } from './service.secrets.ts'
import type { Secret } from './store.ts'

const SECRETS = '/v1/projects/:project/secrets'
const SECRET = `${SECRETS}/:secret`
const VERB = `${SECRETS}/:secret(^[^:/]+)::`

export function secretRoutes(kernel: Kernel, secrets: SecretService): readonly AnyRoute[] {
  const target = (request: RouteRequest): Target => secrets.target(param(request, 'project'), param(request, 'secret'))
  /** The policy's resource, once it is clear that the secret exists. */
  const policyOf = (request: RouteRequest<unknown>): string => {
    const secret = secrets.get(param(request, 'project'), param(request, 'secret'))
    return `projects/${secret.projectId}/secrets/${secret.secretId}`
  }

  const create: Route<SecretBody> = {
    id: 'secretmanager.projects.secrets.create',
    method: 'POST',
    path: SECRETS,
    permission: 'secretmanager.secrets.create',
    body: SecretBody,
    handler: (request) => presentSecret(secrets, secrets.create(param(request, 'project'), request.query['secretId'], request.body)),
  }
  const patch: Route<SecretBody> = {
    id: 'secretmanager.projects.secrets.patch',
    method: 'PATCH',
    path: SECRET,
    permission: 'secretmanager.secrets.update',
    target,
    body: SecretBody,
    handler: (request) => presentSecret(secrets, secrets.change(param(request, 'project'), param(request, 'secret'), request.body, request.query['updateMask'])),
  }
  const setIamPolicy: Route<z.infer<typeof SetPolicyBody>> = {
    id: 'secretmanager.projects.secrets.setIamPolicy',
    method: 'POST',
    path: `${VERB}setIamPolicy`,
    permission: 'secretmanager.secrets.setIamPolicy',
    target,
    body: SetPolicyBody,
    handler: (request) => setPolicy(kernel, policyOf(request), request.body),
  }
  const testIamPermissions: Route<z.infer<typeof TestPermissionsBody>> = {
    id: 'secretmanager.projects.secrets.testIamPermissions',
    method: 'POST',
    path: `${VERB}testIamPermissions`,
    permission: 'authenticated',
    target,
    body: TestPermissionsBody,
    handler: (request) => testPermissions(kernel, request.principal, secrets.target(param(request, 'project'), param(request, 'secret')), request.body.permissions),
  }

  return [
    create,
    {
      id: 'secretmanager.projects.secrets.list',
      method: 'GET',
      path: SECRETS,
      permission: 'secretmanager.secrets.list',
      handler(request) {
        const filter = parseFilter(request.query['filter'])
        const found = secrets.list(param(request, 'project')).filter((secret) => filter.every((term) => matchesSecret(secret, term)))
        const { items, nextPageToken } = page(found, request.query, (secret) => secret.secretId, { size: 25_000, max: 25_000 })
        return { secrets: items.length === 0 ? undefined : items.map((secret) => presentSecret(secrets, secret)), nextPageToken, totalSize: found.length }
      },
    },
    {
      id: 'secretmanager.projects.secrets.get',
      method: 'GET',
      path: SECRET,
      permission: 'secretmanager.secrets.get',
      target,
      handler: (request) => presentSecret(secrets, secrets.get(param(request, 'project'), param(request, 'secret'))),
    },
    patch,
    {
      id: 'secretmanager.projects.secrets.delete',
      method: 'DELETE',
      path: SECRET,
      permission: 'secretmanager.secrets.delete',
      target,
      handler(request) {
        secrets.remove(param(request, 'project'), param(request, 'secret'), request.query['etag'])
        return {}
      },
    },
    {
      id: 'secretmanager.projects.secrets.getIamPolicy',
      method: 'GET',
      path: `${VERB}getIamPolicy`,
      permission: 'secretmanager.secrets.getIamPolicy',
      target,
      handler: (request) => getPolicy(kernel, policyOf(request), request.query['options.requestedPolicyVersion']),
    },
    setIamPolicy,
    testIamPermissions,
  ]
}

/** A path parameter that the route has. */
export function param(request: { readonly params: Readonly<Record<string, string>> }, name: string): string {
  return request.params[name] ?? ''
}

function presentSecret(secrets: SecretService, secret: Secret): Record<string, unknown> {
  return { name: secrets.nameOf(secret), createTime: secret.createTime, ...secret.config, expireTime: secret.expireTime, etag: secret.etag }
}

export interface FilterTerm {
  readonly field: string
  readonly operator: string
  readonly value: string
}

/** Terms like `labels.env=prod`, `name:db`, `state=ENABLED`, joined by AND. @throws ApiError 400 for anything more */
export function parseFilter(filter: string | undefined): readonly FilterTerm[] {
  if (filter === undefined || filter.trim() === '') return []
  return filter.split(/\s+AND\s+|\s+/).map((term) => {
    const match = /^\(?([\w.-]+)(=|:)"?([^"()]*)"?\)?$/.exec(term)
    if (match === null || /^(OR|NOT)$/.test(term))
      throw invalidArgument(`The filter ${JSON.stringify(filter)} is not supported by the pocket cloud: terms FIELD=VALUE or FIELD:VALUE, joined by AND, are.`)
    return { field: match[1] ?? '', operator: match[2] ?? '', value: match[3] ?? '' }
  })
}

function matchesSecret(secret: Secret, { field, operator, value }: FilterTerm): boolean {
  if (field === 'name') return operator === '=' ? secret.secretId === value.split('/').at(-1) : secret.secretId.includes(value)
  if (field.startsWith('labels.')) {
    const label = secret.config.labels?.[field.slice('labels.'.length)]
    return label !== undefined && (value === '*' || (operator === '=' ? label === value : label.includes(value)))
  }
  throw invalidArgument(`Secrets cannot be filtered by ${field} here.`)
}
