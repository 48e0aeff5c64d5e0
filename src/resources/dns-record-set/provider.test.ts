/** Record sets against a fake Cloud DNS. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeRecordSets } from '../testing/fake-dns.ts'
import { dnsRecordSetKind } from './provider.ts'
import { dnsRecordSetTerraform } from './terraform.ts'

const props = { projectId: 'p', zone: 'example-com', name: 'www.example.com.', type: 'A', data: ['203.0.113.8', '203.0.113.7'] }

kindContract(dnsRecordSetKind, {
  fake: fakeRecordSets,
  props,
  variants: [
    { props: { ...props, ttlSeconds: 60 }, paths: ['ttlSeconds'] },
    { props: { ...props, data: ['203.0.113.9'] }, paths: ['data'] },
  ],
  drift: { change: (service) => Object.assign(service.table.get('www.example.com./A'), { rrdatas: ['192.0.2.1'] }), paths: ['data'] },
})

test('a set has no order, and its name is absolute', () => {
  const observed = { name: 'www.example.com.', type: 'A', ttlSeconds: 300, data: ['203.0.113.7', '203.0.113.8'] }
  expect(dnsRecordSetKind.diff(dnsRecordSetKind.parse(props), observed)).toEqual([])
  expect(() => dnsRecordSetKind.parse({ ...props, name: 'www.example.com' })).toThrow('name')
})

test('Terraform', () => {
  expect(dnsRecordSetTerraform('www', dnsRecordSetKind.parse({ ...props, data: ['${google_compute_global_address.srv.address}'] }))).toEqual({
    type: 'google_dns_record_set',
    name: 'www',
    body: { project: 'p', managed_zone: 'example-com', name: 'www.example.com.', type: 'A', ttl: 300, rrdatas: ['${google_compute_global_address.srv.address}'] },
  })
})
