import assert from 'node:assert/strict'
import compute from '@google-cloud/compute'

const project = process.env.PROJECT
const zone = process.env.ZONE
const region = process.env.REGION
const options = { fallback: true }

/** As Google's samples wait: `wait` answers when the operation is done, or after two minutes. */
async function done([response]) {
  let operation = response.latestResponse ?? response
  const last = (name) => operation[name]?.split('/').at(-1)
  while (operation.status !== 'DONE') {
    if (operation.zone) [operation] = await new compute.ZoneOperationsClient(options).wait({ project, zone: last('zone'), operation: operation.name })
    else if (operation.region) [operation] = await new compute.RegionOperationsClient(options).wait({ project, region: last('region'), operation: operation.name })
    else [operation] = await new compute.GlobalOperationsClient(options).wait({ project, operation: operation.name })
  }
  assert.deepEqual(operation.error?.errors ?? [], [])
  return operation
}
async function collect(pages) {
  const all = []
  for await (const each of pages) all.push(each)
  return all
}

const zones = await collect(new compute.ZonesClient(options).listAsync({ project }))
assert.ok(zones.some((each) => each.name === zone && each.status === 'UP'))

const addresses = new compute.AddressesClient(options)
await done(await addresses.insert({ project, region, addressResource: { name: 'front', description: 'one' } }))
const [address] = await addresses.get({ project, region, address: 'front' })
assert.match(address.address, /^\d+\.\d+\.\d+\.\d+$/)
await assert.rejects(addresses.insert({ project, region, addressResource: { name: 'front' } }), { httpStatusCode: 409 })

const disks = new compute.DisksClient(options)
await done(await disks.insert({ project, zone, diskResource: { name: 'data', sizeGb: 10, labels: { made: 'here' } } }))
const [disk] = await disks.get({ project, zone, disk: 'data' })
assert.deepEqual([disk.status, String(disk.sizeGb), disk.labels], ['READY', '10', { made: 'here' }])
await done(await disks.resize({ project, zone, disk: 'data', disksResizeRequestResource: { sizeGb: 11 } }))
const scoped = (await collect(disks.aggregatedListAsync({ project }))).filter(([, scope]) => (scope.disks ?? []).length > 0)
assert.deepEqual(
  scoped.map(([name, scope]) => [name, scope.disks.map((each) => `${each.name} ${each.sizeGb}`)]),
  [[`zones/${zone}`, ['data 11']]],
)

const images = new compute.ImagesClient(options)
await done(await images.insert({ project, imageResource: { name: 'golden-1', family: 'golden', sourceDisk: disk.selfLink } }))
await done(await images.insert({ project, imageResource: { name: 'golden-2', family: 'golden', sourceDisk: disk.selfLink } }))
assert.equal((await images.getFromFamily({ project, family: 'golden' }))[0].name, 'golden-2')
await done(await images.deprecate({ project, image: 'golden-2', deprecationStatusResource: { state: 'DEPRECATED' } }))
assert.equal((await images.getFromFamily({ project, family: 'golden' }))[0].name, 'golden-1')
assert.deepEqual(
  (await collect(images.listAsync({ project, filter: 'name = golden-2' }))).map((each) => each.name),
  ['golden-2'],
)
assert.deepEqual((await collect(images.listAsync({ project, maxResults: 1 }))).map((each) => each.name).sort(), ['golden-1', 'golden-2'])

await assert.rejects(images.get({ project, image: 'none' }), { httpStatusCode: 404 })
await assert.rejects(disks.insert({ project, zone, diskResource: { name: 'No_Name', sizeGb: 10 } }), { httpStatusCode: 400 })
await assert.rejects(disks.get({ project, zone: 'nowhere-1-a', disk: 'data' }), (error) => error.httpStatusCode === 404 || error.httpStatusCode === 400)
assert.deepEqual(
  (await collect(new compute.InstancesClient(options).aggregatedListAsync({ project }))).flatMap(([, scope]) => scope.instances ?? []),
  [],
)

for (const image of ['golden-1', 'golden-2']) await done(await images.delete({ project, image }))
await done(await disks.delete({ project, zone, disk: 'data' }))
await done(await addresses.delete({ project, region, address: 'front' }))
await assert.rejects(disks.get({ project, zone, disk: 'data' }), { httpStatusCode: 404 })
