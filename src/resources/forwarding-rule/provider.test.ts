/** Global forwarding rules against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeForwardingRules } from '../testing/fake-serving.ts'
import { forwardingRuleKind } from './provider.ts'
import { forwardingRuleTerraform } from './terraform.ts'

const target = 'https://www.googleapis.com/compute/v1/projects/p/global/targetHttpProxies/serve-srv'
const props = { projectId: 'p', name: 'serve-srv', target, address: '203.0.113.7', labels: { 'managed-by': 'kiln' }, description: 'Kiln' }

kindContract(forwardingRuleKind, {
  fake: fakeForwardingRules,
  props,
  variants: [
    { props: { ...props, target: `${target}-b` }, paths: ['target'] },
    { props: { ...props, labels: { 'managed-by': 'kiln', team: 'a' } }, paths: ['labels.team'] },
    { props: { ...props, target: `${target}-b`, labels: {} }, paths: ['target', 'labels.managed-by'] },
    { props: { ...props, address: '203.0.113.8' }, paths: ['address'], replaces: true },
    { props: { ...props, port: 8080 }, paths: ['port'], replaces: true },
    { props: { ...props, loadBalancingScheme: 'EXTERNAL' }, paths: ['loadBalancingScheme'], replaces: true },
  ],
  drift: { change: (service) => service.meddle('serve-srv', { target: `${target}-other` }), paths: ['target'] },
})

test("labels that came between are kept when they are Google's", async () => {
  const service = fakeForwardingRules()
  const fake = await startFake(service)
  const observed = await forwardingRuleKind.create(contextOf(fake), forwardingRuleKind.parse(props))
  service.meddle('serve-srv', { labels: { 'managed-by': 'kiln', 'goog-added': 'x' } })
  const changed = forwardingRuleKind.parse({ ...props, labels: { team: 'a' } })
  await forwardingRuleKind.update(contextOf(fake), changed, observed, forwardingRuleKind.diff(changed, observed))
  expect(service.table.get('serve-srv')['labels']).toEqual({ team: 'a', 'goog-added': 'x' })
  await fake.close()
})

test('Terraform', () => {
  expect(forwardingRuleTerraform('srv', forwardingRuleKind.parse({ ...props, address: '${google_compute_global_address.srv.address}' }))).toEqual({
    type: 'google_compute_global_forwarding_rule',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv',
      target: 'projects/p/global/targetHttpProxies/serve-srv',
      ip_address: '${google_compute_global_address.srv.address}',
      ip_protocol: 'TCP',
      port_range: '80',
      load_balancing_scheme: 'EXTERNAL_MANAGED',
      labels: { 'managed-by': 'kiln' },
      description: 'Kiln',
    },
  })
})
