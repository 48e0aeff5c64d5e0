/** DNS zones against a fake Cloud DNS. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeManagedZones } from '../testing/fake-dns.ts'
import { startFake } from '../testing/fake-google.ts'
import { dnsManagedZoneKind } from './provider.ts'
import { dnsManagedZoneTerraform } from './terraform.ts'

const props = { projectId: 'p', name: 'example-com', dnsName: 'example.com.', description: 'Kiln', labels: { 'managed-by': 'kiln' } }

kindContract(dnsManagedZoneKind, {
  fake: fakeManagedZones,
  props,
  variants: [
    { props: { ...props, description: 'other' }, paths: ['description'] },
    { props: { ...props, labels: { team: 'a' } }, paths: ['labels.managed-by', 'labels.team'] },
    { props: { ...props, dnsName: 'example.org.' }, paths: ['dnsName'], replaces: true },
  ],
  drift: { change: (service) => Object.assign(service.table.get('example-com'), { description: 'mine' }), paths: ['description'] },
})

test('a zone of this name for another domain is not taken over', async () => {
  const fake = await startFake(fakeManagedZones())
  await dnsManagedZoneKind.create(contextOf(fake), dnsManagedZoneKind.parse({ ...props, dnsName: 'example.org.' }))
  await expect(dnsManagedZoneKind.create(contextOf(fake), dnsManagedZoneKind.parse(props))).rejects.toMatchObject({ code: 'E_PLAN', message: expect.stringContaining('dnsName') })
  await fake.close()
})

test("a zone with others' record sets stays, and the error says what to do", async () => {
  const service = fakeManagedZones()
  const fake = await startFake(service)
  await dnsManagedZoneKind.create(contextOf(fake), dnsManagedZoneKind.parse(props))
  Object.assign(service.table.get('example-com'), { isFull: true })
  const removing = dnsManagedZoneKind.remove(contextOf(fake), dnsManagedZoneKind.identity(dnsManagedZoneKind.parse(props)))
  await expect(removing).rejects.toMatchObject({ code: 'E_API', hint: expect.stringContaining('record-sets list --zone=example-com') })
  await fake.close()
})

test('Terraform', () => {
  expect(dnsManagedZoneTerraform('zone', dnsManagedZoneKind.parse(props))).toEqual({
    type: 'google_dns_managed_zone',
    name: 'zone',
    body: { project: 'p', name: 'example-com', dns_name: 'example.com.', visibility: 'public', labels: { 'managed-by': 'kiln' }, description: 'Kiln' },
  })
})
