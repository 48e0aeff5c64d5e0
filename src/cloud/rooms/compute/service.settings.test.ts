import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, instanceBody, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud
const vm = `${zone}/instances/set`

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('set'))
})
afterAll(() => bed.close())

async function forwards(): Promise<readonly string[]> {
  const { id } = await bed.get(vm)
  const machine = await bed.driver.open(join(bed.home.cloud, 'vms', id))
  return [...new Set((machine?.spec.forwards ?? []).map((forward) => forward.hostAddress))]
}

test('an access config is taken away and given back, and ports follow', async () => {
  const [nic] = (await bed.get(vm)).networkInterfaces
  const first = nic.accessConfigs[0].natIP as string
  expect(await forwards()).toEqual([first])
  expect((await cloud.call('POST', `${vm}/addAccessConfig?networkInterface=nic0`, { body: { type: 'ONE_TO_ONE_NAT' } })).json.error.message).toContain('At most one access config')
  await succeed(cloud, 'POST', `${vm}/deleteAccessConfig?accessConfig=external-nat&networkInterface=nic0`)
  expect((await bed.get(vm)).networkInterfaces[0].accessConfigs).toBeUndefined()
  expect(await forwards()).toEqual([])
  await succeed(cloud, 'POST', `${api}/regions/us-central1/addresses`, { name: 'kept' })
  const { address } = await bed.get(`${api}/regions/us-central1/addresses/kept`)
  await succeed(cloud, 'POST', `${vm}/addAccessConfig?networkInterface=nic0`, { name: 'external-nat', type: 'ONE_TO_ONE_NAT', natIP: address })
  expect((await bed.get(vm)).networkInterfaces[0].accessConfigs[0]).toMatchObject({ natIP: address, name: 'external-nat' })
  expect((await bed.get(`${api}/regions/us-central1/addresses/kept`)).users).toHaveLength(1)
  expect(await forwards()).toEqual([address])
  for (const query of ['networkInterface=nic7', 'networkInterface=nic0&accessConfig=nope']) expect((await cloud.call('POST', `${vm}/deleteAccessConfig?${query}`)).status).toBe(400)
})

test('scheduling, automatic deletion of disks, protection', async () => {
  await succeed(cloud, 'POST', `${vm}/setScheduling`, { automaticRestart: false, onHostMaintenance: 'TERMINATE' })
  expect((await bed.get(vm)).scheduling).toEqual({ automaticRestart: false, onHostMaintenance: 'TERMINATE', preemptible: false, provisioningModel: 'STANDARD' })
  expect((await cloud.call('POST', `${vm}/setScheduling`, { body: { preemptible: true } })).json.error.errors[0].reason).toBe('resourceNotReady')
  const { deviceName } = (await bed.get(vm)).disks[0]
  // gcloud writes booleans as Python does.
  await succeed(cloud, 'POST', `${vm}/setDiskAutoDelete?autoDelete=False&deviceName=${deviceName}`)
  expect((await bed.get(vm)).disks[0].autoDelete).toBe(false)
  expect((await cloud.call('POST', `${vm}/setDiskAutoDelete?autoDelete=true&deviceName=other`)).status).toBe(400)
  await succeed(cloud, 'POST', `${vm}/setDiskAutoDelete?autoDelete=True&deviceName=${deviceName}`)
  await succeed(cloud, 'POST', `${vm}/setDeletionProtection?deletionProtection=True`)
  expect((await cloud.call('DELETE', vm)).status).toBe(400)
  await succeed(cloud, 'POST', `${vm}/setDeletionProtection?deletionProtection=False`)
})

test('what needs a stopped machine says so', async () => {
  for (const [method, verb, body] of [
    ['POST', 'setMinCpuPlatform', { minCpuPlatform: 'Intel Skylake' }],
    ['PATCH', 'updateShieldedInstanceConfig', { enableVtpm: false }],
    ['PATCH', 'updateDisplayDevice', { enableDisplay: true }],
  ] as const)
    expect((await cloud.call(method, `${vm}/${verb}`, { body })).json.error.message, verb).toContain('must be TERMINATED')
  await succeed(cloud, 'POST', `${vm}/stop`)
  await succeed(cloud, 'POST', `${vm}/setMinCpuPlatform`, { minCpuPlatform: 'Intel Skylake' })
  await succeed(cloud, 'PATCH', `${vm}/updateShieldedInstanceConfig`, { enableVtpm: false })
  await succeed(cloud, 'PATCH', `${vm}/updateDisplayDevice`, { enableDisplay: true })
  expect(await bed.get(vm)).toMatchObject({
    minCpuPlatform: 'Intel Skylake',
    shieldedInstanceConfig: { enableSecureBoot: false, enableVtpm: false, enableIntegrityMonitoring: true },
    displayDevice: { enableDisplay: true },
  })
  await succeed(cloud, 'POST', `${vm}/start`)
})

test('an instance that was read is written back as a whole, once', async () => {
  const read = await bed.get(vm)
  const body = { ...read, description: 'written', labels: { team: 'x' }, metadata: { items: [{ key: 'a', value: 'b' }] }, tags: { items: ['web'] }, deletionProtection: false }
  await succeed(cloud, 'PUT', vm, body)
  const written = await bed.get(vm)
  expect(written).toMatchObject({
    description: 'written',
    labels: { team: 'x' },
    metadata: { items: [{ key: 'a', value: 'b' }] },
    tags: { items: ['web'] },
    id: read.id,
    status: 'RUNNING',
  })
  expect((await cloud.call('PUT', vm, { body })).status).toBe(412)
  expect((await cloud.call('PUT', vm, { body: { machineType: 'zones/us-central1-c/machineTypes/e2-micro' } })).json.error.message).toContain('setMachineType')
})

test('quotas of a region count what is used in it', async () => {
  const usage = async (region: string): Promise<Record<string, number>> =>
    Object.fromEntries((await bed.get(`${api}/regions/${region}`)).quotas.map((quota: { metric: string; usage: number }) => [quota.metric, quota.usage]))
  const before = await usage('us-central1')
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'fast', sizeGb: '12', type: 'zones/us-central1-c/diskTypes/pd-ssd' })
  const after = await usage('us-central1')
  expect(before).toMatchObject({ INSTANCES: 1, CPUS: 2, IN_USE_ADDRESSES: 1, SSD_TOTAL_GB: 0 })
  expect(after).toEqual({ ...before, SSD_TOTAL_GB: 12 })
  expect((await usage('europe-west1'))['INSTANCES']).toBe(0)
})

test('two writers of metadata and tags: the second one must read again', async () => {
  const { metadata, tags } = await bed.get(vm)
  const [one, two] = await Promise.all(
    ['1', '2'].map((value) => cloud.call('POST', `${vm}/setMetadata`, { body: { fingerprint: metadata.fingerprint, items: [{ key: 'writer', value }] } })),
  )
  expect([one?.status, two?.status].toSorted()).toEqual([200, 412])
  await succeed(cloud, 'POST', `${vm}/setTags`, { fingerprint: tags.fingerprint, items: ['a'] })
  expect((await cloud.call('POST', `${vm}/setTags`, { body: { fingerprint: tags.fingerprint, items: ['b'] } })).status).toBe(412)
})

test('serial output is read in pieces, as tail-serial-port-output does', async () => {
  const { id } = await bed.get(vm)
  let { next } = await bed.get(`${vm}/serialPort?port=1`)
  for (const line of ['one\n', 'two\n']) {
    await bed.driver.writeSerial(join(bed.home.cloud, 'vms', id), line)
    const piece = await bed.get(`${vm}/serialPort?port=1&start=${next}`)
    expect(piece).toMatchObject({ contents: line, start: next, next: String(Number(next) + line.length) })
    next = piece.next
  }
  expect((await bed.get(`${vm}/serialPort?port=1&start=${next}`)).contents).toBe('')
})

test('routers with NAT: patch of one part keeps the others, machines without an address get a way out', async () => {
  const routers = `${api}/regions/us-central1/routers`
  await succeed(cloud, 'POST', routers, { name: 'edge', network: 'global/networks/default', bgp: { asn: 64_514 } })
  expect(await bed.get(`${routers}/edge`)).toMatchObject({ kind: 'compute#router', region: expect.stringMatching(/us-central1$/), bgp: { asn: 64_514, advertiseMode: 'DEFAULT' } })
  const nat = { name: 'out', natIpAllocateOption: 'AUTO_ONLY', sourceSubnetworkIpRangesToNat: 'ALL_SUBNETWORKS_ALL_IP_RANGES' }
  const inside = { networkInterfaces: [{ network: 'global/networks/default' }] }
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('inside', inside))
  const isOutbound = async (): Promise<boolean | undefined> => (await bed.driver.open(join(bed.home.cloud, 'vms', (await bed.get(`${zone}/instances/inside`)).id)))?.spec.outbound
  expect(await isOutbound()).toBe(false)
  await succeed(cloud, 'PATCH', `${routers}/edge`, { nats: [nat] })
  expect(await bed.get(`${routers}/edge`)).toMatchObject({ bgp: { asn: 64_514 }, nats: [{ ...nat, endpointTypes: ['ENDPOINT_TYPE_VM'], enableEndpointIndependentMapping: false }] })
  await succeed(cloud, 'POST', `${zone}/instances/inside/stop`)
  await succeed(cloud, 'POST', `${zone}/instances/inside/start`)
  expect(await isOutbound()).toBe(true)
  expect((await bed.get(`${routers}/edge/getRouterStatus`)).result.natStatus[0].name).toBe('out')
  expect((await bed.get(`${api}/aggregated/routers`)).items['regions/us-central1'].routers).toHaveLength(1)
  const bad = [
    { nats: [{ ...nat, natIpAllocateOption: 'MANUAL_ONLY' }] },
    { nats: [{ ...nat, sourceSubnetworkIpRangesToNat: 'LIST_OF_SUBNETWORKS' }] },
    { nats: [{ ...nat, sourceSubnetworkIpRangesToNat: 'SOME' }] },
    { bgp: { asn: 1 } },
    { bgpPeers: [{ name: 'peer' }] },
    { network: 'global/networks/other' },
  ]
  for (const body of bad) expect((await cloud.call('PATCH', `${routers}/edge`, { body })).status, JSON.stringify(body)).toBe(400)
  const listed = { ...nat, sourceSubnetworkIpRangesToNat: 'LIST_OF_SUBNETWORKS', subnetworks: [{ name: 'regions/us-central1/subnetworks/default' }] }
  await succeed(cloud, 'PATCH', `${routers}/edge`, { nats: [listed] })
  expect((await bed.get(`${routers}/edge`)).nats[0].subnetworks[0]).toMatchObject({
    name: expect.stringMatching(/^https:.*subnetworks\/default$/),
    sourceIpRangesToNat: ['ALL_IP_RANGES'],
  })
  await succeed(cloud, 'PUT', `${routers}/edge`, { nats: [] })
  const updated = await bed.get(`${routers}/edge`)
  expect([updated.nats, updated.bgp, updated.network]).toEqual([undefined, undefined, expect.stringContaining('networks/default')])
  await succeed(cloud, 'DELETE', `${routers}/edge`)
  expect((await cloud.call('GET', `${routers}/edge`)).status).toBe(404)
  await succeed(cloud, 'DELETE', `${zone}/instances/inside`)
})

test('a machine is shut down before it is deleted when its disk stays or a shutdown script must run, so that nothing the guest wrote is lost', async () => {
  const last = async (name: string, fields: object): Promise<string[]> => {
    await succeed(cloud, 'POST', `${zone}/instances`, instanceBody(name, fields))
    const machine = `${name}-${(await bed.get(`${zone}/instances/${name}`)).id as string}`
    await succeed(cloud, 'DELETE', `${zone}/instances/${name}`)
    return bed.driver.calls.filter((call) => call === `stop ${machine}` || call === `kill ${machine}`).map((call) => call.split(' ')[0] ?? '')
  }
  const [boot] = (instanceBody('x') as { disks: object[] }).disks
  expect(await last('goes', {})).toEqual(['kill'])
  expect(await last('leaves', { disks: [{ ...boot, autoDelete: false }] })).toEqual(['stop'])
  expect((await bed.get(`${zone}/disks/leaves`)).status).toBe('READY')
  expect(await last('says', { metadata: { items: [{ key: 'shutdown-script', value: 'echo bye' }] } })).toEqual(['stop'])
})
