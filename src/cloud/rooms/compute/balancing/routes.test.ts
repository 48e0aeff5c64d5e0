/** The control plane of load balancing over HTTP, with the bodies that gcloud and Terraform send. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { connect as connectTcp, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSignedCertificate } from '../../../kernel/x509.ts'
import { api, operate, succeed, zone } from '../testing.ts'
import { makeService, publish, startBalancingWorld } from './testing.ts'
import type { BalancingWorld, Json } from './testing.ts'

const LINK = 'https://www.googleapis.com/compute/v1/projects/p-one/global'
const PORT = 18_090

let world: BalancingWorld

function certificate(commonName: string): { certificateChain: string; privateKey: string } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const chain = selfSignedCertificate({ commonName, privateKey, validFrom: new Date(Date.now() - 60_000), validTo: new Date(Date.now() + 86_400_000) })
  return { certificateChain: chain, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

beforeAll(async () => {
  world = await startBalancingWorld(async (names) => certificate(names[0] ?? ''))
  await makeService(world.cloud, 'web')
}, 60_000)
afterAll(() => world?.close())

async function refused(method: string, path: string, body: unknown, status: number): Promise<string> {
  const answer = await world.cloud.call(method, `${api}/global/${path}`, body === undefined ? {} : { body })
  expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} ${status}`)
  return answer.json.error.message
}

const create = (collection: string, body: object): Promise<Json> => succeed(world.cloud, 'POST', `${api}/global/${collection}`, body)
const read = (path: string): Promise<Json> => world.get(`${api}/global/${path}`)

test('health checks get their defaults, are patched and replaced', async () => {
  await create('healthChecks', { name: 'hc', type: 'HTTP', httpHealthCheck: {} })
  expect(await read('healthChecks/hc')).toMatchObject({
    kind: 'compute#healthCheck',
    selfLink: `${LINK}/healthChecks/hc`,
    checkIntervalSec: 5,
    timeoutSec: 5,
    healthyThreshold: 2,
    unhealthyThreshold: 2,
    type: 'HTTP',
    httpHealthCheck: { port: 80, requestPath: '/', proxyHeader: 'NONE' },
  })
  await succeed(world.cloud, 'PATCH', `${api}/global/healthChecks/hc`, { checkIntervalSec: 10, httpHealthCheck: { requestPath: '/ok' } })
  expect(await read('healthChecks/hc')).toMatchObject({ checkIntervalSec: 10, httpHealthCheck: { port: 80, requestPath: '/ok' } })
  await succeed(world.cloud, 'PUT', `${api}/global/healthChecks/hc`, { name: 'hc', type: 'TCP', tcpHealthCheck: { port: 22 } })
  const replaced = await read('healthChecks/hc')
  expect(replaced).toMatchObject({ checkIntervalSec: 5, type: 'TCP', tcpHealthCheck: { port: 22, proxyHeader: 'NONE' } })
  expect(replaced.httpHealthCheck).toBeUndefined()
  expect(await refused('POST', 'healthChecks', { name: 'hc', type: 'TCP' }, 409)).toContain('already exists')
  expect(await refused('POST', 'healthChecks', { name: 'late', type: 'TCP', timeoutSec: 9, checkIntervalSec: 5 }, 400)).toContain('timeoutSec')
  expect(await refused('POST', 'healthChecks', { name: 'odd', type: 'PIGEON' }, 400)).toContain('PIGEON')
  expect(await refused('DELETE', 'healthChecks/web-check', undefined, 400)).toContain('backendServices/web')
  await create('httpHealthChecks', { name: 'old' })
  expect(await read('httpHealthChecks/old')).toMatchObject({ kind: 'compute#httpHealthCheck', port: 80, requestPath: '/', host: '' })
  expect(Object.keys((await world.get(`${api}/aggregated/healthChecks`)).items)).toEqual(['global'])
})

test('backend services: defaults, add-backend by PUT, fingerprints, links that lead nowhere', async () => {
  await create('backendServices', { name: 'plain', protocol: 'HTTP', healthChecks: [`${LINK.replace('www', 'compute')}/healthChecks/web-check`] })
  const made = await read('backendServices/plain')
  expect(made).toMatchObject({
    kind: 'compute#backendService',
    backends: [],
    healthChecks: [`${LINK}/healthChecks/web-check`],
    port: 80,
    portName: 'http',
    timeoutSec: 30,
    loadBalancingScheme: 'EXTERNAL',
    sessionAffinity: 'NONE',
    affinityCookieTtlSec: 0,
    connectionDraining: { drainingTimeoutSec: 0 },
    enableCDN: false,
  })
  const group = `${zone}/instanceGroups/web-group`.replace('compute.googleapis.com', 'https://www.googleapis.com')
  await succeed(world.cloud, 'PUT', `${api}/global/backendServices/plain`, { ...made, backends: [{ group }] })
  expect((await read('backendServices/plain')).backends).toEqual([{ group, balancingMode: 'UTILIZATION', capacityScaler: 1 }])
  expect(await refused('PATCH', 'backendServices/plain', { timeoutSec: 7, fingerprint: made.fingerprint }, 412)).toContain('fingerprint')
  const now = await read('backendServices/plain')
  await succeed(world.cloud, 'PATCH', `${api}/global/backendServices/plain`, { timeoutSec: 7, fingerprint: now.fingerprint })
  expect(await read('backendServices/plain')).toMatchObject({ timeoutSec: 7, backends: [{ group }] })
  expect(await refused('POST', 'backendServices', { name: 'x', healthChecks: ['global/healthChecks/none'] }, 404)).toContain("healthChecks/none' was not found")
  expect(
    await refused('POST', 'backendServices', { name: 'x', healthChecks: ['global/healthChecks/web-check'], backends: [{ group: 'zones/us-central1-c/instanceGroups/none' }] }, 404),
  ).toContain('none')
  expect(await refused('POST', 'backendServices/plain/getHealth', { group: 'zones/us-central1-c/instanceGroups/none' }, 404)).toContain('none')
  await succeed(world.cloud, 'DELETE', `${api}/global/backendServices/plain`)
  expect(await refused('GET', 'backendServices/plain', undefined, 404)).toContain('was not found')
})

test('a chain from URL map to forwarding rule: links, uses, changes of target', async () => {
  await create('addresses', { name: 'front', ipVersion: 'IPV4' })
  const address = (await read('addresses/front')).address
  expect(await publish(world, 'site', { defaultService: `${LINK}/backendServices/web` }, PORT, { IPAddress: 'global/addresses/front' })).toBe(address)
  expect(await read('addresses/front')).toMatchObject({ status: 'IN_USE', users: [`${LINK}/forwardingRules/site`] })
  const rule = await read('forwardingRules/site')
  expect(rule).toMatchObject({
    kind: 'compute#forwardingRule',
    portRange: `${PORT}-${PORT}`,
    IPProtocol: 'TCP',
    loadBalancingScheme: 'EXTERNAL',
    networkTier: 'PREMIUM',
    target: `${LINK}/targetHttpProxies/site`,
  })
  expect(await refused('DELETE', 'urlMaps/site', undefined, 400)).toContain('targetHttpProxies/site')
  expect(await refused('DELETE', 'targetHttpProxies/site', undefined, 400)).toContain('forwardingRules/site')
  expect(await refused('DELETE', 'addresses/front', undefined, 400)).toContain('forwardingRules/site')
  expect(await refused('POST', 'forwardingRules', { name: 'twin', IPAddress: address, portRange: String(PORT), target: 'global/targetHttpProxies/site' }, 400)).toContain('in-use')
  await create('urlMaps', { name: 'other', defaultUrlRedirect: { httpsRedirect: true } })
  expect((await read('urlMaps/other')).defaultUrlRedirect).toEqual({ httpsRedirect: true, stripQuery: false })
  await succeed(world.cloud, 'POST', `${api}/targetHttpProxies/site/setUrlMap`, { urlMap: `${LINK}/urlMaps/other` })
  // A connection that was on its way when the process was reloaded may still be answered by the one before.
  await world.until('the redirect', async () => (await fetch(`http://${address}:${PORT}/x`, { redirect: 'manual' })).headers.get('location') === `https://${address}/x`)
  await succeed(world.cloud, 'POST', `${api}/global/forwardingRules/site/setLabels`, { labels: { stage: 'test' }, labelFingerprint: rule.labelFingerprint })
  expect((await read('forwardingRules/site')).labels).toEqual({ stage: 'test' })
  expect(await refused('POST', 'forwardingRules/site/setLabels', { labels: {}, labelFingerprint: rule.labelFingerprint }, 412)).toContain('fingerprint')
  await create('targetHttpProxies', { name: 'second', urlMap: 'global/urlMaps/site' })
  await succeed(world.cloud, 'POST', `${api}/global/forwardingRules/site/setTarget`, { target: 'global/targetHttpProxies/second' })
  await world.until('the answer without backends', async () => (await fetch(`http://${address}:${PORT}/x`, { redirect: 'manual' })).status === 502)
  await succeed(world.cloud, 'DELETE', `${api}/global/forwardingRules/site`)
  expect((await read('addresses/front')).status).toBe('RESERVED')
  await succeed(world.cloud, 'DELETE', `${api}/global/addresses/front`)
  expect((await world.get(`${api}/aggregated/forwardingRules`)).items).toEqual({})
})

test('URL maps that say what cannot be done are refused, and validate says why', async () => {
  const bad = { name: 'bad', defaultService: 'global/backendServices/web', hostRules: [{ hosts: ['a.example.com'], pathMatcher: 'none' }] }
  expect(await refused('POST', 'urlMaps', bad, 400)).toContain('Path matcher does not exist')
  expect(await refused('POST', 'urlMaps', { name: 'bad' }, 400)).toContain('exactly one')
  expect(
    await refused(
      'POST',
      'urlMaps',
      {
        ...bad,
        hostRules: [],
        pathMatchers: [{ name: 'm', defaultService: 'global/backendServices/web', pathRules: [{ paths: ['/a*'], service: 'global/backendServices/web' }] }],
      },
      400,
    ),
  ).toContain('/a*')
  expect(
    await refused(
      'POST',
      'urlMaps',
      { name: 'bad', defaultRouteAction: { faultInjectionPolicy: { abort: {} }, weightedBackendServices: [{ backendService: 'global/backendServices/web', weight: 1 }] } },
      501,
    ),
  ).toContain('faultInjectionPolicy')
  const validated = await world.cloud.call('POST', `${api}/global/urlMaps/site/validate`, { body: { resource: bad } })
  expect(validated.json.result).toMatchObject({ loadSucceeded: false, loadErrors: [expect.stringContaining('Path matcher')] })
})

test('certificates: managed ones are signed by the cloud, uploaded ones checked; HTTPS with HTTP/2 works', async () => {
  await create('sslCertificates', { name: 'managed', type: 'MANAGED', managed: { domains: ['www.example.com'] } })
  const managed = await read('sslCertificates/managed')
  expect(managed).toMatchObject({ kind: 'compute#sslCertificate', type: 'MANAGED', managed: { status: 'ACTIVE', domainStatus: { 'www.example.com': 'ACTIVE' } } })
  const uploaded = certificate('up.example.com')
  expect(await refused('POST', 'sslCertificates', { name: 'odd', certificate: uploaded.certificateChain, privateKey: certificate('x').privateKey }, 400)).toContain(
    'does not match',
  )
  await create('sslCertificates', { name: 'uploaded', selfManaged: { certificate: uploaded.certificateChain, privateKey: uploaded.privateKey } })
  expect(JSON.stringify(await read('sslCertificates/uploaded'))).not.toContain('PRIVATE KEY')
  await create('targetHttpsProxies', { name: 'tls', urlMap: 'global/urlMaps/other', sslCertificates: ['global/sslCertificates/managed'] })
  expect(await read('targetHttpsProxies/tls')).toMatchObject({ quicOverride: 'NONE', sslCertificates: [`${LINK}/sslCertificates/managed`] })
  await create('urlMaps', { name: 'tls', defaultUrlRedirect: { pathRedirect: '/elsewhere', redirectResponseCode: 'SEE_OTHER' } })
  await succeed(world.cloud, 'POST', `${api}/targetHttpsProxies/tls/setUrlMap`, { urlMap: 'global/urlMaps/tls' })
  await create('forwardingRules', { name: 'tls', target: `${LINK}/targetHttpsProxies/tls`, portRange: String(PORT + 1) })
  const host = (await read('forwardingRules/tls')).IPAddress
  const subject = await new Promise<string>((resolve, reject) => {
    const sent = request({ host, port: PORT + 1, path: '/', rejectUnauthorized: false, agent: false, headers: { host: 'www.example.com' } }, (response) => {
      expect(response.headers.location).toBe('https://www.example.com/elsewhere')
      response.resume()
      resolve(String((response.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }).getPeerCertificate().subject.CN))
    })
    sent.on('error', reject).end()
  })
  expect(subject).toBe('www.example.com')
  const status = await new Promise<number>((resolve, reject) => {
    const session = connect(`https://${host}:${PORT + 1}`, { rejectUnauthorized: false })
    session.on('error', reject)
    const stream = session.request({ ':path': '/', ':authority': 'www.example.com' })
    stream.on('response', (headers) => {
      resolve(Number(headers[':status']))
      session.destroy()
    })
    stream.on('error', reject)
  })
  expect(status).toBe(303)
  await succeed(world.cloud, 'POST', `${api}/targetHttpsProxies/tls/setSslCertificates`, { sslCertificates: ['global/sslCertificates/uploaded'] })
  await succeed(world.cloud, 'DELETE', `${api}/global/sslCertificates/managed`)
  expect(await refused('DELETE', 'sslCertificates/uploaded', undefined, 400)).toContain('targetHttpsProxies/tls')
})

test('security policies: default rule, one rule per priority, expressions are refused', async () => {
  await create('securityPolicies', { name: 'guard', description: 'mine' })
  const made = await read('securityPolicies/guard')
  expect(made).toMatchObject({ type: 'CLOUD_ARMOR', rules: [{ priority: 2_147_483_647, action: 'allow', match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['*'] } } }] })
  const rule = { priority: 7, action: 'deny(404)', match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['10.0.0.0/8'] } } }
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/guard/addRule`, rule)
  expect(await read('securityPolicies/guard/getRule?priority=7')).toMatchObject({ kind: 'compute#securityPolicyRule', action: 'deny(404)', preview: false })
  expect(await refused('POST', 'securityPolicies/guard/addRule', rule, 400)).toContain('same priorities')
  expect(await refused('POST', 'securityPolicies/guard/addRule', { ...rule, priority: 8, match: { expr: { expression: "origin.region_code == 'AU'" } } }, 501)).toContain(
    'origin.region_code',
  )
  expect(await refused('POST', 'securityPolicies/guard/removeRule?priority=2147483647', {}, 400)).toContain('default rule')
  await succeed(world.cloud, 'POST', `${api}/global/securityPolicies/guard/removeRule?priority=7`)
  await refused('GET', 'securityPolicies/guard/getRule?priority=7', undefined, 404)
  await succeed(world.cloud, 'PATCH', `${api}/global/backendServices/web`, { securityPolicy: 'global/securityPolicies/guard' })
  expect(await refused('DELETE', 'securityPolicies/guard', undefined, 400)).toContain('backendServices/web')
})

test('a forwarding rule that cannot listen fails and leaves nothing behind; the others serve on', async () => {
  await create('targetHttpProxies', { name: 'lost', urlMap: 'global/urlMaps/other' })
  await create('addresses', { name: 'taken' })
  const { address } = await read('addresses/taken')
  const other = createServer().listen(PORT + 5, address)
  await once(other, 'listening')
  const failed = await operate(world.cloud, 'POST', `${api}/global/forwardingRules`, {
    name: 'clash',
    target: 'global/targetHttpProxies/lost',
    portRange: String(PORT + 5),
    IPAddress: address,
  })
  other.close()
  expect(failed.error.errors[0]).toMatchObject({ code: 'E_PORT_TAKEN', message: expect.stringContaining(`${address}:${PORT + 5}`) })
  await refused('GET', 'forwardingRules/clash', undefined, 404)
  expect((await read('addresses/taken')).status).toBe('RESERVED')
  const rule = await read('forwardingRules/tls')
  const socket = connectTcp(PORT + 1, rule.IPAddress)
  await once(socket, 'connect')
  socket.destroy()
})
