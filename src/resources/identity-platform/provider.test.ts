/** Sign-in against a fake Identity Platform. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeIdentityPlatform } from '../testing/fake-firebase.ts'
import { startFake } from '../testing/fake-google.ts'
import { identityPlatformKind } from './provider.ts'
import { identityPlatformTerraform } from './terraform.ts'

const domains = ['localhost', 'p.firebaseapp.com', 'p.web.app']
const props = { projectId: 'p', email: true, authorizedDomains: [...domains, 'dev.example.com'] }

kindContract(identityPlatformKind, {
  fake: fakeIdentityPlatform,
  props,
  variants: [
    { props: { ...props, email: false, phone: true, anonymous: true }, paths: ['email', 'phone', 'anonymous'] },
    { props: { ...props, authorizedDomains: domains }, paths: ['authorizedDomains'] },
  ],
  drift: { change: (service) => service.change({ signIn: { email: { enabled: false } } }), paths: ['email'] },
})

test('the order of domains is no difference', () => {
  const parsed = identityPlatformKind.parse(props)
  const observed = { email: true, phone: false, anonymous: false, authorizedDomains: [...props.authorizedDomains].toSorted() }
  expect(identityPlatformKind.diff({ ...parsed, authorizedDomains: parsed.authorizedDomains.toReversed() }, observed)).toEqual([])
})

test('with an identity provider alone it is there too, and asking costs no more than two reads', async () => {
  const service = fakeIdentityPlatform()
  const fake = await startFake(service)
  const parsed = identityPlatformKind.parse({ projectId: 'p', authorizedDomains: domains })
  await identityPlatformKind.create(contextOf(fake), parsed)
  expect(await identityPlatformKind.observe(contextOf(fake), { projectId: 'p' })).toBeUndefined()
  service.providers.insert('google.com', { enabled: true })
  expect(await identityPlatformKind.observe(contextOf(fake), { projectId: 'p' })).toMatchObject({ email: false })
  await fake.close()
})

test('Terraform', () => {
  expect(identityPlatformTerraform('auth', identityPlatformKind.parse({ ...props, anonymous: true }))).toEqual({
    type: 'google_identity_platform_config',
    name: 'auth',
    body: {
      project: 'p',
      authorized_domains: props.authorizedDomains,
      sign_in: { email: { enabled: true, password_required: true }, phone_number: { enabled: false }, anonymous: { enabled: true } },
    },
  })
})
