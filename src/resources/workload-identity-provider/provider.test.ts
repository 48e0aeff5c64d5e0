/** Providers of workload identity pools against a fake of IAM that keeps deleted ones. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeProviders } from '../testing/fake-federation.ts'
import { startFake } from '../testing/fake-google.ts'
import { workloadIdentityProviderKind } from './provider.ts'
import { workloadIdentityProviderTerraform } from './terraform.ts'

const props = {
  projectId: 'p',
  poolId: 'github',
  providerId: 'actions',
  issuerUri: 'https://token.actions.githubusercontent.com',
  attributeMapping: { 'google.subject': 'assertion.sub', 'attribute.ref': 'assertion.ref' },
  attributeCondition: "assertion.repository_id == '42' && assertion.ref == 'refs/heads/main'",
}

kindContract(workloadIdentityProviderKind, {
  fake: fakeProviders,
  props,
  variants: [
    { props: { ...props, attributeCondition: "assertion.repository_id == '43'" }, paths: ['attributeCondition'] },
    { props: { ...props, attributeMapping: { 'google.subject': 'assertion.sub' } }, paths: ['attributeMapping.attribute.ref'] },
    { props: { ...props, description: 'x', displayName: 'y' }, paths: ['displayName', 'description'] },
  ],
  drift: {
    change: (service) => Object.assign(service.table.get('actions'), { attributeCondition: 'true', oidc: { issuerUri: props.issuerUri, allowedAudiences: ['a'], jwksJson: '{}' } }),
    paths: ['allowedAudiences', 'uploadedKeys', 'attributeCondition'],
  },
})

test('one that was deleted comes back with the condition of the config, never with its old one', async () => {
  const service = fakeProviders()
  const fake = await startFake(service)
  const context = contextOf(fake)
  const parsed = workloadIdentityProviderKind.parse(props)
  await workloadIdentityProviderKind.create(context, { ...parsed, attributeCondition: 'true' })
  await workloadIdentityProviderKind.remove(context, workloadIdentityProviderKind.identity(parsed))
  await workloadIdentityProviderKind.create(context, parsed)
  expect(service.table.get('actions')).toMatchObject({ state: 'ACTIVE', attributeCondition: props.attributeCondition })
  await fake.close()
})

test('a provider that takes every token of the issuer is refused', () => {
  expect(() => workloadIdentityProviderKind.parse({ ...props, attributeCondition: '' })).toThrow('attributeCondition')
})

test('Terraform', () => {
  expect(workloadIdentityProviderTerraform('actions', workloadIdentityProviderKind.parse(props))).toEqual({
    type: 'google_iam_workload_identity_pool_provider',
    name: 'actions',
    body: {
      project: 'p',
      workload_identity_pool_id: 'github',
      workload_identity_pool_provider_id: 'actions',
      attribute_mapping: props.attributeMapping,
      attribute_condition: props.attributeCondition,
      oidc: { issuer_uri: props.issuerUri },
    },
  })
})
