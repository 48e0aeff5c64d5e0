/** Secrets against a fake Secret Manager. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeSecrets } from '../testing/fake-management.ts'
import { secretKind } from './provider.ts'
import { secretTerraform } from './terraform.ts'

const props = { projectId: 'p', secretId: 'token', labels: { 'managed-by': 'kiln' } }

kindContract(secretKind, {
  fake: fakeSecrets,
  props,
  variants: [{ props: { ...props, labels: { 'managed-by': 'kiln', team: 'a' } }, paths: ['labels.team'] }],
  drift: { change: (service) => Object.assign(service.table.get('token'), { labels: {} }), paths: ['labels.managed-by'] },
})

test('Terraform', () => {
  expect(secretTerraform('token', secretKind.parse(props))).toEqual({
    type: 'google_secret_manager_secret',
    name: 'token',
    body: { project: 'p', secret_id: 'token', replication: { auto: {} }, labels: { 'managed-by': 'kiln' } },
  })
})
