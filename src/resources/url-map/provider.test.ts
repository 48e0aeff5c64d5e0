/** URL maps against a fake Compute Engine that checks fingerprints. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeUrlMaps } from '../testing/fake-serving.ts'
import { urlMapKind } from './provider.ts'
import { urlMapTerraform } from './terraform.ts'

const service = 'https://www.googleapis.com/compute/v1/projects/p/global/backendServices/serve-srv'
const rule = { hosts: ['dev.example.com', 'www.example.com'], service }
const props = { projectId: 'p', name: 'serve-srv', defaultService: service, hostRules: [rule], description: 'Kiln' }

kindContract(urlMapKind, {
  fake: fakeUrlMaps,
  props,
  variants: [
    { props: { ...props, defaultService: `${service}-b` }, paths: ['defaultService'] },
    { props: { ...props, hostRules: [] }, paths: ['hostRules'] },
    { props: { ...props, hostRules: [{ ...rule, service: `${service}-b` }] }, paths: ['hostRules'] },
    { props: { ...props, hostRules: [rule, { hosts: ['api.example.com'], service: `${service}-b` }] }, paths: ['hostRules'] },
    { props: { ...props, hostRules: [{ hosts: rule.hosts, redirectToHttps: true }] }, paths: ['hostRules'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
  ],
  drift: {
    change: (fake) => fake.meddle('serve-srv', { pathMatchers: [{ name: 'hosts-1', defaultService: service, pathRules: [{ paths: ['/x'], service }] }] }),
    paths: ['otherRules'],
  },
})

test('the order of hosts and of rules has no meaning', async () => {
  const fake = await startFake(fakeUrlMaps())
  const other = { hosts: ['a.example.com'], service: `${service}-b` }
  const observed = await urlMapKind.create(contextOf(fake), urlMapKind.parse({ ...props, hostRules: [rule, other] }))
  expect(urlMapKind.diff(urlMapKind.parse({ ...props, hostRules: [other, { ...rule, hosts: rule.hosts.toReversed() }] }), observed)).toEqual([])
  await fake.close()
})

test('an old fingerprint is read again', async () => {
  const maps = fakeUrlMaps()
  const fake = await startFake(maps)
  const observed = await urlMapKind.create(contextOf(fake), urlMapKind.parse(props))
  maps.meddle('serve-srv', { hostRules: [] })
  const changed = urlMapKind.parse({ ...props, defaultService: `${service}-b` })
  expect(urlMapKind.diff(changed, await urlMapKind.update(contextOf(fake), changed, observed, urlMapKind.diff(changed, observed)))).toEqual([])
  await fake.close()
})

test('hosts that are sent to https: with the code left out as Google does it, and no other redirect passes for it', async () => {
  const maps = fakeUrlMaps()
  const fake = await startFake(maps)
  const parsed = urlMapKind.parse({ ...props, hostRules: [{ hosts: ['dev.example.com'], redirectToHttps: true }] })
  expect(urlMapKind.diff(parsed, await urlMapKind.create(contextOf(fake), parsed))).toEqual([])
  const look = async (defaultUrlRedirect: object) => {
    maps.meddle('serve-srv', { pathMatchers: [{ name: 'hosts-1', defaultUrlRedirect }] })
    const live = await urlMapKind.observe(contextOf(fake), urlMapKind.identity(parsed))
    return live === undefined ? [] : urlMapKind.diff(parsed, live).map((difference) => difference.path)
  }
  expect(await look({ httpsRedirect: true })).toEqual([])
  expect(await look({ httpsRedirect: true, hostRedirect: 'other.example.com' })).toEqual(['hostRules', 'otherRules'])
  expect(await look({ httpsRedirect: true, redirectResponseCode: 'FOUND' })).toEqual(['hostRules', 'otherRules'])
  expect(await look({ httpsRedirect: true, stripQuery: true })).toEqual(['hostRules', 'otherRules'])
  expect(urlMapTerraform('srv', parsed)).toMatchObject({
    body: { path_matcher: [{ name: 'hosts-1', default_url_redirect: [{ https_redirect: true, redirect_response_code: 'MOVED_PERMANENTLY_DEFAULT', strip_query: false }] }] },
  })
  await fake.close()
})

test('Terraform', () => {
  expect(urlMapTerraform('srv', urlMapKind.parse(props))).toEqual({
    type: 'google_compute_url_map',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv',
      default_service: 'projects/p/global/backendServices/serve-srv',
      host_rule: [{ hosts: ['dev.example.com', 'www.example.com'], path_matcher: 'hosts-1' }],
      path_matcher: [{ name: 'hosts-1', default_service: 'projects/p/global/backendServices/serve-srv' }],
      description: 'Kiln',
    },
  })
})
