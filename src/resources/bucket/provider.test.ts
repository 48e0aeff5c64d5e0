/** Buckets against a fake Cloud Storage. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeStorage } from '../testing/fake-machines.ts'
import { bucketKind } from './provider.ts'
import { bucketTerraform } from './terraform.ts'

const labels = { 'managed-by': 'kiln' }
const props = { projectId: 'p', name: 'b', location: 'us-central1', labels }

kindContract(bucketKind, {
  fake: () => fakeStorage('buckets'),
  props,
  variants: [
    { props: { ...props, labels: { ...labels, team: 'a' } }, paths: ['labels.team'] },
    { props: { ...props, location: 'eu' }, paths: ['location'], replaces: true },
  ],
  drift: {
    change: (service) =>
      Object.assign(service.buckets.get('b'), {
        labels: { 'managed-by': 'kiln', stray: 'x' },
        iamConfiguration: { publicAccessPrevention: 'enforced', uniformBucketLevelAccess: { enabled: false } },
      }),
    paths: ['uniformAccess', 'labels.stray'],
  },
})

function stored(metadata: Record<string, string>) {
  return { content: 'x', generation: 1, metadata, contentType: 'text/plain' }
}

test('removing deletes our objects, on all pages, and then the bucket', async () => {
  const service = fakeStorage('buckets')
  const fake = await startFake(service)
  await bucketKind.create(contextOf(fake), bucketKind.parse(props))
  for (const name of ['one', 'dir/two', 'three']) service.objects.insert(name, stored({ 'managed-by': 'kiln' }))
  await bucketKind.remove(contextOf(fake), { projectId: 'p', name: 'b' })
  expect([service.buckets.rows.size, service.objects.rows.size]).toEqual([0, 0])
  await fake.close()
})

test('an object of somebody else keeps the bucket, and the error names it', async () => {
  const service = fakeStorage('buckets')
  const fake = await startFake(service)
  await bucketKind.create(contextOf(fake), bucketKind.parse(props))
  service.objects.insert('ours', stored({ 'managed-by': 'kiln' }))
  service.objects.insert('state.json', stored({}))
  await expect(bucketKind.remove(contextOf(fake), { projectId: 'p', name: 'b' })).rejects.toMatchObject({ code: 'E_API', message: expect.stringContaining('state.json') })
  expect([...service.objects.rows.keys()]).toEqual(['state.json'])
  await fake.close()
})

test('Terraform', () => {
  expect(bucketTerraform('b', bucketKind.parse(props))).toEqual({
    type: 'google_storage_bucket',
    name: 'b',
    body: { project: 'p', name: 'b', location: 'US-CENTRAL1', uniform_bucket_level_access: true, public_access_prevention: 'enforced', labels },
  })
})
