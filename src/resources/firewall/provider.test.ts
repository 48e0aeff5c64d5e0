/** Firewall rules against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeFirewalls } from '../testing/fake-machines.ts'
import { firewallKind } from './provider.ts'
import { firewallTerraform } from './terraform.ts'

const props = { projectId: 'p', name: 'kiln-srv', ports: ['8080'], targetTags: ['kiln-srv'], sourceRanges: ['0.0.0.0/0'], description: 'Kiln' }

kindContract(firewallKind, {
  fake: fakeFirewalls,
  props,
  variants: [
    { props: { ...props, ports: ['8081', '8080'] }, paths: ['allowed'] },
    { props: { ...props, sourceRanges: ['10.0.0.0/8'] }, paths: ['sourceRanges'] },
    { props: { ...props, targetTags: ['other'] }, paths: ['targetTags'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
    { props: { ...props, network: 'prod' }, paths: ['network'], replaces: true },
  ],
  drift: { change: (service) => Object.assign(service.table.get('kiln-srv'), { disabled: true }), paths: ['disabled'] },
})

test('the order of ports has no meaning', () => {
  const parsed = firewallKind.parse({ ...props, ports: ['22', '8080'] })
  const observed = {
    name: 'kiln-srv',
    selfLink: '',
    network: 'projects/p/global/networks/default',
    allowed: [{ protocol: 'tcp', ports: ['8080', '22'] }],
    sourceRanges: ['0.0.0.0/0'],
    targetTags: ['kiln-srv'],
    direction: 'INGRESS',
    disabled: false,
    description: 'Kiln',
  }
  expect(firewallKind.diff(parsed, observed)).toEqual([])
})

test('Terraform', () => {
  expect(firewallTerraform('srv', firewallKind.parse(props))).toEqual({
    type: 'google_compute_firewall',
    name: 'srv',
    body: {
      project: 'p',
      name: 'kiln-srv',
      network: 'default',
      direction: 'INGRESS',
      allow: [{ protocol: 'tcp', ports: ['8080'] }],
      source_ranges: ['0.0.0.0/0'],
      target_tags: ['kiln-srv'],
      description: 'Kiln',
    },
  })
})
