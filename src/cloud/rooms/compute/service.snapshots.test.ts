import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../../host/exec.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, instanceBody, operate, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
})
afterAll(() => bed.close())

/** Four bytes of a disk's file at an offset, as the machine would read them. */
async function bytesOf(disk: string, offset: number, length: number): Promise<string> {
  const { id } = await bed.get(`${zone}/disks/${disk}`)
  const path = join(bed.home.cloud, 'disks', `${id}.qcow2`)
  const { stdout } = await run({ program: 'qemu-io', args: ['-f', 'qcow2', '-r', '-c', `read -v ${offset} ${length}`, path] })
  return stdout
}

async function write(disk: string, pattern: string): Promise<void> {
  const { id } = await bed.get(`${zone}/disks/${disk}`)
  await run({ program: 'qemu-io', args: ['-f', 'qcow2', '-c', `write -P ${pattern} 1048576 4096`, join(bed.home.cloud, 'disks', `${id}.qcow2`)] })
}

test('a snapshot keeps a disk as it was, and disks and images are made from it', async () => {
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'data', sourceImage: 'global/images/srv-1', sizeGb: '2' })
  await write('data', '0x41')
  const done = await succeed(cloud, 'POST', `${zone}/disks/data/createSnapshot`, { name: 'snap', labels: { a: 'b' }, description: 'before' })
  expect(done).toMatchObject({ zone: expect.stringMatching(/us-central1-c$/) })
  await write('data', '0x42')
  const snapshot = await bed.get(`${api}/global/snapshots/snap`)
  expect(snapshot).toMatchObject({
    kind: 'compute#snapshot',
    status: 'READY',
    diskSizeGb: '2',
    sourceDisk: expect.stringMatching(/disks\/data$/),
    storageBytesStatus: 'UP_TO_DATE',
    labels: { a: 'b' },
    guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }],
  })
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'restored', sourceSnapshot: 'global/snapshots/snap', sizeGb: '3' })
  expect(await bytesOf('restored', 1_048_576, 4)).toContain('41 41 41 41')
  expect(await bytesOf('data', 1_048_576, 4)).toContain('42 42 42 42')
  expect(await bed.get(`${zone}/disks/restored`)).toMatchObject({ sizeGb: '3', sourceSnapshotId: snapshot.id, guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }] })
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'less', sourceSnapshot: 'global/snapshots/snap', sizeGb: '1' } })).json.error.message).toContain(
    'snapshot size (2 GB)',
  )
  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'of-snap', sourceSnapshot: snapshot.selfLink })
  expect(await bed.get(`${api}/global/images/of-snap`)).toMatchObject({ status: 'READY', diskSizeGb: '2', sourceSnapshot: snapshot.selfLink })
  const body = instanceBody('from-snap') as { disks: object[] }
  await succeed(cloud, 'POST', `${zone}/instances`, { ...body, disks: [{ boot: true, autoDelete: true, initializeParams: { sourceSnapshot: 'global/snapshots/snap' } }] })
  expect(await bytesOf('from-snap', 1_048_576, 4)).toContain('41 41 41 41')
  await succeed(cloud, 'DELETE', `${zone}/instances/from-snap`)

  // The bytes stay while something stands on them, and not longer.
  await succeed(cloud, 'DELETE', `${api}/global/snapshots/snap`)
  expect((await cloud.call('GET', `${api}/global/snapshots/snap`)).status).toBe(404)
  expect(await readdir(join(bed.home.cloud, 'images'))).toContain(`${snapshot.id}.raw`)
  await succeed(cloud, 'DELETE', `${zone}/disks/restored`)
  await succeed(cloud, 'DELETE', `${api}/global/images/of-snap`)
  expect(await readdir(join(bed.home.cloud, 'images'))).not.toContain(`${snapshot.id}.raw`)
})

test('snapshots: the global form, labels, names, permissions, and a disk that is being written', async () => {
  await succeed(cloud, 'POST', `${api}/global/snapshots`, { name: 'second', sourceDisk: 'projects/p-one/zones/us-central1-c/disks/data' })
  expect((await cloud.call('POST', `${zone}/disks/data/createSnapshot`, { body: { name: 'second' } })).status).toBe(409)
  expect((await cloud.call('POST', `${zone}/disks/nope/createSnapshot`, { body: { name: 'third' } })).status).toBe(404)
  expect((await cloud.call('POST', `${api}/global/snapshots`, { body: { name: 'third' } })).status).toBe(400)
  const { labelFingerprint } = await bed.get(`${api}/global/snapshots/second`)
  expect((await cloud.call('POST', `${api}/global/snapshots/second/setLabels`, { body: { labels: {}, labelFingerprint: 'AAAA' } })).status).toBe(412)
  await succeed(cloud, 'POST', `${api}/global/snapshots/second/setLabels`, { labels: { c: 'd' }, labelFingerprint })
  expect((await bed.get(`${api}/global/snapshots`)).items.map((item: { labels: object }) => item.labels)).toEqual([{ c: 'd' }])
  cloud.kernel().policies.grant('projects/p-one', 'roles/compute.viewer', 'user:reader@example.com')
  const token = cloud.userToken('reader@example.com')
  expect((await cloud.call('GET', `${api}/global/snapshots/second`, { token })).status).toBe(200)
  expect((await cloud.call('DELETE', `${api}/global/snapshots/second`, { token })).status).toBe(403)
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('writer'))
  const refused = await cloud.call('POST', `${zone}/disks/writer/createSnapshot`, { body: { name: 'torn' } })
  expect(refused.json.error).toMatchObject({ code: 400, errors: [{ reason: 'resourceInUseByAnotherResource' }], message: expect.stringContaining('stop it first') })
  await succeed(cloud, 'POST', `${zone}/instances/writer/stop`)
  await succeed(cloud, 'POST', `${zone}/disks/writer/createSnapshot`, { name: 'whole' })
  await succeed(cloud, 'DELETE', `${zone}/instances/writer`)
})

test('a disk copied from another one goes its own way', async () => {
  await write('data', '0x51')
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'copy', sourceDisk: 'zones/us-central1-c/disks/data', sizeGb: '4' })
  await write('data', '0x52')
  expect(await bytesOf('copy', 1_048_576, 4)).toContain('51 51 51 51')
  expect(await bed.get(`${zone}/disks/copy`)).toMatchObject({ status: 'READY', sizeGb: '4', sourceDisk: expect.stringMatching(/disks\/data$/) })
  const elsewhere = await cloud.call('POST', `${api}/zones/us-central1-a/disks`, { body: { name: 'copy', sourceDisk: 'zones/us-central1-c/disks/data' } })
  expect(elsewhere.json.error.message).toContain('same zone')
})

test('an import checks the SHA-1 of its archive when it is given', async () => {
  const { stdout } = await run({ program: 'sha1sum', args: [bed.archives.sparse] })
  const sha1Checksum = stdout.slice(0, 40)
  const source = 'https://storage.googleapis.com/up/sparse.tar.gz'
  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'summed', rawDisk: { source, sha1Checksum } })
  const wrong = await operate(cloud, 'POST', `${api}/global/images`, { name: 'unsummed', rawDisk: { source, sha1Checksum: 'a'.repeat(40) } })
  expect(wrong.error.errors[0].message).toContain(sha1Checksum)
  expect((await cloud.call('GET', `${api}/global/images/unsummed`)).status).toBe(404)
  expect((await cloud.call('POST', `${api}/global/images`, { body: { name: 'x', rawDisk: { source, sha1Checksum: 'nonsense' } } })).status).toBe(400)
})

test('a snapshot that the daemon did not finish is made by the next one', async () => {
  await write('data', '0x61')
  const done = await succeed(cloud, 'POST', `${zone}/disks/data/createSnapshot`, { name: 'half' })
  const { id } = await bed.get(`${api}/global/snapshots/half`)
  // What a kill -9 leaves: row and operation as they were before the work, and no file.
  const { database } = cloud.kernel()
  const row = database.get<{ record: string }>('SELECT record FROM compute_resources WHERE id = ?', id)
  database.run('UPDATE compute_resources SET record = ? WHERE id = ?', JSON.stringify({ ...JSON.parse(row?.record ?? '{}'), status: 'CREATING' }), id)
  const operation = cloud.kernel().operations.get(done.name)
  database.run("UPDATE operations SET status = 'RUNNING', record = ? WHERE name = ?", JSON.stringify({ ...operation, status: 'RUNNING' }), done.name)
  await rm(join(bed.home.cloud, 'images', `${id}.raw`))
  await cloud.restart()
  expect(await cloud.kernel().operations.wait(done.name, 10_000)).toMatchObject({ status: 'DONE' })
  expect((await bed.get(`${api}/global/snapshots/half`)).status).toBe('READY')
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'from-half', sourceSnapshot: 'global/snapshots/half' })
  expect(await bytesOf('from-half', 1_048_576, 4)).toContain('61 61 61 61')
})
