import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MIB } from '../../../base/units.ts'
import { waitFor } from '../../../base/wait.ts'
import { run } from '../../../host/exec.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, importImage, operate, sha256File, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
})
afterAll(() => bed.close())

async function get(path: string): Promise<Awaited<ReturnType<TestCloud['call']>>['json']> {
  return bed.get(path)
}

/** An image that shares the bytes of the first one. */
async function copyImage(name: string, fields: object = {}): Promise<void> {
  await succeed(cloud, 'POST', `${api}/global/images`, { name, sourceImage: 'global/images/srv-1', ...fields })
}

test('an import keeps the bytes of the disk', async () => {
  const image = await get(`${api}/global/images/srv-1`)
  expect(image).toMatchObject({
    kind: 'compute#image',
    status: 'READY',
    diskSizeGb: '1',
    sourceType: 'RAW',
    guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }],
    selfLink: 'https://www.googleapis.com/compute/v1/projects/p-one/global/images/srv-1',
  })
  const raw = join(bed.home.cloud, 'images', `${image.id}.raw`)
  expect(await sha256File(raw)).toBe(bed.archives.rawSha256)
  // Holes stay holes: 1 GiB takes well under 10 MiB.
  expect((await stat(raw)).blocks * 512).toBeLessThan(10 * MIB)
})

test('a bad archive fails the operation with the reason and leaves no image and no file', async () => {
  const before = await readdir(join(bed.home.cloud, 'images'))
  const cases = [
    ['wrongName', 'other.img'],
    ['oddSize', 'not a multiple of 1 GB'],
  ] as const
  for (const [object, reason] of cases) {
    const done = await operate(cloud, 'POST', `${api}/global/images`, { name: 'bad', rawDisk: { source: `gs://up/${object}.tar.gz` } })
    expect(done.httpErrorStatusCode).toBe(400)
    expect(done.error.errors[0]).toMatchObject({ code: 'INVALID_USAGE', message: expect.stringContaining(reason) })
    expect((await cloud.call('GET', `${api}/global/images/bad`)).status).toBe(404)
  }
  bed.world.objects.set('up/not-gzip', join(bed.archives.folder, 'disk.raw'))
  const done = await operate(cloud, 'POST', `${api}/global/images`, { name: 'bad', rawDisk: { source: 'gs://up/not-gzip' } })
  expect(done.error.errors[0].message).toContain('not a gzip file')
  expect(await readdir(join(bed.home.cloud, 'images'))).toEqual(before)
  expect((await cloud.call('POST', `${api}/global/images`, { body: { name: 'bad', rawDisk: { source: 'gs://up/missing.tar.gz' } } })).json.error.message).toContain(
    'gs://up/missing.tar.gz was not found',
  )
})

test('an import needs storage.objects.get on its object', async () => {
  cloud.kernel().policies.grant('projects/p-one', 'roles/compute.admin', 'user:builder@example.com')
  const token = cloud.userToken('builder@example.com')
  const body = { name: 'denied', rawDisk: { source: 'gs://up/sparse.tar.gz' } }
  const denied = await cloud.call('POST', `${api}/global/images`, { token, body })
  expect(denied.status).toBe(403)
  expect(denied.json.error.message).toContain('storage.objects.get')
})

test('an import that the daemon did not finish is done again by the next one', async () => {
  bed.world.stallAfterBytes = 600
  const started = await cloud.call('POST', `${api}/global/images`, { body: { name: 'again', rawDisk: { source: 'gs://up/sparse.tar.gz' } } })
  await waitFor({ what: 'the import has begun', timeoutMs: 5000, intervalMs: 10 }, async () => {
    const parts = (await readdir(join(bed.home.cloud, 'images'))).filter((name) => name.endsWith('.part'))
    return parts.length === 1 ? { done: true, value: undefined } : { done: false, status: String(parts.length) }
  })
  expect((await get(`${api}/global/images/again`)).status).toBe('PENDING')
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'early', sourceImage: 'global/images/again' } })).json.error.errors[0].reason).toBe('resourceNotReady')
  expect((await cloud.call('DELETE', `${api}/global/images/again`)).json.error).toMatchObject({ code: 400, errors: [{ reason: 'resourceNotReady' }] })
  delete bed.world.stallAfterBytes
  await cloud.restart()
  expect(await cloud.kernel().operations.wait(started.json.name, 20_000)).toMatchObject({ status: 'DONE' })
  expect((await get(`${api}/global/images/again`)).status).toBe('READY')
  expect((await readdir(join(bed.home.cloud, 'images'))).filter((name) => name.endsWith('.part'))).toEqual([])
})

test('a family is its newest image that is ready and not deprecated', async () => {
  await copyImage('fam-1')
  expect((await cloud.call('GET', `${api}/global/images/family/fam`)).status).toBe(404)
  await succeed(cloud, 'PATCH', `${api}/global/images/fam-1`, { family: 'fam' })
  await copyImage('fam-2', { family: 'fam' })
  expect((await get(`${api}/global/images/family/fam`)).name).toBe('fam-2')
  await succeed(cloud, 'POST', `${api}/global/images/fam-2/deprecate`, { state: 'OBSOLETE', replacement: 'global/images/fam-1' })
  expect((await get(`${api}/global/images/family/fam`)).name).toBe('fam-1')
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'old', sourceImage: 'global/images/fam-2' } })).json.error.message).toContain('OBSOLETE')
  await succeed(cloud, 'POST', `${api}/global/images/fam-2/deprecate`, { state: 'ACTIVE' })
  expect((await get(`${api}/global/images/family/fam`)).name).toBe('fam-2')
  // The form in which gcloud names the families of Google's own projects.
  for (const place of ['-', 'us-central1-c']) expect((await get(`${api}/zones/${place}/imageFamilyViews/fam`)).image.name).toBe('fam-2')
  for (const path of ['zones/-/imageFamilyViews/none', 'zones/nowhere/imageFamilyViews/fam']) expect((await cloud.call('GET', `${api}/${path}`)).status).toBe(404)
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'of-family', sourceImage: 'projects/p-one/zones/-/imageFamilyViews/fam' })
  expect((await get(`${zone}/disks/of-family`)).sourceImage).toMatch(/\/global\/images\/fam-2$/)
  await succeed(cloud, 'DELETE', `${zone}/disks/of-family`)
  const listed = await get(`${api}/global/images?filter=${encodeURIComponent('family=fam')}`)
  expect(listed.items.map((image: { name: string }) => image.name)).toEqual(['fam-1', 'fam-2'])
})

test('labels change only with the fingerprint that was read', async () => {
  const image = await get(`${api}/global/images/srv-1`)
  expect((await cloud.call('POST', `${api}/global/images/srv-1/setLabels`, { body: { labels: { a: 'b' }, labelFingerprint: 'AAAA' } })).status).toBe(412)
  await succeed(cloud, 'POST', `${api}/global/images/srv-1/setLabels`, { labels: { a: 'b' }, labelFingerprint: image.labelFingerprint })
  expect((await get(`${api}/global/images/srv-1`)).labels).toEqual({ a: 'b' })
  expect((await cloud.call('POST', `${api}/global/images`, { body: { name: 'x', labels: { 'Not ok': '' }, sourceImage: 'global/images/srv-1' } })).status).toBe(400)
})

test('a fingerprint counts in either base64 alphabet, since gcloud sends the URL-safe one', async () => {
  // Values differ until one of them has a character in which the alphabets differ.
  for (let round = 0; round < 20; round += 1) {
    const { labelFingerprint } = await get(`${api}/global/images/srv-1`)
    await succeed(cloud, 'POST', `${api}/global/images/srv-1/setLabels`, {
      labels: { round: String(round) },
      labelFingerprint: labelFingerprint.replaceAll('+', '-').replaceAll('/', '_'),
    })
    expect((await get(`${api}/global/images/srv-1`)).labels).toEqual({ round: String(round) })
  }
})

test('an image that was deleted keeps its bytes while a disk stands on them', async () => {
  await importImage(cloud, 'base')
  const { id } = await get(`${api}/global/images/base`)
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'stands', sourceImage: 'https://compute.googleapis.com/compute/v1/p-one/global/images/base', sizeGb: '2' })
  await succeed(cloud, 'DELETE', `${api}/global/images/base`)
  expect(await readdir(join(bed.home.cloud, 'images'))).toContain(`${id}.raw`)
  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'flat', sourceDisk: '/compute/v1/projects/p-one/zones/us-central1-c/disks/stands' })
  expect(await get(`${api}/global/images/flat`)).toMatchObject({ diskSizeGb: '2', status: 'READY' })
  await succeed(cloud, 'DELETE', `${zone}/disks/stands`)
  expect(await readdir(join(bed.home.cloud, 'images'))).not.toContain(`${id}.raw`)
  expect((await readdir(join(bed.home.cloud, 'disks'))).filter((name) => name.startsWith(id))).toEqual([])
})

test('a disk: size rules, resize, labels, in use', async () => {
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'small', sourceImage: 'global/images/srv-1', sizeGb: '0' } })).json.error.message).toContain(
    'smaller than the image size',
  )
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'data', sizeGb: 11 })
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: 'data', sizeGb: 11 } })).status).toBe(409)
  await succeed(cloud, 'POST', `${zone}/disks/data/resize`, { sizeGb: '13' })
  const disk = await get(`${zone}/disks/data`)
  expect(disk).toMatchObject({ sizeGb: '13', status: 'READY', type: expect.stringContaining('diskTypes/pd-standard') })
  const info = JSON.parse((await run({ program: 'qemu-img', args: ['info', '--output=json', join(bed.home.cloud, 'disks', `${disk.id}.qcow2`)] })).stdout) as {
    'virtual-size': number
  }
  expect(info['virtual-size']).toBe(13 * 1024 ** 3)
  expect((await cloud.call('POST', `${zone}/disks/data/resize`, { body: { sizeGb: '2' } })).status).toBe(400)
  await succeed(cloud, 'DELETE', `${zone}/disks/data`)
})

test('images of another project are for those who have a role there, on the project or on the image', async () => {
  cloud.addProject('p-two')
  const disks = 'compute.googleapis.com/compute/v1/projects/p-two/zones/us-central1-c/disks'
  cloud.kernel().policies.grant('projects/p-two', 'roles/compute.admin', 'user:two@example.com')
  const token = cloud.userToken('two@example.com')
  const body = (name: string): object => ({ name, sourceImage: 'projects/p-one/global/images/srv-1' })
  const denied = await cloud.call('POST', disks, { token, body: body('denied') })
  expect(denied.json.error).toMatchObject({ code: 403, message: expect.stringContaining('compute.images.useReadOnly') })
  // A missing image looks no different to somebody without the role.
  expect((await cloud.call('POST', disks, { token, body: { name: 'denied', sourceImage: 'projects/p-one/global/images/missing' } })).status).toBe(403)
  const { etag } = await get(`${api}/global/images/srv-1/getIamPolicy`)
  const policy = { etag, bindings: [{ role: 'roles/compute.imageUser', members: ['user:two@example.com'] }] }
  expect((await cloud.call('POST', `${api}/global/images/srv-1/setIamPolicy`, { body: { policy } })).status).toBe(200)
  const made = await cloud.call('POST', disks, { token, body: body('allowed') })
  expect(made.status, made.text).toBe(200)
  await cloud.kernel().operations.wait(made.json.name, 10_000)
  expect((await cloud.call('GET', `${disks}/allowed`, { token })).json).toMatchObject({
    status: 'READY',
    sourceImage: expect.stringContaining('projects/p-one/global/images/srv-1'),
  })
  const asked = await cloud.call('POST', `${api}/global/images/srv-1/testIamPermissions`, { token, body: { permissions: ['compute.images.useReadOnly', 'compute.images.delete'] } })
  expect(asked.json.permissions).toEqual(['compute.images.useReadOnly'])
})
