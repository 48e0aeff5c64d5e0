/** Target HTTPS proxies against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeTargetHttpsProxies } from '../testing/fake-serving.ts'
import { targetHttpsProxyKind } from './provider.ts'
import { targetHttpsProxyTerraform } from './terraform.ts'

const base = 'https://www.googleapis.com/compute/v1/projects/p/global'
const props = { projectId: 'p', name: 'serve-srv-https', urlMap: `${base}/urlMaps/serve-srv`, certificates: [`${base}/sslCertificates/a`], description: 'Kiln' }

kindContract(targetHttpsProxyKind, {
  fake: fakeTargetHttpsProxies,
  props,
  variants: [
    { props: { ...props, urlMap: `${base}/urlMaps/other` }, paths: ['urlMap'] },
    { props: { ...props, certificates: [`${base}/sslCertificates/b`] }, paths: ['certificates'] },
    { props: { ...props, certificates: [`${base}/sslCertificates/b`, `${base}/sslCertificates/a`], urlMap: `${base}/urlMaps/other` }, paths: ['urlMap', 'certificates'] },
  ],
  drift: { change: (service) => service.meddle('serve-srv-https', { sslCertificates: ['projects/p/global/sslCertificates/other'] }), paths: ['certificates'] },
})

test('Terraform', () => {
  const parsed = targetHttpsProxyKind.parse({ ...props, certificates: ['${google_compute_managed_ssl_certificate.srv.self_link}'] })
  expect(targetHttpsProxyTerraform('srv', parsed)).toEqual({
    type: 'google_compute_target_https_proxy',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv-https',
      url_map: 'projects/p/global/urlMaps/serve-srv',
      ssl_certificates: ['${google_compute_managed_ssl_certificate.srv.self_link}'],
      description: 'Kiln',
    },
  })
})
