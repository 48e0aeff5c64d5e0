/** Billing links against a fake Cloud Billing. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeBilling } from '../testing/fake-management.ts'
import { billingKind } from './provider.ts'
import { billingTerraform } from './terraform.ts'

const props = { projectId: 'p', billingAccount: '000000-AAAAAA-BBBBBB' }

kindContract(billingKind, {
  fake: fakeBilling,
  props,
  variants: [{ props: { ...props, billingAccount: '111111-AAAAAA-BBBBBB' }, paths: ['billingAccount'] }],
  drift: { change: (service) => Object.assign(service.table.get('p'), { billingAccountName: 'billingAccounts/other' }), paths: ['billingAccount'] },
})

test('Terraform', () => {
  expect(billingTerraform('p', props)).toEqual({ type: 'google_billing_project_info', name: 'p', body: { project: 'p', billing_account: '000000-AAAAAA-BBBBBB' } })
})
