/** Managed certificates against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeSslCertificates } from '../testing/fake-serving.ts'
import { managedSslCertificateKind } from './provider.ts'
import { managedSslCertificateTerraform } from './terraform.ts'

const props = { projectId: 'p', name: 'serve-srv-1a2b', domains: ['www.example.com', 'example.com'], description: 'Kiln' }

kindContract(managedSslCertificateKind, {
  fake: fakeSslCertificates,
  props,
  variants: [{ props: { ...props, domains: ['example.com'] }, paths: ['domains'], replaces: true }],
  drift: { change: (service) => service.meddle('serve-srv-1a2b', { managed: { domains: ['other.example.com'] } }), paths: ['domains'] },
})

test('the order of names has no meaning; one that waits for its signature is no difference; an uploaded one is', () => {
  const observed = { name: 'a', selfLink: '', type: 'MANAGED', domains: ['example.com', 'www.example.com'], status: 'PROVISIONING' }
  expect(managedSslCertificateKind.diff(managedSslCertificateKind.parse(props), observed)).toEqual([])
  expect(managedSslCertificateKind.diff(managedSslCertificateKind.parse(props), { ...observed, type: 'SELF_MANAGED' })).toMatchObject([{ path: 'type', forcesReplacement: true }])
})

test('Terraform', () => {
  expect(managedSslCertificateTerraform('srv', managedSslCertificateKind.parse(props))).toEqual({
    type: 'google_compute_managed_ssl_certificate',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv-1a2b',
      managed: [{ domains: ['www.example.com', 'example.com'] }],
      description: 'Kiln',
      lifecycle: { create_before_destroy: true },
    },
  })
})
