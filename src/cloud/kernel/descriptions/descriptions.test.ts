/** Reading Google's descriptions, joining them with routes, and that a reply that is not as described does not pass. */
import { describe, expect, test } from 'vitest'
import type { Room } from '../room.ts'
import { startTestCloud } from '../testing.ts'
import { findMethod, templateOfRoute } from './method.ts'
import { describedMethods } from './services.ts'
import { findViolations } from './shape.ts'
import type { Shape } from './shape.ts'

function replyOf(service: string, httpMethod: string, routePath: string): Shape {
  const shape = findMethod(describedMethods(service) ?? [], httpMethod, routePath)?.reply?.()
  if (shape === undefined) throw new Error(`no reply is described for ${httpMethod} ${routePath}`)
  return shape
}

describe('routes and methods', () => {
  test('a path becomes a template', () => {
    expect(templateOfRoute('/v1/projects/:project/secrets/:secret(^[^:/]+)::addVersion')).toBe('/v1/projects/*/secrets/*:addVersion')
    expect(templateOfRoute('/:bucket/*')).toBe('/*/**')
  })

  test.each([
    ['storage.googleapis.com', 'GET', '/storage/v1/b/:bucket/o/:object', 'storage.objects.get'],
    ['compute.googleapis.com', 'POST', '/compute/v1/projects/:project/zones/:zone/instances/:instance/stop', 'compute.instances.stop'],
    ['secretmanager.googleapis.com', 'GET', '/v1/projects/:project/secrets/:secret/versions/:version(^[^:/]+)::access', 'secretmanager.projects.secrets.versions.access'],
    ['secretmanager.googleapis.com', 'GET', '/v1/projects/:project/secrets', 'secretmanager.projects.secrets.list'],
    ['serviceusage.googleapis.com', 'POST', '/v1/projects/:project/services/:service(^[^:/]+)::enable', 'serviceusage.services.enable'],
    ['iam.googleapis.com', 'GET', '/v1/projects/:project/serviceAccounts/:account/keys/:key', 'iam.projects.serviceAccounts.keys.get'],
    ['artifactregistry.googleapis.com', 'POST', '/v1/projects/:project/locations/:location/repositories', 'ArtifactRegistry.CreateRepository'],
    ['identitytoolkit.googleapis.com', 'PATCH', '/v2/projects/:project/config', 'identitytoolkit.projects.updateConfig'],
    ['dns.googleapis.com', 'PATCH', '/dns/v1/projects/:project/managedZones/:zone/rrsets/:name/:type', 'dns.resourceRecordSets.patch'],
    ['dns.googleapis.com', 'POST', '/dns/v1/projects/:project/managedZones/:zone::getIamPolicy', 'dns.managedZones.getIamPolicy'],
    ['dns.googleapis.com', 'GET', '/dns/v1/projects/:project/locations/:location/operations', 'dns.operations.list'],
    ['oauth2.googleapis.com', 'POST', '/oauth2/v2/tokeninfo', 'oauth2.tokeninfo'],
    ['sts.googleapis.com', 'POST', '/v1/token', 'sts.v1.token'],
    ['cloudbilling.googleapis.com', 'PUT', '/v1/projects/:project/billingInfo', 'CloudBilling.UpdateProjectBillingInfo'],
  ])('%s %s %s is %s', (service, method, path, id) => {
    expect(findMethod(describedMethods(service) ?? [], method, path)?.id).toBe(id)
  })

  test('another verb or an unknown path is no method; an unknown service has none', () => {
    expect(findMethod(describedMethods('storage.googleapis.com') ?? [], 'POST', '/storage/v1/b/:bucket')).toBeUndefined()
    expect(describedMethods('toy.googleapis.com')).toBeUndefined()
  })
})

describe('replies', () => {
  test('of generated declarations: names, JSON types, lists, maps, inline objects', () => {
    const bucket = replyOf('storage.googleapis.com', 'GET', '/storage/v1/b/:bucket')
    expect(findViolations({ name: 'b', labels: { a: 'b' }, versioning: { enabled: true }, acl: [{ role: 'OWNER' }], metageneration: '1' }, bucket)).toEqual([])
    expect(findViolations({ naem: 'b', metageneration: 1, labels: { a: 1, b: 2 }, versioning: { on: true }, acl: [{ rolle: '' }, { rolle: '' }], etag: null }, bucket)).toEqual([
      'naem: Bucket has no such field',
      'metageneration: a number, where a string is described',
      'labels{}: a number, where a string is described',
      'versioning.on: the inline object has no such field',
      'acl[].rolle: BucketAccessControl has no such field',
      'etag: null, where a string is described',
    ])
    expect(findViolations([], bucket)).toEqual(['the reply: a list, where Bucket is described'])
  })

  test('of an extract: messages within messages, lists of them, and of methods of the API itself', () => {
    const zones = replyOf('dns.googleapis.com', 'GET', '/dns/v1/projects/:project/managedZones')
    expect(findViolations({ kind: 'k', managedZones: [{ id: '7', dnssecConfig: { defaultKeySpecs: [{ keyLength: 2048 }] }, labels: { a: 'b' } }] }, zones)).toEqual([])
    expect(findViolations({ managedZones: [{ id: 7, dnssecConfig: { defaultKeySpecs: [{ keyLenght: 1 }] } }] }, zones)).toEqual([
      'managedZones[].id: a number, where a string is described',
      'managedZones[].dnssecConfig.defaultKeySpecs[].keyLenght: DnsKeySpec has no such field',
    ])
    expect(findViolations({ email: 'a', aud: 'b' }, replyOf('oauth2.googleapis.com', 'POST', '/oauth2/v2/tokeninfo'))).toEqual(['aud: Tokeninfo has no such field'])
  })

  test('of protocol files: JSON names, 64-bit numbers as text, enums, times, operations with typed results', () => {
    const repository = replyOf('artifactregistry.googleapis.com', 'GET', '/v1/projects/:project/locations/:location/repositories/:repository')
    expect(findViolations({ name: 'r', format: 'PYTHON', createTime: '2026-01-01T00:00:00Z', sizeBytes: '7', labels: {} }, repository)).toEqual([])
    expect(findViolations({ format: 'SNAKE', create_time: '', sizeBytes: 7 }, repository)).toEqual([
      expect.stringMatching(/^format: "SNAKE" is none of .*PYTHON/),
      'create_time: google.devtools.artifactregistry.v1.Repository has no such field',
      'sizeBytes: a number, where a string is described',
    ])
    const operation = replyOf('artifactregistry.googleapis.com', 'GET', '/v1/projects/:project/locations/:location/operations/:operation')
    const done = (response: object): object => ({ name: 'o', done: true, response })
    expect(findViolations(done({ '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.Repository', name: 'r' }), operation)).toEqual([])
    expect(findViolations(done({ '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.Repository', nam: 'r' }), operation)).toHaveLength(1)
    expect(findViolations(done({ name: 'r' }), operation)).toEqual(['response: it has no @type'])
  })

  test('a test cloud does not close over replies that are not as described', async () => {
    const room: Room = {
      id: 'storage',
      service: 'storage.googleapis.com',
      alwaysEnabled: true,
      hosts: [{ name: 'api', match: 'storage.googleapis.com' }],
      migrations: { namespace: 'storage', steps: [] },
      routes: () => [{ id: 'storage.buckets.get', method: 'GET', path: '/storage/v1/b/:bucket', permission: 'public', handler: () => ({ name: 7 }) }],
    }
    const cloud = await startTestCloud(() => [room])
    expect((await cloud.call('GET', 'storage.googleapis.com/storage/v1/b/x')).status).toBe(200)
    await expect(cloud.close()).rejects.toThrow('storage.buckets.get: name: a number, where a string is described')
  })
})
