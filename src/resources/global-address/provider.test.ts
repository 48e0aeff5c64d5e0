/** Global addresses against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeGlobalAddresses } from '../testing/fake-serving.ts'
import { globalAddressKind } from './provider.ts'
import { globalAddressTerraform } from './terraform.ts'

const props = { projectId: 'p', name: 'serve-srv', description: 'Kiln', labels: { 'managed-by': 'kiln' } }

kindContract(globalAddressKind, {
  fake: fakeGlobalAddresses,
  props,
  variants: [{ props: { ...props, labels: { 'managed-by': 'kiln', team: 'a' } }, paths: ['labels.team'] }],
  drift: { change: (service) => service.meddle('serve-srv', { labels: {} }), paths: ['labels.managed-by'] },
})

test('Terraform', () => {
  expect(globalAddressTerraform('srv', globalAddressKind.parse(props))).toEqual({
    type: 'google_compute_global_address',
    name: 'srv',
    body: { project: 'p', name: 'serve-srv', address_type: 'EXTERNAL', ip_version: 'IPV4', labels: { 'managed-by': 'kiln' }, description: 'Kiln' },
  })
})
