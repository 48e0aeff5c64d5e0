import { describe, expect, test } from 'vitest'
import { createCatalog } from './catalog.ts'
import { compileRule, expand } from './http-rule.ts'
import type { JsonObject } from './json-value.ts'
import type { RawHttpRule } from './services.ts'

const catalog = createCatalog()

function rest(typeName: string, rule: RawHttpRule, request: JsonObject): unknown {
  const type = catalog.type(typeName)
  if (type === undefined) throw new Error(`no type ${typeName}`)
  const { method, path, body } = expand(compileRule(rule, type), request)
  return body === undefined ? `${method} ${path}` : [`${method} ${path}`, body]
}

const UPDATE = 'google.cloud.secretmanager.v1.UpdateSecretRequest'
const GET_POLICY = 'google.iam.v1.GetIamPolicyRequest'

describe('where fields go', () => {
  test('without a body: the path, then the query, nested fields with dots, lists repeated', () => {
    expect(rest(GET_POLICY, { get: '/v1/{resource=**}:getIamPolicy' }, { resource: 'projects/p', options: { requestedPolicyVersion: 3 } })).toBe(
      'GET /v1/projects/p:getIamPolicy?options.requestedPolicyVersion=3',
    )
    expect(rest('google.iam.v1.TestIamPermissionsRequest', { get: '/v1/{resource}' }, { resource: 'a/b', permissions: ['x.y', 'z'] })).toBe(
      'GET /v1/a%2Fb?permissions=x.y&permissions=z',
    )
  })

  test('with a field as body: the rest is the query', () => {
    expect(rest(UPDATE, { patch: '/v1/{secret.name=projects/*/secrets/*}', body: 'secret' }, { secret: { name: 'projects/p/secrets/s' }, updateMask: 'labels' })).toEqual([
      'PATCH /v1/projects/p/secrets/s?updateMask=labels',
      { name: 'projects/p/secrets/s' },
    ])
  })

  test('a body field that is not set is an empty message', () => {
    expect(rest('google.cloud.secretmanager.v1.CreateSecretRequest', { post: '/v1/{parent=projects/*}/secrets', body: 'secret' }, { parent: 'projects/p' })).toEqual([
      'POST /v1/projects/p/secrets',
      {},
    ])
  })

  test('with "*": no query, the path’s fields are left out', () => {
    expect(rest(UPDATE, { post: '/v1/{secret.name=**}:x', body: '*' }, { secret: { name: 'a', etag: 'e' }, updateMask: 'm' })).toEqual([
      'POST /v1/a:x',
      { secret: { etag: 'e' }, updateMask: 'm' },
    ])
  })

  test('a custom HTTP method', () => {
    expect(rest(GET_POLICY, { custom: { kind: 'head', path: '/v1/{resource=**}' } }, { resource: 'r' })).toBe('HEAD /v1/r')
  })

  test('lists of messages have no form in a query', () => {
    expect(() => rest('google.iam.v1.SetIamPolicyRequest', { get: '/v1/{resource=**}' }, { resource: 'r', policy: { bindings: [{ role: 'x' }] } })).toThrow("'policy.bindings'")
  })
})

describe('which binding', () => {
  const rule: RawHttpRule = {
    get: '/v1/{resource=projects/*}',
    additional_bindings: [{ get: '/v1/{resource=folders/**}' }, { get: '/v1/global/{resource=a.b}' }],
  }

  test.each([
    ['projects/p', 'GET /v1/projects/p'],
    ['folders/f/x/y', 'GET /v1/folders/f/x/y'],
    ['a.b', 'GET /v1/global/a.b'],
  ])('%s', (resource, expected) => expect(rest(GET_POLICY, rule, { resource })).toBe(expected))

  test.each(['projects/', 'projects/p/q', 'folders/', 'aXb', '/projects/p', '', 'projects/..', 'folders/a/../b', 'folders/.'])('%j fits none', (resource) => {
    expect(() => rest(GET_POLICY, rule, { resource })).toThrow("Invalid value at 'resource'")
  })
})

test('a single segment escapes everything, several leave slashes, and what a name holds escaped stays so', () => {
  const all = 'a b/c?d#e&f%2Fg%41:h@i(j)\'*é"'
  expect(rest(GET_POLICY, { get: '/v1/{resource}' }, { resource: all.replaceAll('/', '') })).toBe('GET /v1/a%20bc%3Fd%23e%26f%252Fg%2541%3Ah%40i%28j%29%27%2A%C3%A9%22')
  expect(rest(GET_POLICY, { get: '/v1/{resource=**}' }, { resource: all })).toBe('GET /v1/a%20b/c%3Fd%23e%26f%2Fg%2541%3Ah%40i%28j%29%27%2A%C3%A9%22')
})

test('a rule with a field that is not there is a defect of the data', () => {
  expect(() => rest(GET_POLICY, { get: '/v1/{nope}' }, {})).toThrow('names nope')
})
