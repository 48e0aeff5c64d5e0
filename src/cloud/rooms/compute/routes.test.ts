import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFakeDriver } from '../../../vm/fake/driver.ts'
import { serveMetadata } from '../../../vm/metadata-server.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createComputeRoom } from './index.ts'
import { api, operate, portsRoom, succeed, zone } from './testing.ts'

const makeRooms = () => [createComputeRoom({ driver: createFakeDriver(), serveMetadata }), portsRoom({ objects: new Map(), accounts: new Map() })]

describeRoomContract({ makeRooms, params: { zone: 'us-central1-c', region: 'us-central1' } })

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(makeRooms)
  cloud.addProject('p-one')
  cloud.addProject('p-two')
})
afterAll(() => cloud.close())

async function get(path: string): Promise<Awaited<ReturnType<TestCloud['call']>>['json']> {
  const answer = await cloud.call('GET', path)
  expect(answer.status, answer.text).toBe(200)
  return answer.json
}

test('a project has what clients look at before anything else', async () => {
  const project = await get(api)
  expect(project).toMatchObject({
    kind: 'compute#project',
    name: 'p-one',
    commonInstanceMetadata: { kind: 'compute#metadata', items: [] },
    defaultServiceAccount: expect.stringMatching(/^\d+-compute@developer\.gserviceaccount\.com$/),
  })
  expect(Buffer.from(project.commonInstanceMetadata.fingerprint, 'base64')).toHaveLength(8)
  expect(project.quotas.find((quota: { metric: string }) => quota.metric === 'NETWORKS')).toEqual({ metric: 'NETWORKS', limit: 15, usage: 1 })
  const { projectNumber } = cloud.kernel().projects.find('p-one') ?? {}
  expect((await get(`compute.googleapis.com/compute/v1/projects/${projectNumber}`)).name).toBe('p-one')
  expect((await get('www.googleapis.com/compute/v1/projects/p-one')).id).toBe(project.id)
})

test('zones, regions, machine types, disk types', async () => {
  expect(await get(zone)).toMatchObject({ kind: 'compute#zone', status: 'UP', region: expect.stringContaining('regions/us-central1') })
  expect((await get(`${api}/regions/us-central1`)).zones).toHaveLength(4)
  expect(await get(`${zone}/machineTypes/e2-small`)).toMatchObject({
    guestCpus: 2,
    memoryMb: 2048,
    isSharedCpu: true,
    selfLink: 'https://www.googleapis.com/compute/v1/projects/p-one/zones/us-central1-c/machineTypes/e2-small',
  })
  expect((await get(`${zone}/machineTypes/n1-standard-1`)).memoryMb).toBe(3840)
  expect((await cloud.call('GET', `${zone}/machineTypes/e9-huge`)).json.error.message).toBe("The resource 'projects/p-one/zones/us-central1-c/machineTypes/e9-huge' was not found")
  expect((await cloud.call('GET', `${api}/zones/mars-north1-a`)).status).toBe(404)
  expect((await get(`${zone}/diskTypes/pd-ssd`)).kind).toBe('compute#diskType')
  const aggregated = await get(`${api}/aggregated/diskTypes?filter=${encodeURIComponent('name=pd-ssd zone eq ".*us-central1-c"')}`)
  expect(aggregated.items).toEqual({ 'zones/us-central1-c': { diskTypes: [await get(`${zone}/diskTypes/pd-ssd`)] } })
  expect((await get(`${zone}/acceleratorTypes`)).items).toBeUndefined()
  expect((await cloud.call('GET', `${zone}/acceleratorTypes/nvidia-l4`)).status).toBe(404)
})

test("Google's public image projects are there and empty, for every caller, and a missing image says what to do", async () => {
  const debian = 'compute.googleapis.com/compute/v1/projects/debian-cloud'
  const token = cloud.userToken('nobody@example.com')
  const listed = await cloud.call('GET', `${debian}/global/images?alt=json&maxResults=500`, { token })
  expect([listed.status, listed.json.kind, listed.json.items]).toEqual([200, 'compute#imageList', undefined])
  for (const path of ['family/debian-12', 'debian-12-bookworm-v20260101']) {
    const missing = await cloud.call('GET', `${debian}/global/images/${path}`, { token })
    expect(missing.json.error).toMatchObject({ code: 404, message: expect.stringContaining('--source-uri') })
  }
  expect((await cloud.call('GET', `${debian}/zones`, { token })).status).toBe(403)
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'd', sourceImage: 'projects/debian-cloud/global/images/family/debian-12' } })).json.error).toMatchObject({
    code: 404,
  })
})

test('lists page to their end and take filters', async () => {
  const seen: string[] = []
  let pageToken = ''
  do {
    const answer = await get(`${api}/zones?maxResults=50${pageToken === '' ? '' : `&pageToken=${encodeURIComponent(pageToken)}`}`)
    seen.push(...answer.items.map((item: { name: string }) => item.name))
    pageToken = answer.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(seen.length).toBeGreaterThan(100)
  expect(new Set(seen).size).toBe(seen.length)
  expect((await get(`${api}/zones?filter=${encodeURIComponent('(region eq .*us-central1) (name != us-central1-a)')}`)).items).toHaveLength(3)
  expect((await cloud.call('GET', `${api}/zones?filter=${encodeURIComponent('name ~~ x')}`)).status).toBe(400)
})

test('the default network is there from the first call, and stays away once deleted', async () => {
  const two = 'compute.googleapis.com/compute/v1/projects/p-two'
  const network = await get(`${two}/global/networks/default`)
  expect(network).toMatchObject({ autoCreateSubnetworks: true, routingConfig: { routingMode: 'REGIONAL' } })
  expect(await get(`${two}/regions/us-central1/subnetworks/default`)).toMatchObject({ ipCidrRange: '10.128.0.0/20', gatewayAddress: '10.128.0.1', network: network.selfLink })
  const rules = (await get(`${two}/global/firewalls`)).items
  expect(rules.map((rule: { name: string }) => rule.name)).toEqual(['default-allow-icmp', 'default-allow-internal', 'default-allow-rdp', 'default-allow-ssh'])
  const inUse = await cloud.call('DELETE', `${two}/global/networks/default`)
  expect(inUse.json.error.errors[0].reason).toBe('resourceInUseByAnotherResource')
  for (const rule of rules) await succeed(cloud, 'DELETE', `${two}/global/firewalls/${rule.name}`)
  await succeed(cloud, 'DELETE', `${two}/global/networks/default`)
  await cloud.restart()
  expect((await cloud.call('GET', `${two}/global/networks/default`)).status).toBe(404)
  expect((await get(`${two}/aggregated/subnetworks`)).items).toEqual({})
})

test("networks of one's own: subnetworks that do not overlap, patch, delete", async () => {
  await succeed(cloud, 'POST', `${api}/global/networks`, { name: 'own', autoCreateSubnetworks: false, routingConfig: { routingMode: 'GLOBAL' } })
  const subnetworks = `${api}/regions/europe-west1/subnetworks`
  const created = await succeed(cloud, 'POST', subnetworks, { name: 'sub', network: 'global/networks/own', ipCidrRange: '10.9.0.0/24' })
  expect(created.region).toContain('regions/europe-west1')
  expect((await cloud.call('POST', subnetworks, { body: { name: 'sub-2', network: 'global/networks/own', ipCidrRange: '10.9.0.128/25' } })).json.error.message).toContain(
    'conflicts with existing subnetwork',
  )
  for (const ipCidrRange of ['10.9.0.1/24', 'x', '10.0.0.0/4', ''])
    expect((await cloud.call('POST', subnetworks, { body: { name: 'bad', network: 'global/networks/own', ipCidrRange } })).status).toBe(400)
  expect((await get(`${api}/global/networks/own`)).subnetworks).toEqual(['https://www.googleapis.com/compute/v1/projects/p-one/regions/europe-west1/subnetworks/sub'])
  const { fingerprint } = await get(`${subnetworks}/sub`)
  expect((await cloud.call('PATCH', `${subnetworks}/sub`, { body: { privateIpGoogleAccess: true, fingerprint: 'AAAA' } })).status).toBe(412)
  await succeed(cloud, 'PATCH', `${subnetworks}/sub`, { privateIpGoogleAccess: true, fingerprint })
  expect((await get(`${subnetworks}/sub`)).privateIpGoogleAccess).toBe(true)
  const route = (await get(`${api}/global/routes`)).items.find((each: { destRange: string }) => each.destRange === '10.9.0.0/24')
  expect(await get(`${api}/global/routes/${route.name}`)).toEqual(route)
  expect((await cloud.call('GET', `${api}/global/routes/none`)).status).toBe(404)
  for (const ipCidrRange of ['10.9.0.0/25', '10.10.0.0/20', 'x'])
    expect((await cloud.call('POST', `${subnetworks}/sub/expandIpCidrRange`, { body: { ipCidrRange } })).status).toBe(400)
  await succeed(cloud, 'POST', `${subnetworks}/sub/expandIpCidrRange`, { ipCidrRange: '10.9.0.0/20' })
  await succeed(cloud, 'POST', `${subnetworks}/sub/setPrivateIpGoogleAccess`, { privateIpGoogleAccess: false })
  expect(await get(`${subnetworks}/sub`)).toMatchObject({ ipCidrRange: '10.9.0.0/20', privateIpGoogleAccess: false })
  expect((await cloud.call('POST', `${api}/global/networks/own/switchToCustomMode`)).status).toBe(400)
  expect((await cloud.call('DELETE', `${api}/global/networks/own`)).status).toBe(400)
  await succeed(cloud, 'DELETE', `${subnetworks}/sub`)
  await succeed(cloud, 'DELETE', `${api}/global/networks/own`)
})

test('firewall rules: defaults, validation, patch keeps what it does not name, update does not', async () => {
  await succeed(cloud, 'POST', `${api}/global/firewalls`, {
    name: 'web',
    network: `projects/p-one/global/networks/default`,
    allowed: [{ IPProtocol: 'TCP', ports: ['80', '8000-8100'] }],
    targetTags: ['web'],
  })
  const rule = await get(`${api}/global/firewalls/web`)
  expect(rule).toMatchObject({
    priority: 1000,
    direction: 'INGRESS',
    disabled: false,
    sourceRanges: ['0.0.0.0/0'],
    allowed: [{ IPProtocol: 'tcp', ports: ['80', '8000-8100'] }],
    logConfig: { enable: false },
  })
  await succeed(cloud, 'PATCH', `${api}/global/firewalls/web`, { priority: 5 })
  expect(await get(`${api}/global/firewalls/web`)).toMatchObject({ priority: 5, targetTags: ['web'], id: rule.id, network: rule.network })
  await succeed(cloud, 'PUT', `${api}/global/firewalls/web`, { allowed: [{ IPProtocol: 'tcp', ports: ['81'] }] })
  const updated = await get(`${api}/global/firewalls/web`)
  expect(updated).toMatchObject({ priority: 1000, allowed: [{ ports: ['81'] }] })
  expect(updated.targetTags).toBeUndefined()
  const bad = [
    {},
    { allowed: [{ IPProtocol: 'tcp' }], denied: [{ IPProtocol: 'tcp' }] },
    { allowed: [{ IPProtocol: 'tcp', ports: ['99999'] }] },
    { allowed: [{ IPProtocol: 'nope' }] },
    { allowed: [{ IPProtocol: 'icmp', ports: ['1'] }] },
    { allowed: [{ IPProtocol: 'tcp' }], sourceRanges: ['not-a-range'] },
    { allowed: [{ IPProtocol: 'tcp' }], priority: 70_000 },
    { allowed: [{ IPProtocol: 'tcp' }], network: 'global/networks/none' },
  ]
  for (const body of bad) expect([400, 404]).toContain((await cloud.call('POST', `${api}/global/firewalls`, { body: { name: 'bad', ...body } })).status)
  expect((await cloud.call('POST', `${api}/global/firewalls`, { body: { name: 'web', allowed: [{ IPProtocol: 'tcp' }] } })).json.error).toMatchObject({
    code: 409,
    errors: [{ reason: 'alreadyExists' }],
  })
  await succeed(cloud, 'DELETE', `${api}/global/firewalls/web`)
  expect((await cloud.call('DELETE', `${api}/global/firewalls/web`)).status).toBe(404)
})

test('addresses: each has one of its own in 127.0.0.0/8', async () => {
  const region = `${api}/regions/us-central1/addresses`
  await succeed(cloud, 'POST', region, { name: 'one' })
  await succeed(cloud, 'POST', `${api}/global/addresses`, { name: 'one', ipVersion: 'IPV4' })
  const values = [(await get(`${region}/one`)).address, (await get(`${api}/global/addresses/one`)).address]
  expect(new Set(values).size).toBe(2)
  for (const value of values) expect(value).toMatch(/^127\.\d+\.\d+\.\d+$/)
  const listed = await get(`${api}/aggregated/addresses`)
  expect(Object.keys(listed.items).toSorted()).toEqual(['global', 'regions/us-central1'])
  const { labelFingerprint } = await get(`${region}/one`)
  await succeed(cloud, 'POST', `${region}/one/setLabels`, { labels: { a: 'b' }, labelFingerprint })
  await succeed(cloud, 'DELETE', `${region}/one`)
})

test('internal addresses: one of a subnetwork, kept from others, taken by its machine', async () => {
  const region = `${api}/regions/us-central1/addresses`
  await succeed(cloud, 'POST', region, { name: 'inner', addressType: 'INTERNAL', subnetwork: 'regions/us-central1/subnetworks/default', address: '10.128.0.9' })
  const inner = await get(`${region}/inner`)
  expect(inner).toMatchObject({
    address: '10.128.0.9',
    addressType: 'INTERNAL',
    purpose: 'GCE_ENDPOINT',
    status: 'RESERVED',
    subnetwork: expect.stringMatching(/subnetworks\/default$/),
  })
  await succeed(cloud, 'POST', region, { name: 'next', addressType: 'INTERNAL' })
  expect((await get(`${region}/next`)).address).toBe('10.128.0.2')
  for (const body of [{ address: '10.128.0.9' }, { address: '10.1.0.9' }, { purpose: 'VPC_PEERING' }])
    expect((await operateOrRefuse(region, { name: 'bad', addressType: 'INTERNAL', ...body })).code, JSON.stringify(body)).toBe(400)
  expect((await cloud.call('POST', `${api}/global/addresses`, { body: { name: 'bad', addressType: 'INTERNAL' } })).status).toBe(400)
  await succeed(cloud, 'DELETE', `${region}/inner`)
  await succeed(cloud, 'DELETE', `${region}/next`)
})

async function operateOrRefuse(path: string, body: object): Promise<{ code: number }> {
  return (await cloud.call('POST', path, { body })).json.error ?? { code: 0 }
}

test('operations are listed, found by name and id, and can be deleted', async () => {
  const operation = await operate(cloud, 'POST', `${zone}/disks`, { name: 'for-op', sizeGb: '10' })
  expect(operation).toMatchObject({ user: 'owner@kiln.local', operationType: 'insert', zone: expect.stringMatching(/zones\/us-central1-c$/) })
  for (const name of [operation.name, operation.id]) expect((await get(`${zone}/operations/${name}`)).id).toBe(operation.id)
  expect((await cloud.call('GET', `${api}/global/operations/${operation.name}`)).status).toBe(404)
  expect((await get(`${zone}/operations?filter=${encodeURIComponent(`name=${operation.name}`)}`)).items).toHaveLength(1)
  expect((await cloud.call('DELETE', `${zone}/operations/${operation.name}`)).status).toBe(204)
  expect((await cloud.call('GET', `${zone}/operations/${operation.name}`)).status).toBe(404)
})

test("names are checked in Compute Engine's words, and policies on one resource count", async () => {
  for (const name of ['Upper', '9start', 'a'.repeat(64), 'end-', undefined])
    expect((await cloud.call('POST', `${zone}/disks`, { body: { name } })).json.error.message).toContain("Invalid value for field 'resource.name'")
  const token = cloud.userToken('reader@example.com')
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'shared', sizeGb: '10' })
  expect((await cloud.call('GET', `${zone}/disks/shared`, { token })).status).toBe(403)
  const { etag } = await get(`${zone}/disks/shared/getIamPolicy`)
  expect(
    (
      await cloud.call('POST', `${zone}/disks/shared/setIamPolicy`, {
        body: { policy: { etag, bindings: [{ role: 'roles/compute.viewer', members: ['user:reader@example.com'] }] } },
      })
    ).status,
  ).toBe(200)
  expect((await cloud.call('GET', `${zone}/disks/shared`, { token })).status).toBe(200)
  expect((await cloud.call('GET', `${zone}/disks/for-op`, { token })).status).toBe(403)
})
