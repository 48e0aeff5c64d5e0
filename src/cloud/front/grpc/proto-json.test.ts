import { describe, expect, test } from 'vitest'
import { createCatalog } from './catalog.ts'
import type { Json, Message } from './json-value.ts'
import { createJsonCodec } from './proto-json.ts'

const catalog = createCatalog()
const codec = createJsonCodec(catalog)

/** JSON -> message -> bytes -> message -> JSON. */
function roundTrip(typeName: string, json: Json): Json {
  const type = catalog.type(typeName)
  if (type === undefined) throw new Error(`no type ${typeName}`)
  return codec.toJson(type, type.decode(type.encode(codec.fromJson(type, json)).finish()) as unknown as Message)
}

function anyOf(typeName: string, rest: Record<string, Json>): Json {
  return { '@type': `type.googleapis.com/${typeName}`, ...rest }
}

const SECRET = 'google.cloud.secretmanager.v1.Secret'
const VALUE = 'google.firestore.v1.Value'

describe('values that come back as they went', () => {
  test.each<[string, string, Json]>([
    [
      'nested messages, maps, enums by name',
      'google.iam.v1.Policy',
      { version: 3, bindings: [{ role: 'r', members: ['a', 'b'], condition: { expression: 'x', title: 't' } }], etag: 'BwX//w==' },
    ],
    ['a time in whole seconds', SECRET, { createTime: '2026-11-22T23:34:31Z' }],
    ['the earliest and a fractional time', 'google.cloud.secretmanager.v1.SecretVersion', { createTime: '0001-01-01T00:00:00Z', destroyTime: '9999-12-31T23:59:59.000000001Z' }],
    ['a duration', SECRET, { ttl: '86400s' }],
    ['a negative duration', 'google.rpc.RetryInfo', { retryDelay: '-1.500s' }],
    ['64-bit integers at their ends', 'google.devtools.artifactregistry.v1.Repository', { sizeBytes: '-9223372036854775808' }],
    ['a map with 64-bit values', SECRET, { versionAliases: { a: '9223372036854775807', b: '-1' } }],
    ['a field mask', 'google.cloud.secretmanager.v1.UpdateSecretRequest', { updateMask: 'labels,versionAliases' }],
    ['wrappers', 'google.firestore.v1.StructuredQuery', { limit: 0 }],
    ['a wrapper of bool', 'google.cloud.secretmanager.v1.ListSecretsResponse', { totalSize: 3 }],
    [
      'null, doubles, lists and maps of Firestore',
      VALUE,
      { mapValue: { fields: { n: { nullValue: null }, d: { doubleValue: 0.1 }, a: { arrayValue: { values: [{ integerValue: '7' }, { booleanValue: true }] } } } } },
    ],
    ['doubles that JSON has no number for', VALUE, { arrayValue: { values: [{ doubleValue: 'NaN' }, { doubleValue: 'Infinity' }, { doubleValue: '-Infinity' }] } }],
    ['a struct', 'google.logging.v2.LogEntry', { jsonPayload: { a: [1, 'x', null, true, { b: {} }], ['__proto__']: 'own' } }],
    ['text in any language', 'google.rpc.LocalizedMessage', { locale: 'de', message: 'größer – 😀' }],
    ['an any of a message', 'google.longrunning.Operation', { done: true, response: anyOf(SECRET, { name: 'n', ttl: '1s' }) }],
    ['an any of an any’s kind', 'google.longrunning.Operation', { metadata: anyOf('google.protobuf.Duration', { value: '2s' }) }],
    [
      'an any in an any',
      'google.longrunning.Operation',
      { response: anyOf('google.rpc.Status', { code: 5, details: [anyOf('google.rpc.ErrorInfo', { reason: 'R', metadata: { k: 'v' } })] }) },
    ],
    ['an unset message', SECRET, {}],
    ['an empty message that is set', 'google.cloud.secretmanager.v1.Replication', { automatic: {} }],
  ])('%s', (_what, type, json) => expect(roundTrip(type, json)).toEqual(json))
})

describe('other forms that are read', () => {
  test.each<[string, string, Json, Json]>([
    ['names as in the file', SECRET, { create_time: '2026-01-01T00:00:00Z' }, { createTime: '2026-01-01T00:00:00Z' }],
    ['a time with an offset and lower case', SECRET, { createTime: '2026-01-01t01:00:00.25+01:00' }, { createTime: '2026-01-01T00:00:00.250Z' }],
    ['an enum by number', 'google.cloud.secretmanager.v1.SecretVersion', { state: 1 }, { state: 'ENABLED' }],
    ['an enum number that is not known', 'google.cloud.secretmanager.v1.SecretVersion', { state: 99 }, { state: 99 }],
    ['an enum name that is not known', 'google.cloud.secretmanager.v1.SecretVersion', { state: 'BRAND_NEW', name: 'n' }, { name: 'n' }],
    ['fields that are not known', SECRET, { name: 'n', brandNew: { x: [1] } }, { name: 'n' }],
    ['null as unset', SECRET, { name: null, labels: null, createTime: null }, {}],
    ['integers as text and text-like numbers', 'google.rpc.Status', { code: '5' }, { code: 5 }],
    ['a 64-bit integer as a number', 'google.devtools.artifactregistry.v1.Repository', { sizeBytes: 12 }, { sizeBytes: '12' }],
    ['base64 in the URL alphabet, without padding', 'google.iam.v1.Policy', { etag: '_-8' }, { etag: '/+8=' }],
    [
      'an any of Empty without value',
      'google.longrunning.Operation',
      { response: anyOf('google.protobuf.Empty', {}) },
      { response: anyOf('google.protobuf.Empty', { value: {} }) },
    ],
  ])('%s', (_what, type, json, expected) => expect(roundTrip(type, json)).toEqual(expected))

  test('an any of a type that Google does not publish keeps its name', () => {
    const type = catalog.type('google.longrunning.Operation')
    const url = 'type.googleapis.com/google.cloudresourcemanager.v1.ProjectCreationStatus'
    expect(type === undefined ? undefined : codec.fromJson(type, { name: 'o', metadata: { '@type': url, ready: true } })).toEqual({ name: 'o', metadata: { type_url: url } })
  })
})

describe('values that do not fit name the field', () => {
  test.each<[string, string, Json, string]>([
    ['a time', SECRET, { createTime: 'soon' }, 'createTime: an RFC 3339 time is expected, not "soon"'],
    ['an element of a list', 'google.iam.v1.Policy', { bindings: [{}, { members: 'x' }] }, 'bindings[1].members: a list is expected, not "x"'],
    ['a map’s value', SECRET, { labels: { a: 1 } }, 'labels.a: text is expected, not 1'],
    ['a map', SECRET, { labels: [] }, 'labels: an object is expected, not []'],
    ['a message', SECRET, { replication: 'auto' }, 'replication: an object is expected, not "auto"'],
    ['an integer out of range', 'google.rpc.Status', { code: 2 ** 31 }, 'code: int32 is expected, not 2147483648'],
    ['a fraction', 'google.rpc.Status', { code: 1.5 }, 'code: int32 is expected'],
    ['base64', 'google.iam.v1.Policy', { etag: 'ä' }, 'etag: base64 is expected'],
    ['a duration', SECRET, { ttl: '1 day' }, 'ttl: a duration'],
    ['the whole', SECRET, [], 'the message: an object is expected'],
  ])('%s', (_what, type, json, message) => expect(() => roundTrip(type, json)).toThrow(message))

  test('depth is bounded', () => {
    let json: Json = { nullValue: null }
    for (let level = 0; level < 200; level += 1) json = { arrayValue: { values: [json] } }
    expect(() => roundTrip(VALUE, json)).toThrow('nested too deeply')
  })
})

test('names that are no packages load nothing', () => {
  for (const name of ['', 'x', '../../etc.Passwd', 'google.rpc', 'google..Secret', 'google.no.such.v1.Thing', '__proto__.X', 'google.rpc.constructor']) {
    expect(catalog.type(name)).toBeUndefined()
    expect(catalog.service(name)).toBeUndefined()
  }
})
