/** Target HTTP proxies against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeTargetHttpProxies } from '../testing/fake-serving.ts'
import { targetHttpProxyKind } from './provider.ts'
import { targetHttpProxyTerraform } from './terraform.ts'

const urlMap = 'https://www.googleapis.com/compute/v1/projects/p/global/urlMaps/serve-srv'
const props = { projectId: 'p', name: 'serve-srv', urlMap, description: 'Kiln' }

kindContract(targetHttpProxyKind, {
  fake: fakeTargetHttpProxies,
  props,
  variants: [{ props: { ...props, urlMap: `${urlMap}-b` }, paths: ['urlMap'] }],
  drift: { change: (service) => service.meddle('serve-srv', { urlMap: `${urlMap}-other` }), paths: ['urlMap'] },
})

test('Terraform', () => {
  expect(targetHttpProxyTerraform('srv', targetHttpProxyKind.parse({ ...props, urlMap: '${google_compute_url_map.srv.self_link}' }))).toEqual({
    type: 'google_compute_target_http_proxy',
    name: 'srv',
    body: { project: 'p', name: 'serve-srv', url_map: '${google_compute_url_map.srv.self_link}', description: 'Kiln' },
  })
})
