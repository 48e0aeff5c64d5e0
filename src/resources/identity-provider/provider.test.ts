/** Identity providers against a fake Identity Platform. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secretDigest } from '../../client/secret-values.ts'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeIdentityProviders } from '../testing/fake-firebase.ts'
import { startFake } from '../testing/fake-google.ts'
import { identityProviderKind } from './provider.ts'
import { identityProviderTerraform } from './terraform.ts'

const name = 'projects/p/defaultSupportedIdpConfigs/google.com'
const props = {
  projectId: 'p',
  idpId: 'google.com',
  clientId: '1.apps.googleusercontent.com',
  secretFrom: 'env:KILN_TEST_IDP',
  digest: await secretDigest(Buffer.from('shh-one'), name),
}
const other = { ...props, secretFrom: 'env:KILN_TEST_IDP_OTHER', digest: await secretDigest(Buffer.from('shh-two'), name) }

beforeAll(() => {
  process.env['KILN_TEST_IDP'] = 'shh-one'
  process.env['KILN_TEST_IDP_OTHER'] = 'shh-two'
})
afterAll(() => {
  delete process.env['KILN_TEST_IDP']
  delete process.env['KILN_TEST_IDP_OTHER']
})

kindContract(identityProviderKind, {
  fake: fakeIdentityProviders,
  props,
  variants: [
    { props: { ...props, clientId: '2' }, paths: ['clientId'] },
    { props: other, paths: ['clientSecret'] },
  ],
  drift: { change: (service) => Object.assign(service.table.get('google.com'), { enabled: false }), paths: ['enabled'] },
})

test('the secret is neither in the plan nor in the attributes; without one here, the live one stays', async () => {
  const service = fakeIdentityProviders()
  const fake = await startFake(service)
  const observed = await identityProviderKind.create(contextOf(fake), identityProviderKind.parse(props))
  const differences = identityProviderKind.diff(identityProviderKind.parse(other), observed)
  expect(differences).toEqual([{ path: 'clientSecret', from: 'another value', to: 'the value of env:KILN_TEST_IDP_OTHER' }])
  expect(JSON.stringify([observed, differences])).not.toContain('shh')
  const absent = identityProviderKind.parse({ ...props, clientId: '3', secretFrom: 'env:KILN_TEST_ABSENT', digest: undefined })
  await identityProviderKind.update(contextOf(fake), absent, observed, identityProviderKind.diff(absent, observed))
  expect(service.table.get('google.com')).toMatchObject({ clientId: '3', clientSecret: 'shh-one' })
  await fake.close()
})

test('Terraform has none', () => {
  expect(identityProviderTerraform('x', identityProviderKind.parse(props))).toEqual({ noEquivalent: expect.stringContaining('state file') })
})
