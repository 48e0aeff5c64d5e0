import { afterAll, beforeAll, expect, test } from 'vitest'
import { api, succeed, zone } from '../testing.ts'
import { neededAction } from './bodies.ts'
import { startGroupWorld, templateBody } from './testing.ts'
import type { GroupWorld } from './testing.ts'

let world: GroupWorld
const templates = `${api}/global/instanceTemplates`

beforeAll(async () => {
  world = await startGroupWorld()
  await succeed(world.cloud, 'POST', `${zone}/disks`, { name: 'blank', sizeGb: '10' })
  await succeed(world.cloud, 'POST', `${api}/global/images`, { name: 'srv-1', family: 'srv', sourceDisk: `zones/us-central1-c/disks/blank` })
})
afterAll(() => world.close())

function fromImage(sourceImage: string): object {
  return { disks: [{ autoDelete: true, boot: true, initializeParams: { sourceImage, diskSizeGb: 10, diskType: 'pd-balanced' } }] }
}

test('what was sent comes back as it was sent, with the fields that Google adds', async () => {
  const family = 'https://compute.googleapis.com/compute/v1/projects/p-one/global/images/family/srv'
  const properties = {
    ...fromImage(family),
    labels: { app: 'web' },
    tags: { items: ['http-server'] },
    metadata: { items: [null, { key: 'startup-script', value: '#! /bin/sh\ntrue' }] },
    serviceAccounts: [{ email: 'default', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }],
    shieldedInstanceConfig: { enableSecureBoot: true },
  }
  await world.template('kept', properties)
  expect(await world.get(`${templates}/kept`)).toMatchObject({
    kind: 'compute#instanceTemplate',
    name: 'kept',
    selfLink: 'https://www.googleapis.com/compute/v1/projects/p-one/global/instanceTemplates/kept',
    properties: {
      machineType: 'e2-micro',
      labels: { app: 'web' },
      tags: { items: ['http-server'] },
      metadata: { kind: 'compute#metadata', items: [{ key: 'startup-script', value: '#! /bin/sh\ntrue' }] },
      disks: [
        {
          kind: 'compute#attachedDisk',
          index: 0,
          boot: true,
          autoDelete: true,
          mode: 'READ_WRITE',
          type: 'PERSISTENT',
          initializeParams: { sourceImage: family.replace('compute.googleapis.com', 'www.googleapis.com'), diskSizeGb: '10', diskType: 'pd-balanced' },
        },
      ],
      networkInterfaces: [{ name: 'nic0', network: 'https://www.googleapis.com/compute/v1/projects/p-one/global/networks/default', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }],
      scheduling: { automaticRestart: true, onHostMaintenance: 'MIGRATE', preemptible: false },
      serviceAccounts: properties.serviceAccounts,
      shieldedInstanceConfig: { enableSecureBoot: true },
    },
  })
  expect((await world.get(templates)).items.map((each: { name: string }) => each.name)).toEqual(['kept'])
  expect((await world.cloud.call('POST', templates, { body: templateBody('kept') })).status).toBe(409)
})

test('Terraform names one incarnation of a template in its path', async () => {
  const { id } = await world.get(`${templates}/kept`)
  for (const form of [`kept%3FuniqueId=${id}`, id]) expect((await world.get(`${templates}/${form}`)).name).toBe('kept')
  for (const form of ['kept%3FuniqueId=1', '1']) expect((await world.cloud.call('GET', `${templates}/${form}`)).status).toBe(404)
})

test('a regional template is beside the global ones', async () => {
  const regional = `${api}/regions/us-central1/instanceTemplates`
  await succeed(world.cloud, 'POST', regional, templateBody('near'))
  expect(await world.get(`${regional}/near`)).toMatchObject({ region: expect.stringMatching(/regions\/us-central1$/) })
  expect(Object.keys((await world.get(`${api}/aggregated/instanceTemplates`)).items).toSorted()).toEqual(['global', 'regions/us-central1'])
  await succeed(world.cloud, 'DELETE', `${regional}/near`)
  expect((await world.cloud.call('GET', `${regional}/near`)).status).toBe(404)
})

test('what could never make a machine is refused at once', async () => {
  const bad = [
    { name: 'Bad', properties: (templateBody('x') as { properties: object }).properties },
    { name: 'bad' },
    templateBody('bad', { machineType: '' }),
    templateBody('bad', { disks: [] }),
    templateBody('bad', { disks: [{ boot: true }] }),
    templateBody('bad', { networkInterfaces: [] }),
    templateBody('bad', { labels: { 'No Good': '' } }),
    templateBody('bad', { metadata: { items: [{ key: 'a b', value: '' }] } }),
    templateBody('bad', fromImage('global/images/none')),
    { name: 'bad', sourceInstance: 'zones/us-central1-c/instances/x' },
  ]
  for (const body of bad) expect([400, 404], JSON.stringify(body)).toContain((await world.cloud.call('POST', templates, { body })).status)
})

test('a family is looked up for each machine, an image that is named stays', async () => {
  await world.template('family', fromImage('global/images/family/srv'))
  await world.template('pinned', fromImage('projects/p-one/global/images/srv-1'))
  await succeed(world.cloud, 'POST', `${api}/global/images`, { name: 'srv-2', family: 'srv', sourceImage: 'global/images/srv-1' })
  for (const [name, image] of [
    ['family', 'srv-2'],
    ['pinned', 'srv-1'],
  ] as const) {
    await world.group(name, { instanceTemplate: `global/instanceTemplates/${name}`, targetSize: 1 })
    await world.stable(name)
    const [instance] = await world.list(name)
    expect((await world.get(`${zone}/disks/${instance.name}`)).sourceImage).toMatch(new RegExp(`/${image}$`))
  }
})

test('what an update takes depends on what differs', () => {
  const base = { machineType: 'e2-micro', disks: [{ boot: true }], metadata: { fingerprint: 'a', items: [{ key: 'k', value: '1' }] }, labels: { a: 'b' } }
  expect(neededAction(base, { ...base, metadata: { fingerprint: 'b', items: [{ key: 'k', value: '1' }] } })).toBe('NONE')
  expect(neededAction(base, { ...base, metadata: { items: [{ key: 'k', value: '2' }] } })).toBe('REFRESH')
  expect(neededAction(base, { ...base, tags: { items: ['x'] } })).toBe('REFRESH')
  expect(neededAction(base, { ...base, machineType: 'e2-small' })).toBe('RESTART')
  expect(neededAction(base, { ...base, disks: [{ boot: true, diskSizeGb: '20' }] })).toBe('REPLACE')
  expect(neededAction(undefined, base)).toBe('REPLACE')
})
