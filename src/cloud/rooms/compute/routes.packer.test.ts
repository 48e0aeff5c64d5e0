/** The calls that Packer makes, in its order and with its bodies: Debian's 1.6.6 and packer-plugin-googlecompute 1.2. */
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
})
afterAll(() => bed.close())

const QUERY = 'alt=json&prettyPrint=false'

type Json = Awaited<ReturnType<TestCloud['call']>>['json']

async function get(path: string): Promise<Json> {
  return bed.get(`${path}?${QUERY}`)
}

/** As Packer waits: GET of the operation, in the place that its fields name, until it is DONE. */
async function call(method: string, path: string, operations: string, body?: object): Promise<Json> {
  const started = await cloud.call(method, `${path}?${QUERY}`, body === undefined ? {} : { body })
  expect(started.status, started.text).toBe(200)
  for (;;) {
    const operation = await get(`${operations}/operations/${started.json.name}`)
    if (operation.status !== 'DONE') continue
    expect(operation.error).toBeUndefined()
    return operation
  }
}

function instance(name: string): object {
  return {
    canIpForward: false,
    disks: [
      {
        boot: true,
        initializeParams: {
          diskSizeGb: '20',
          diskType: 'zones/us-central1-c/diskTypes/pd-standard',
          sourceImage: 'https://www.googleapis.com/compute/v1/projects/p-one/global/images/srv-1',
        },
        mode: 'READ_WRITE',
        type: 'PERSISTENT',
      },
    ],
    description: 'New instance created by Packer',
    labels: {},
    machineType: 'https://www.googleapis.com/compute/v1/projects/p-one/zones/us-central1-c/machineTypes/n1-standard-1',
    metadata: { items: [null, null, { key: 'ssh-keys', value: 'packer:ssh-rsa AAAA packer' }, { key: 'startup-script-status', value: 'notdone' }] },
    name,
    networkInterfaces: [{ accessConfigs: [{ name: 'AccessConfig created by Packer', type: 'ONE_TO_ONE_NAT' }], network: 'global/networks/default' }],
    scheduling: { automaticRestart: true, onHostMaintenance: 'MIGRATE', preemptible: false },
    serviceAccounts: [{ email: 'default', scopes: ['https://www.googleapis.com/auth/userinfo.email', 'https://www.googleapis.com/auth/compute'] }],
    tags: {},
  }
}

test('1.6.6: from a family to an image, with the disk that outlives its instance', async () => {
  expect((await cloud.call('GET', `${api}/global/images/baked-1?${QUERY}`)).status).toBe(404)
  // Its own project first, then Google's.
  for (const project of ['p-one', 'debian-cloud', 'ubuntu-os-cloud'])
    expect((await cloud.call('GET', `compute.googleapis.com/compute/v1/projects/${project}/global/images/family/none?${QUERY}`)).status).toBe(404)
  expect((await get(`${api}/global/images/family/srv`)).selfLink).toContain('global/images/srv-1')
  expect((await get(zone)).status).toBe('UP')
  expect((await get(`${zone}/machineTypes/n1-standard-1`)).selfLink).toContain('machineTypes/n1-standard-1')
  await call('POST', `${zone}/instances`, zone, instance('packer-1'))
  const made = await get(`${zone}/instances/packer-1`)
  expect(made).toMatchObject({ status: 'RUNNING', disks: [{ autoDelete: false }], serviceAccounts: [{ email: expect.stringMatching(/-compute@developer/) }] })
  expect(made.networkInterfaces[0]).toMatchObject({ networkIP: expect.stringMatching(/^10\./), accessConfigs: [{ natIP: expect.stringMatching(/^127\./) }] })
  expect(made.metadata.items.map((item: { key: string }) => item.key)).toEqual(['ssh-keys', 'startup-script-status'])

  // The wrapped startup script writes its status with gcloud inside the machine; Packer reads it from the instance.
  const items = [...made.metadata.items.filter((item: { key: string }) => item.key !== 'startup-script-status'), { key: 'startup-script-status', value: 'done' }]
  await succeed(cloud, 'POST', `${zone}/instances/packer-1/setMetadata`, { fingerprint: made.metadata.fingerprint, items })
  expect(await inMachine(made.id, 'instance/attributes/startup-script-status')).toBe('done')
  expect((await get(`${zone}/instances/packer-1`)).metadata.items).toContainEqual({ key: 'startup-script-status', value: 'done' })
  expect((await get(`${zone}/instances/packer-1/serialPort`)).contents).toContain('started')

  await call('DELETE', `${zone}/instances/packer-1`, zone)
  expect((await get(`${zone}/disks/packer-1`)).users).toBeUndefined()
  await call('POST', `${api}/global/images`, `${api}/global`, {
    description: 'Created by Packer',
    family: 'baked',
    name: 'baked-1',
    sourceDisk: 'https://compute.googleapis.com/compute/v1/p-one/zones/us-central1-c/disks/packer-1',
    sourceType: 'RAW',
  })
  expect(await get(`${api}/global/images/baked-1`)).toMatchObject({ status: 'READY', family: 'baked', diskSizeGb: '20', selfLink: expect.any(String) })
  await call('DELETE', `${zone}/disks/packer-1`, zone)
  expect((await cloud.call('GET', `${zone}/disks/packer-1?${QUERY}`)).status).toBe(404)
})

test('the plugin: extra disks, project metadata, links that are paths, deprecation times', async () => {
  const project = await get(api)
  expect(project.commonInstanceMetadata).toMatchObject({ kind: 'compute#metadata', items: [] })
  await call('POST', `${zone}/disks`, zone, { name: 'packer-extra', sizeGb: '10', type: 'zones/us-central1-c/diskTypes/pd-ssd' })
  const body = instance('packer-2') as { disks: object[] }
  const extra = { autoDelete: false, boot: false, deviceName: 'packer-extra', mode: 'READ_WRITE', source: '/compute/v1/projects/p-one/zones/us-central1-c/disks/packer-extra' }
  await call('POST', `${zone}/instances`, zone, { ...body, disks: [...body.disks, extra], advancedMachineFeatures: { enableNestedVirtualization: false } })
  expect((await get(`${zone}/instances/packer-2`)).disks).toMatchObject([{ boot: true }, { deviceName: 'packer-extra', boot: false }])
  await call('DELETE', `${zone}/instances/packer-2`, zone)
  await call('POST', `${api}/global/images`, `${api}/global`, {
    name: 'baked-2',
    family: 'baked',
    sourceDisk: '/compute/v1/projects/p-one/zones/us-central1-c/disks/packer-2',
    architecture: 'X86_64',
    guestOsFeatures: [],
    labels: {},
  })
  const later = '2030-01-01T00:00:00Z'
  await call('POST', `${api}/global/images/baked-2/deprecate`, `${api}/global`, { deprecated: later, state: 'ACTIVE' })
  expect((await get(`${api}/global/images/baked-2`)).deprecated).toEqual({ state: 'ACTIVE', deprecated: later })
  expect((await get(`${api}/global/images/family/baked`)).name).toBe('baked-2')
  await call('POST', `${api}/global/images/baked-2/deprecate`, `${api}/global`, {})
  expect((await get(`${api}/global/images/baked-2`)).deprecated).toBeUndefined()
  for (const disk of ['packer-2', 'packer-extra']) await call('DELETE', `${zone}/disks/${disk}`, zone)
})

/** What the machine reads at its metadata address. */
async function inMachine(id: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { socketPath: join(bed.home.sockets, `m-${id}`), path: `/computeMetadata/v1/${path}`, headers: { 'metadata-flavor': 'Google', host: 'metadata.google.internal' } },
      (response) => {
        let text = ''
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve(text))
      },
    )
    call.on('error', reject).end()
  })
}
