import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createDnsRoom } from './index.ts'

describeRoomContract({ makeRooms: () => [createDnsRoom()] })

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createDnsRoom()])
  cloud.addProject('p-one')
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `dns.googleapis.com/dns/v1/projects/p-one${path}`, options)
}

async function makeZone(name: string, dnsName: string): Promise<void> {
  // As gcloud sends it.
  const made = await api('POST', '/managedZones', { body: { description: 'x', dnsName, name, visibility: 'public' } })
  expect(made.status, made.text).toBe(200)
}

test('a new zone has name servers, an id, and its NS and SOA record sets', async () => {
  const made = await api('POST', '/managedZones', {
    body: {
      description: 'Test',
      dnsName: 'One.example.',
      name: 'one',
      visibility: 'public',
      labels: { a: 'b' },
      dnssecConfig: { state: 'off' },
      privateVisibilityConfig: { networks: [] },
    },
  })
  expect(made.json).toMatchObject({
    kind: 'dns#managedZone',
    name: 'one',
    dnsName: 'one.example.',
    visibility: 'public',
    labels: { a: 'b' },
    id: expect.stringMatching(/^\d+$/),
    nameServers: [1, 2, 3, 4].map((number) => `ns-cloud-a${number}.googledomains.com.`),
    cloudLoggingConfig: { kind: 'dns#managedZoneCloudLoggingConfig' },
  })
  expect(made.json.privateVisibilityConfig).toBeUndefined()
  const sets = await api('GET', '/managedZones/one/rrsets?maxResults=100')
  expect(sets.json.rrsets).toMatchObject([
    { kind: 'dns#resourceRecordSet', name: 'one.example.', type: 'NS', ttl: 21600, rrdatas: made.json.nameServers },
    { name: 'one.example.', type: 'SOA', rrdatas: ['ns-cloud-a1.googledomains.com. cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300'] },
  ])
  expect((await api('GET', `/managedZones/${made.json.id}`)).json.name).toBe('one')
  expect((await api('GET', '/managedZones?dnsName=one.example.')).json.managedZones).toHaveLength(1)
  expect((await api('GET', '/managedZones?dnsName=other.example.')).json.managedZones).toHaveLength(0)
  await cloud.restart()
  expect((await api('GET', '/managedZones/one')).json).toEqual(made.json)
})

test('what is wrong with a zone is refused', async () => {
  await makeZone('taken', 'taken.example.')
  const refused = async (body: unknown): Promise<unknown> => (await api('POST', '/managedZones', { body })).json.error
  expect(await refused({ name: 'taken', dnsName: 'x.example.' })).toMatchObject({ code: 409, message: "The resource 'entity.managedZone' named 'taken' already exists" })
  expect(await refused({ name: 'Bad_Name', dnsName: 'x.example.' })).toMatchObject({ code: 400, errors: [{ reason: 'invalid' }] })
  expect(await refused({ name: 'nodot', dnsName: 'x.example' })).toMatchObject({ code: 400, message: expect.stringContaining('entity.managedZone.dnsName') })
  expect(await refused({ name: 'none' })).toMatchObject({ code: 400, errors: [{ reason: 'required' }] })
  expect(await refused({ name: 'signed', dnsName: 'x.example.', dnssecConfig: { state: 'on' } })).toMatchObject({ code: 501 })
  expect((await api('GET', '/managedZones/nowhere')).json.error).toMatchObject({ code: 404, message: "The 'parameters.managedZone' resource named 'nowhere' does not exist." })
  expect((await api('POST', '/managedZones', { body: { name: 'twin', dnsName: 'taken.example.' } })).json.nameServers[0]).toBe('ns-cloud-b1.googledomains.com.')
})

test('a zone is changed by an operation, and deleted only when it is empty', async () => {
  await makeZone('changing', 'changing.example.')
  const patched = await api('PATCH', '/managedZones/changing', { body: { description: 'new', labels: { k: 'v' } } })
  expect(patched.json).toMatchObject({ kind: 'dns#operation', type: 'update', zoneContext: { oldValue: { description: 'x' }, newValue: { description: 'new' } } })
  await waitFor({ what: 'the operation', timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await api('GET', `/managedZones/changing/operations/${patched.json.id}`)
    return now.json.status === 'done' ? { done: true, value: undefined } : { done: false, status: now.text }
  })
  await api('PUT', '/managedZones/changing', { body: { name: 'changing', dnsName: 'changing.example.', description: 'whole' } })
  expect((await api('GET', '/managedZones/changing')).json).toMatchObject({ description: 'whole' })
  expect((await api('GET', '/managedZones/changing')).json.labels).toBeUndefined()
  expect((await api('PATCH', '/managedZones/changing', { body: { dnsName: 'other.example.' } })).status).toBe(400)
  await api('POST', '/managedZones/changing/rrsets', { body: { name: 'www.changing.example.', type: 'A', ttl: 300, rrdatas: ['192.0.2.1'] } })
  expect((await api('DELETE', '/managedZones/changing')).json.error).toMatchObject({ code: 400, errors: [{ reason: 'containerNotEmpty' }] })
  expect((await api('DELETE', '/managedZones/changing/rrsets/www.changing.example./A')).json).toEqual({})
  expect((await api('DELETE', '/managedZones/changing')).status).toBe(204)
  expect((await api('GET', '/managedZones/changing')).status).toBe(404)
})

test('a change is applied whole or not at all, and becomes done', async () => {
  await makeZone('atomic', 'atomic.example.')
  const changes = '/managedZones/atomic/changes'
  const a = { name: 'www.atomic.example.', type: 'A', ttl: 300, rrdatas: ['192.0.2.2', '192.0.2.1'] }
  const made = await api('POST', changes, { body: { additions: [a], kind: 'dns#change' } })
  expect(made.json).toMatchObject({ kind: 'dns#change', id: '1', status: 'pending', additions: [a] })
  await waitFor({ what: 'the change', timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await api('GET', `${changes}/1`)
    return now.json.status === 'done' && now.json.isServing === true ? { done: true, value: undefined } : { done: false, status: now.text }
  })
  const refused = async (body: unknown): Promise<unknown> => (await api('POST', changes, { body })).json.error
  const b = { name: 'b.atomic.example.', type: 'A', ttl: 300, rrdatas: ['192.0.2.9'] }
  expect(await refused({ additions: [b, a] })).toMatchObject({ code: 409, message: "The resource 'entity.change.additions[1]' named 'www.atomic.example. (A)' already exists" })
  expect(await refused({ additions: [b], deletions: [{ ...a, ttl: 60 }] })).toMatchObject({
    code: 412,
    errors: [{ reason: 'conditionNotMet' }],
    message: expect.stringContaining('deletions[0]'),
  })
  expect(await refused({ deletions: [b] })).toMatchObject({ code: 404, message: "The 'entity.change.deletions[0]' resource named 'b.atomic.example. (A)' does not exist." })
  expect(await refused({})).toMatchObject({ code: 400 })
  expect((await api('GET', '/managedZones/atomic/rrsets')).json.rrsets).toHaveLength(3)
  // Order of the data does not matter; one change may delete a set and add it anew.
  const swapped = await api('POST', changes, { body: { deletions: [{ ...a, rrdatas: ['192.0.2.1', '192.0.2.2'] }], additions: [{ ...a, ttl: 60 }] } })
  expect(swapped.status, swapped.text).toBe(200)
  expect((await api('GET', '/managedZones/atomic/rrsets?name=www.atomic.example.&type=A')).json.rrsets).toMatchObject([{ ttl: 60 }])
  expect((await api('GET', `${changes}?sortBy=changeSequence&sortOrder=descending&maxResults=2`)).json).toMatchObject({
    changes: [{ id: '2' }, { id: '1' }],
    nextPageToken: expect.any(String),
  })
  expect((await api('GET', `${changes}/99`)).status).toBe(404)
})

test('rules of names: CNAME alone, the apex keeps NS and SOA, names are in the zone', async () => {
  await makeZone('rules', 'rules.example.')
  const add = async (name: string, type: string, ...rrdatas: string[]): Promise<CallResult> =>
    api('POST', '/managedZones/rules/rrsets', { body: { kind: 'dns#resourceRecordSet', name, type, ttl: 60, rrdatas } })
  expect((await add('www.rules.example.', 'A', '192.0.2.1')).status).toBe(200)
  expect((await add('www.rules.example.', 'A', '192.0.2.2')).status).toBe(409)
  expect((await add('www.rules.example.', 'CNAME', 'x.example.')).json.error.errors[0].reason).toBe('cnameResourceRecordSetConflict')
  expect((await add('alias.rules.example.', 'CNAME', 'www.rules.example.')).status).toBe(200)
  expect((await add('alias.rules.example.', 'TXT', '"x"')).json.error.errors[0].reason).toBe('cnameResourceRecordSetConflict')
  expect((await add('rules.example.', 'CNAME', 'x.example.')).json.error.errors[0].reason).toBe('cnameResourceRecordSetConflict')
  expect((await add('two.rules.example.', 'CNAME', 'x.example.', 'y.example.')).status).toBe(400)
  expect((await add('www.other.example.', 'A', '192.0.2.1')).status).toBe(400)
  expect((await add('notrules.example.', 'A', '192.0.2.1')).status).toBe(400)
  expect((await add('nodot.rules.example', 'A', '192.0.2.1')).status).toBe(400)
  expect((await add('a..rules.example.', 'A', '192.0.2.1')).status).toBe(400)
  expect((await add('a.*.rules.example.', 'A', '192.0.2.1')).status).toBe(400)
  expect((await add(`${'x'.repeat(64)}.rules.example.`, 'A', '192.0.2.1')).status).toBe(400)
  expect((await add('none.rules.example.', 'A')).status).toBe(400)
  const [ns] = (await api('GET', '/managedZones/rules/rrsets?name=rules.example.&type=NS')).json.rrsets
  expect((await api('POST', '/managedZones/rules/changes', { body: { deletions: [ns] } })).json.error.errors[0].reason).toBe('invalidZoneApex')
  expect((await api('POST', '/managedZones/rules/changes', { body: { deletions: [ns], additions: [{ ...ns, ttl: 60 }] } })).status).toBe(200)
  const patched = await api('PATCH', '/managedZones/rules/rrsets/www.rules.example./A', { body: { name: 'www.rules.example.', rrdatas: ['192.0.2.7'], ttl: 90, type: 'A' } })
  expect(patched.json).toMatchObject({ ttl: 90, rrdatas: ['192.0.2.7'] })
  expect((await api('GET', '/managedZones/rules/rrsets/missing.rules.example./A')).status).toBe(404)
})

test('data of every type are checked and kept in one form', async () => {
  await makeZone('types', 'types.example.')
  const fine: readonly [string, string, string][] = [
    ['A', '192.0.2.1', '192.0.2.1'],
    ['AAAA', '2001:DB8:0:0::1', '2001:db8::1'],
    ['CNAME', 'Target.Example.', 'target.example.'],
    ['MX', '10   mail.types.example.', '10 mail.types.example.'],
    ['NS', 'ns.elsewhere.example.', 'ns.elsewhere.example.'],
    ['PTR', 'host.example.', 'host.example.'],
    ['SRV', '1 2 443 sip.example.', '1 2 443 sip.example.'],
    ['CAA', '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'],
    ['TXT', 'v=spf1 -all', '"v=spf1" "-all"'],
    ['TXT', '"a \\"quoted\\" text"', '"a \\"quoted\\" text"'],
  ]
  for (const [index, [type, sent, kept]] of fine.entries()) {
    const made = await api('POST', '/managedZones/types/rrsets', { body: { name: `n${index}.types.example.`, type, ttl: 60, rrdatas: [sent] } })
    expect(made.json.rrdatas, `${type} ${made.text}`).toEqual([kept])
  }
  const wrong: readonly [string, string][] = [
    ['A', '192.0.2.256'],
    ['A', '::1'],
    ['AAAA', '192.0.2.1'],
    ['CNAME', 'nodot.example'],
    ['MX', 'mail.example.'],
    ['MX', '70000 mail.example.'],
    ['SRV', '1 2 sip.example.'],
    ['CAA', '0 other "x"'],
    ['CAA', '300 issue "x"'],
    ['TXT', '"open'],
    ['TXT', `"${'x'.repeat(256)}"`],
    ['SOA', 'a.example. b.example. 1 2 3 4 5'],
    ['FOO', 'x'],
  ]
  for (const [type, text] of wrong) {
    expect((await api('POST', '/managedZones/types/rrsets', { body: { name: 'w.types.example.', type, ttl: 60, rrdatas: [text] } })).status, `${type} ${text}`).toBe(400)
  }
  expect((await api('POST', '/managedZones/types/rrsets', { body: { name: 'w.types.example.', type: 'HTTPS', ttl: 60, rrdatas: ['1 .'] } })).status).toBe(501)
})

test('record sets come in pages, and an older change is kept from those without its permissions', async () => {
  await makeZone('paged', 'paged.example.')
  const additions = Array.from({ length: 150 }, (_, index) => ({ name: `h${index}.paged.example.`, type: 'A', ttl: 60, rrdatas: ['192.0.2.1'] }))
  expect((await api('POST', '/managedZones/paged/changes', { body: { additions } })).status).toBe(200)
  const first = await api('GET', '/managedZones/paged/rrsets?maxResults=100')
  const second = await api('GET', `/managedZones/paged/rrsets?maxResults=100&pageToken=${first.json.nextPageToken}`)
  expect([...first.json.rrsets, ...second.json.rrsets]).toHaveLength(152)
  expect(second.json.nextPageToken).toBeUndefined()
  cloud.kernel().policies.grant('projects/p-one', 'roles/dns.reader', 'user:reader@example.com')
  const token = cloud.userToken('reader@example.com')
  expect((await api('GET', '/managedZones/paged/changes/1', { token })).status).toBe(200)
  expect((await api('POST', '/managedZones/paged/changes', { token, body: { additions: additions.slice(0, 1) } })).status).toBe(403)
})
