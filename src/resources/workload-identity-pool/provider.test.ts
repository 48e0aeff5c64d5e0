/** Workload identity pools against a fake of IAM that keeps deleted ones. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakePools } from '../testing/fake-federation.ts'
import { startFake } from '../testing/fake-google.ts'
import { workloadIdentityPoolKind } from './provider.ts'
import { workloadIdentityPoolTerraform } from './terraform.ts'

const props = { projectId: 'p', poolId: 'github', displayName: 'GitHub', description: 'Managed by Kiln' }

kindContract(workloadIdentityPoolKind, {
  fake: fakePools,
  props,
  variants: [
    { props: { ...props, displayName: 'Actions' }, paths: ['displayName'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
  ],
  drift: { change: (service) => Object.assign(service.table.get('github'), { disabled: true }), paths: ['disabled'] },
})

test('one that was deleted comes back, with what the config says now', async () => {
  const service = fakePools()
  const fake = await startFake(service)
  const context = contextOf(fake)
  await workloadIdentityPoolKind.create(context, workloadIdentityPoolKind.parse(props))
  await workloadIdentityPoolKind.remove(context, { projectId: 'p', poolId: 'github' })
  expect(await workloadIdentityPoolKind.create(context, workloadIdentityPoolKind.parse({ ...props, displayName: 'Again' }))).toMatchObject({
    name: 'projects/7/locations/global/workloadIdentityPools/github',
    displayName: 'Again',
  })
  expect(service.table.get('github')['state']).toBe('ACTIVE')
  await fake.close()
})

test('Terraform', () => {
  expect(workloadIdentityPoolTerraform('github', workloadIdentityPoolKind.parse(props))).toEqual({
    type: 'google_iam_workload_identity_pool',
    name: 'github',
    body: { project: 'p', workload_identity_pool_id: 'github', display_name: 'GitHub', description: 'Managed by Kiln' },
  })
})
