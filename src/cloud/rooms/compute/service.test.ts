import { readdir } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { serveMetadata } from '../../../vm/metadata-server.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createComputeRoom } from './index.ts'
import { api, instanceBody, operate, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
})
afterAll(() => bed.close())
beforeEach(() => {
  bed.availableMib = 100_000
})

async function get(path: string): Promise<Awaited<ReturnType<TestCloud['call']>>['json']> {
  return bed.get(path)
}

async function untilStatus(name: string, status: string): Promise<void> {
  await waitFor({ what: `${name} is ${status}`, timeoutMs: 5000, intervalMs: 10 }, async () => {
    const instance = await get(`${zone}/instances/${name}`)
    return instance.status === status ? { done: true, value: undefined } : { done: false, status: instance.status }
  })
}

/** A request as the guest makes it: over the VM's own socket. */
async function metadata(id: string, path: string, put?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        socketPath: join(bed.home.sockets, `m-${id}`),
        path: `/computeMetadata/v1/${path}`,
        method: put === undefined ? 'GET' : 'PUT',
        headers: { 'metadata-flavor': 'Google', host: 'metadata.google.internal' },
      },
      (response) => {
        let body = ''
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (body += chunk))
          .on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      },
    )
    call.on('error', reject).end(put)
  })
}

test('a VM: the whole life', async () => {
  const done = await succeed(
    cloud,
    'POST',
    `${zone}/instances`,
    instanceBody('dev', { labels: { role: 'dev' }, serviceAccounts: [{ email: 'srv@p-one.iam.gserviceaccount.com', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }] }),
  )
  expect(done).toMatchObject({ operationType: 'insert', progress: 100, zone: expect.stringContaining('zones/us-central1-c'), targetLink: expect.stringContaining('instances/dev') })
  const dev = await get(`${zone}/instances/dev`)
  expect(dev).toMatchObject({ status: 'RUNNING', metadata: { items: [{ key: 'greeting', value: 'hello' }] }, tags: { fingerprint: expect.any(String) } })
  expect(dev.networkInterfaces[0]).toMatchObject({ networkIP: '10.128.0.2', subnetwork: expect.stringContaining('regions/us-central1/subnetworks/default') })
  expect(dev.networkInterfaces[0].accessConfigs[0].natIP).toMatch(/^127\./)
  expect((await get(`${zone}/disks/dev`)).users).toEqual([dev.selfLink])
  expect((await cloud.call('DELETE', `${zone}/disks/dev`)).json.error.errors[0].reason).toBe('resourceInUseByAnotherResource')
  expect((await cloud.call('POST', `${zone}/instances`, { body: instanceBody('dev') })).status).toBe(409)

  const serial = await get(`${zone}/instances/dev/serialPort?port=1`)
  expect(serial.contents).toContain('started')
  expect((await get(`${zone}/instances/dev/serialPort?start=${serial.next}`)).contents).toBe('')

  await succeed(cloud, 'POST', `${zone}/instances/dev/reset`)
  await succeed(cloud, 'POST', `${zone}/instances/dev/stop`)
  expect(await get(`${zone}/instances/dev`)).toMatchObject({ status: 'TERMINATED', lastStopTimestamp: expect.any(String) })
  await succeed(cloud, 'POST', `${zone}/instances/dev/setMachineType`, { machineType: 'zones/us-central1-c/machineTypes/e2-medium' })
  await succeed(cloud, 'POST', `${zone}/instances/dev/start`)
  expect((await get(`${zone}/instances/dev`)).status).toBe('RUNNING')
  expect(bed.driver.calls.map((call) => call.split(' ')[0])).toEqual(expect.arrayContaining(['start', 'reset', 'stop']))

  const aggregated = await get(`${api}/aggregated/instances?includeAllScopes=True&maxResults=500&returnPartialSuccess=True`)
  expect(aggregated.items['zones/us-central1-c'].instances[0].name).toBe('dev')
  await succeed(cloud, 'DELETE', `${zone}/instances/dev`)
  expect((await cloud.call('GET', `${zone}/instances/dev`)).status).toBe(404)
  expect((await cloud.call('GET', `${zone}/disks/dev`)).status).toBe(404)
  expect(await readdir(join(bed.home.cloud, 'vms'))).toEqual([])
})

test('the metadata server tells the machine what the API was told, and changes reach it', async () => {
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('meta', { serviceAccounts: [{ email: 'srv@p-one.iam.gserviceaccount.com', scopes: ['s1'] }] }))
  const instance = await get(`${zone}/instances/meta`)
  expect((await metadata(instance.id, 'instance/name')).body).toBe('meta')
  expect((await metadata(instance.id, 'instance/zone')).body).toMatch(/^projects\/\d+\/zones\/us-central1-c$/)
  expect((await metadata(instance.id, 'instance/attributes/greeting')).body).toBe('hello')
  expect((await metadata(instance.id, 'instance/network-interfaces/0/access-configs/0/external-ip')).body).toBe(instance.networkInterfaces[0].accessConfigs[0].natIP)
  const token = JSON.parse((await metadata(instance.id, 'instance/service-accounts/default/token')).body) as { access_token: string }
  expect(cloud.kernel().tokens.verify(token.access_token)?.principal.member).toBe('serviceAccount:srv@p-one.iam.gserviceaccount.com')
  expect((await metadata(instance.id, 'instance/service-accounts/default/identity?audience=https://x.example')).body).toContain('"aud":"https://x.example"')
  bed.world.accounts.set('srv@p-one.iam.gserviceaccount.com', true)
  expect((await metadata(instance.id, 'instance/service-accounts/default/token')).status).toBe(404)
  bed.world.accounts.set('srv@p-one.iam.gserviceaccount.com', false)

  const waiting = metadata(instance.id, 'instance/attributes/?recursive=true&wait_for_change=true&timeout_sec=20')
  expect((await cloud.call('POST', `${zone}/instances/meta/setMetadata`, { body: { fingerprint: 'AAAA', items: [] } })).json.error).toMatchObject({
    code: 412,
    errors: [{ reason: 'conditionNotMet' }],
  })
  await succeed(cloud, 'POST', `${zone}/instances/meta/setMetadata`, { fingerprint: instance.metadata.fingerprint, items: [{ key: 'greeting', value: 'servus' }] })
  expect(JSON.parse((await waiting).body)).toEqual({ greeting: 'servus' })
  const project = await get(api)
  await succeed(cloud, 'POST', `${api}/setCommonInstanceMetadata`, {
    fingerprint: project.commonInstanceMetadata.fingerprint,
    items: [{ key: 'ssh-keys', value: 'me:ssh-ed25519 AAAA me' }],
  })
  expect((await metadata(instance.id, 'project/attributes/ssh-keys')).body).toBe('me:ssh-ed25519 AAAA me')
  await succeed(cloud, 'DELETE', `${zone}/instances/meta`)
})

test('forwards follow firewall rules and tags of a running machine', async () => {
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('web'))
  const { id, tags, networkInterfaces } = await get(`${zone}/instances/web`)
  const address = networkInterfaces[0].accessConfigs[0].natIP as string
  const ports = async (): Promise<number[]> =>
    ((await bed.driver.open(join(bed.home.cloud, 'vms', id)))?.spec.forwards ?? [])
      .filter((forward) => forward.hostAddress === address)
      .map((forward) => forward.guestPort)
      .toSorted((a, b) => a - b)
  expect(await ports()).toEqual([22, 3389])
  await succeed(cloud, 'POST', `${api}/global/firewalls`, { name: 'allow-web', allowed: [{ IPProtocol: 'tcp', ports: ['8080'] }], targetTags: ['web'] })
  expect(await ports()).toEqual([22, 3389])
  await succeed(cloud, 'POST', `${zone}/instances/web/setTags`, { fingerprint: tags.fingerprint, items: ['web'] })
  expect(await ports()).toEqual([22, 3389, 8080])
  await succeed(cloud, 'PATCH', `${api}/global/firewalls/allow-web`, { allowed: [{ IPProtocol: 'tcp', ports: ['9000-9001'] }] })
  expect(await ports()).toEqual([22, 3389, 9000, 9001])
  await succeed(cloud, 'POST', `${api}/global/firewalls`, { name: 'no-ssh', priority: 10, denied: [{ IPProtocol: 'tcp', ports: ['22'] }], sourceRanges: ['127.0.0.0/8'] })
  expect(await ports()).toEqual([3389, 9000, 9001])
  for (const rule of ['allow-web', 'no-ssh']) await succeed(cloud, 'DELETE', `${api}/global/firewalls/${rule}`)
  expect(await ports()).toEqual([22, 3389])
  await succeed(cloud, 'DELETE', `${zone}/instances/web`)
})

test('a machine that dies is TERMINATED with its reason and its last words', async () => {
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('dying'))
  const { id } = await get(`${zone}/instances/dying`)
  await bed.driver.writeSerial(join(bed.home.cloud, 'vms', id), 'Kernel panic - not syncing\n')
  await bed.driver.end(join(bed.home.cloud, 'vms', id), 'QEMU ended with exit code 1', false)
  await untilStatus('dying', 'TERMINATED')
  const { statusMessage } = await get(`${zone}/instances/dying`)
  expect(statusMessage).toContain('QEMU ended with exit code 1')
  expect(statusMessage).toContain('Kernel panic')
  await succeed(cloud, 'POST', `${zone}/instances/dying/start`)
  expect((await get(`${zone}/instances/dying`)).statusMessage).toBeUndefined()
  await succeed(cloud, 'DELETE', `${zone}/instances/dying`)
})

test('a start that fails: its reason is in the operation and on the instance; without memory there is no instance', async () => {
  bed.driver.failNextStart(new Error('no such machine'))
  const failed = await operate(cloud, 'POST', `${zone}/instances`, instanceBody('broken'))
  expect(failed.error.errors[0].message).toContain('no such machine')
  expect(await get(`${zone}/instances/broken`)).toMatchObject({ status: 'TERMINATED', statusMessage: expect.stringContaining('no such machine') })
  await succeed(cloud, 'DELETE', `${zone}/instances/broken`)
  bed.availableMib = 100
  const none = await operate(cloud, 'POST', `${zone}/instances`, instanceBody('hungry'))
  expect(none.error.errors[0]).toMatchObject({ code: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: expect.stringContaining('2048 MiB') })
  for (const path of ['instances/hungry', 'disks/hungry']) expect((await cloud.call('GET', `${zone}/${path}`)).status).toBe(404)
})

test('the next daemon adopts what runs, marks what died, and removes what nobody owns', async () => {
  for (const name of ['lives', 'dies']) await succeed(cloud, 'POST', `${zone}/instances`, instanceBody(name))
  const lives = await get(`${zone}/instances/lives`)
  const dies = await get(`${zone}/instances/dies`)
  const starts = bed.driver.calls.filter((call) => call.startsWith('start')).length
  const orphan = join(bed.home.cloud, 'vms', '12345')
  const living = await bed.driver.open(join(bed.home.cloud, 'vms', lives.id))
  if (living === undefined) throw new Error('the machine is not there')
  await bed.driver.start(orphan, { ...living.spec, name: 'orphan', forwards: [] })
  const orphanVm = await bed.driver.open(orphan)
  bed.world.whileDown = () => bed.driver.end(join(bed.home.cloud, 'vms', dies.id), 'killed (SIGKILL)', false)
  await cloud.restart()
  delete bed.world.whileDown
  expect((await get(`${zone}/instances/lives`)).status).toBe('RUNNING')
  expect((await metadata(lives.id, 'instance/name')).body).toBe('lives')
  expect(await get(`${zone}/instances/dies`)).toMatchObject({ status: 'TERMINATED', statusMessage: expect.stringContaining('killed (SIGKILL)') })
  expect((await orphanVm?.state())?.status).toBe('stopped')
  expect(await readdir(join(bed.home.cloud, 'vms'))).not.toContain('12345')
  expect(bed.driver.calls.filter((call) => call.startsWith('start')).length).toBe(starts + 1)
  for (const name of ['lives', 'dies']) await succeed(cloud, 'DELETE', `${zone}/instances/${name}`)
})

test('a VM whose making the daemon did not finish is made once, by the next one', async () => {
  bed.driver.failNextStart(new Error('the daemon is killed here'))
  const started = await cloud.call('POST', `${zone}/instances`, { body: instanceBody('half') })
  // What a kill -9 leaves: the row and the operation as they were before the work.
  await cloud.kernel().operations.wait(started.json.name, 10_000)
  const { database } = cloud.kernel()
  const row = database.get<{ record: string; id: string }>("SELECT id, record FROM compute_resources WHERE collection = 'instances' AND name = 'half'")
  database.run(
    'UPDATE compute_resources SET record = ? WHERE id = ?',
    JSON.stringify({ ...JSON.parse(row?.record ?? '{}'), status: 'STAGING', statusMessage: undefined }),
    row?.id ?? '',
  )
  const operation = cloud.kernel().operations.get(started.json.name)
  database.run("UPDATE operations SET status = 'RUNNING', record = ? WHERE name = ?", JSON.stringify({ ...operation, status: 'RUNNING', error: undefined }), started.json.name)
  await cloud.restart()
  expect((await cloud.kernel().operations.wait(started.json.name, 10_000))?.error).toBeUndefined()
  expect((await get(`${zone}/instances/half`)).status).toBe('RUNNING')
  expect(await readdir(join(bed.home.cloud, 'vms'))).toEqual([row?.id])
  await succeed(cloud, 'DELETE', `${zone}/instances/half`)
})

test('guest attributes: written by the guest when they are enabled, read by the API', async () => {
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('guest', { metadata: { items: [{ key: 'enable-guest-attributes', value: 'TRUE' }] } }))
  const { id } = await get(`${zone}/instances/guest`)
  expect((await cloud.call('GET', `${zone}/instances/guest/getGuestAttributes?queryPath=hostkeys/`)).status).toBe(404)
  expect((await metadata(id, 'instance/guest-attributes/hostkeys/ssh-ed25519', 'AAAAC3')).status).toBe(200)
  expect((await get(`${zone}/instances/guest/getGuestAttributes?queryPath=hostkeys/`)).queryValue.items).toEqual([{ namespace: 'hostkeys', key: 'ssh-ed25519', value: 'AAAAC3' }])
  await succeed(cloud, 'DELETE', `${zone}/instances/guest`)
})

test('disks are attached and detached while the VM is stopped; one that is not autoDelete outlives it', async () => {
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'extra', sizeGb: '10' })
  const body = instanceBody('keeper') as { disks: object[] }
  await succeed(cloud, 'POST', `${zone}/instances`, { ...body, disks: [{ ...body.disks[0], autoDelete: undefined }] })
  expect((await cloud.call('POST', `${zone}/instances/keeper/attachDisk`, { body: { source: 'zones/us-central1-c/disks/extra' } })).status).toBe(400)
  await succeed(cloud, 'POST', `${zone}/instances/keeper/stop`)
  await succeed(cloud, 'POST', `${zone}/instances/keeper/attachDisk`, { source: 'zones/us-central1-c/disks/extra', deviceName: 'data' })
  expect((await get(`${zone}/disks/extra`)).users).toHaveLength(1)
  await succeed(cloud, 'POST', `${zone}/instances/keeper/detachDisk?deviceName=data`)
  await succeed(cloud, 'DELETE', `${zone}/disks/extra`)
  await succeed(cloud, 'DELETE', `${zone}/instances/keeper`)
  expect((await get(`${zone}/disks/keeper`)).users).toBeUndefined()
  await succeed(cloud, 'POST', `${api}/global/images`, {
    name: 'of-keeper',
    family: 'kept',
    sourceType: 'RAW',
    sourceDisk: 'https://compute.googleapis.com/compute/v1/p-one/zones/us-central1-c/disks/keeper',
  })
  expect(await get(`${api}/global/images/of-keeper`)).toMatchObject({ status: 'READY', diskSizeGb: '10', guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }] })
  await succeed(cloud, 'DELETE', `${zone}/disks/keeper`)
})

test('a reserved address becomes the address of a VM', async () => {
  await succeed(cloud, 'POST', `${api}/regions/us-central1/addresses`, { name: 'front' })
  const { address } = await get(`${api}/regions/us-central1/addresses/front`)
  const nic = { network: 'global/networks/default', accessConfigs: [{ type: 'ONE_TO_ONE_NAT', natIP: address }] }
  expect(
    (await cloud.call('POST', `${zone}/instances`, { body: instanceBody('front', { networkInterfaces: [{ ...nic, accessConfigs: [{ natIP: '127.9.9.9' }] }] }) })).status,
  ).toBe(400)
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('front', { networkInterfaces: [nic] }))
  expect((await get(`${zone}/instances/front`)).networkInterfaces[0].accessConfigs[0].natIP).toBe(address)
  expect((await cloud.call('DELETE', `${api}/regions/us-central1/addresses/front`)).status).toBe(400)
  await succeed(cloud, 'DELETE', `${zone}/instances/front`)
  expect((await get(`${api}/regions/us-central1/addresses/front`)).status).toBe('RESERVED')
})

test('a repeated requestId starts nothing twice', async () => {
  const path = `${zone}/disks?requestId=6b0c3a52-6f2c-4f0a-9a0e-3c1d2e4f5a6b`
  const first = await succeed(cloud, 'POST', path, { name: 'once', sizeGb: '10' })
  const second = await succeed(cloud, 'POST', path, { name: 'once', sizeGb: '10' })
  expect(second.name).toBe(first.name)
  await succeed(cloud, 'DELETE', `${zone}/disks/once`)
})

test('a VM acts as its account only when its maker may', async () => {
  cloud.kernel().policies.grant('projects/p-one', 'roles/compute.admin', 'user:maker@example.com')
  const token = cloud.userToken('maker@example.com')
  const body = instanceBody('acting', { serviceAccounts: [{ email: 'srv@p-one.iam.gserviceaccount.com', scopes: [] }] })
  const denied = await cloud.call('POST', `${zone}/instances`, { token, body })
  expect(denied.status).toBe(403)
  expect(denied.json.error.message).toContain('iam.serviceAccounts.actAs')
  expect(
    (await cloud.call('POST', `${zone}/instances`, { body: instanceBody('acting', { serviceAccounts: [{ email: 'nobody@p-one.iam.gserviceaccount.com' }] }) })).json.error.message,
  ).toContain('nobody@p-one')
})

test('reset ends every machine and removes every file', async () => {
  const room = createComputeRoom({ driver: bed.driver, serveMetadata })
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('last'))
  const { id } = await get(`${zone}/instances/last`)
  const vm = await bed.driver.open(join(bed.home.cloud, 'vms', id))
  room.routes(cloud.kernel())
  await room.reset?.()
  expect((await vm?.state())?.status).toBe('stopped')
  for (const folder of ['vms', 'images', 'disks']) await expect(readdir(join(bed.home.cloud, folder))).rejects.toThrow('ENOENT')
})
