/** Service accounts against a fake IAM. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeServiceAccounts } from '../testing/fake-management.ts'
import { serviceAccountKind } from './provider.ts'
import { serviceAccountEmail } from './resource.ts'
import { serviceAccountTerraform } from './terraform.ts'

const props = { projectId: 'p', accountId: 'reader', displayName: 'Reader', description: 'Managed by Kiln' }

kindContract(serviceAccountKind, {
  fake: fakeServiceAccounts,
  props,
  variants: [
    { props: { ...props, displayName: 'Reads' }, paths: ['displayName'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
  ],
  drift: { change: (service) => Object.assign(service.table.get('reader@p.iam.gserviceaccount.com'), { displayName: 'x' }), paths: ['displayName'] },
})

test('e-mail addresses, also of domain-scoped projects', () => {
  expect(serviceAccountEmail({ projectId: 'p', accountId: 'a' })).toBe('a@p.iam.gserviceaccount.com')
  expect(serviceAccountEmail({ projectId: 'example.com:web', accountId: 'a' })).toBe('a@web.example.com.iam.gserviceaccount.com')
})

test('Terraform', () => {
  expect(serviceAccountTerraform('reader', serviceAccountKind.parse(props))).toEqual({
    type: 'google_service_account',
    name: 'reader',
    body: { project: 'p', account_id: 'reader', display_name: 'Reader', description: 'Managed by Kiln' },
  })
})
