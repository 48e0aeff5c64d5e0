import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { connect } from 'node:net'
import { AUTHORITATIVE_ANSWER, decode, encode, streamEncode, TRUNCATED_RESPONSE } from 'dns-packet'
import type { DecodedPacket, Packet, RecordType } from 'dns-packet'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { kilnHome } from '../../../../host/home.ts'
import { startTestCloud } from '../../../kernel/testing.ts'
import type { TestCloud } from '../../../kernel/testing.ts'
import { createDnsRoom } from '../index.ts'
import { createNameBook } from './book.ts'
import { listenDns } from './listener.ts'
import { readDnsPort } from './port.ts'

type Decoded = DecodedPacket & { readonly rcode: string }

let cloud: TestCloud
let port = 0

beforeAll(async () => {
  cloud = await startTestCloud(() => [createDnsRoom()])
  cloud.addProject('p-one')
  port = await currentPort()
  await makeZone('main', 'main.example.', [
    ['www.main.example.', 'A', '192.0.2.1', '192.0.2.2'],
    ['www.main.example.', 'AAAA', '2001:db8::1'],
    ['main.example.', 'MX', '10 mail.main.example.'],
    ['main.example.', 'TXT', '"v=spf1 -all"', `"${'x'.repeat(255)}" "y"`],
    ['main.example.', 'CAA', '0 issue "letsencrypt.org"'],
    ['_sip._tcp.main.example.', 'SRV', '1 2 5060 sip.main.example.'],
    ['4.main.example.', 'PTR', 'host.main.example.'],
    ['alias.main.example.', 'CNAME', 'hop.other.example.'],
    ['away.main.example.', 'CNAME', 'www.google.com.'],
    ['loop.main.example.', 'CNAME', 'pool.main.example.'],
    ['pool.main.example.', 'CNAME', 'loop.main.example.'],
    ['dead.main.example.', 'CNAME', 'missing.main.example.'],
    ['*.wild.main.example.', 'A', '192.0.2.7'],
    ['host.wild.main.example.', 'TXT', '"own"'],
    ['a.deep.main.example.', 'A', '192.0.2.8'],
    ['child.main.example.', 'NS', 'ns.child.main.example.'],
    ['ns.child.main.example.', 'A', '192.0.2.53'],
    ['big.main.example.', 'TXT', ...Array.from({ length: 30 }, (_, index) => `"${String(index).padStart(100, '0')}"`)],
  ])
  await makeZone('other', 'other.example.', [['hop.other.example.', 'CNAME', 'www.main.example.']])
  await makeZone('sub', 'sub.main.example.', [['www.sub.main.example.', 'A', '192.0.2.99']])
})
afterAll(() => cloud.close())

async function currentPort(): Promise<number> {
  const found = await readDnsPort(kilnHome({ KILN_HOME: cloud.folder }))
  if (found === undefined) throw new Error('no port is remembered')
  return found
}

async function makeZone(name: string, dnsName: string, sets: readonly (readonly [string, string, ...string[]])[]): Promise<void> {
  const zones = 'dns.googleapis.com/dns/v1/projects/p-one/managedZones'
  expect((await cloud.call('POST', zones, { body: { name, dnsName, description: '' } })).status).toBe(200)
  const additions = sets.map(([owner, type, ...rrdatas]) => ({ name: owner, type, ttl: 300, rrdatas }))
  const change = await cloud.call('POST', `${zones}/${name}/changes`, { body: { additions } })
  expect(change.status, change.text).toBe(200)
  await waitFor({ what: 'the change', timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await cloud.call('GET', `${zones}/${name}/changes/${change.json.id}`)
    return now.json.status === 'done' ? { done: true, value: undefined } : { done: false, status: now.text }
  })
}

function askUdp(bytes: Buffer): Promise<Decoded> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => reject(new Error('no reply')), 5000)
    socket.on('message', (message) => {
      clearTimeout(timer)
      socket.close()
      resolve(decode(message) as Decoded)
    })
    socket.send(bytes, port, '127.0.0.1')
  })
}

function ask(name: string, type: RecordType | 'ANY', more: Partial<Packet> = {}): Promise<Decoded> {
  return askUdp(encode({ type: 'query', id: 7, questions: [{ name, type: type as RecordType }], ...more }))
}

test("Node's resolver reads every type", async () => {
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${port}`])
  expect((await resolver.resolve4('www.main.example')).sort()).toEqual(['192.0.2.1', '192.0.2.2'])
  expect(await resolver.resolve6('WWW.main.example')).toEqual(['2001:db8::1'])
  expect(await resolver.resolveMx('main.example')).toMatchObject([{ priority: 10, exchange: 'mail.main.example' }])
  // Longer than a plain UDP reply: the resolver comes again over TCP.
  expect(await resolver.resolveTxt('main.example')).toContainEqual(['x'.repeat(255), 'y'])
  expect(await resolver.resolveTxt('big.main.example')).toHaveLength(30)
  expect(await resolver.resolveSrv('_sip._tcp.main.example')).toMatchObject([{ priority: 1, weight: 2, port: 5060, name: 'sip.main.example' }])
  expect(await resolver.resolvePtr('4.main.example')).toEqual(['host.main.example'])
  expect(await resolver.resolveCaa('main.example')).toMatchObject([{ critical: 0, issue: 'letsencrypt.org' }])
  expect(await resolver.resolveNs('main.example')).toHaveLength(4)
  expect(await resolver.resolveSoa('main.example')).toMatchObject({ hostmaster: 'cloud-dns-hostmaster.google.com', minttl: 300 })
  await expect(resolver.resolve4('missing.main.example')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  await expect(resolver.resolveMx('www.main.example')).rejects.toMatchObject({ code: 'ENODATA' })
  await expect(resolver.resolve4('www.google.com')).rejects.toMatchObject({ code: 'EREFUSED' })
})

test('answers have authority; absence comes with the SOA', async () => {
  const found = await ask('www.main.example', 'A')
  expect(found.rcode).toBe('NOERROR')
  expect((found.flags ?? 0) & AUTHORITATIVE_ANSWER).not.toBe(0)
  expect(found.questions).toMatchObject([{ name: 'www.main.example', type: 'A' }])
  const missing = await ask('nothing.main.example', 'A')
  expect(missing.rcode).toBe('NXDOMAIN')
  expect(missing.authorities).toMatchObject([{ type: 'SOA', name: 'main.example', ttl: 300 }])
  for (const [name, type] of [
    ['www.main.example', 'MX'],
    ['deep.main.example', 'A'],
  ] as const) {
    const none = await ask(name, type)
    expect(`${name} ${none.rcode} ${none.answers?.length} ${none.authorities?.[0]?.type}`).toBe(`${name} NOERROR 0 SOA`)
  }
  const foreign = await ask('www.google.com', 'A')
  expect(foreign.rcode).toBe('REFUSED')
  expect(foreign.flag_aa).toBe(false)
})

test('the longest zone answers, wildcards reach as far as they should, CNAMEs are followed inside the cloud', async () => {
  expect((await ask('www.sub.main.example', 'A')).answers).toMatchObject([{ data: '192.0.2.99' }])
  expect((await ask('any.thing.wild.main.example', 'A')).answers).toMatchObject([{ name: 'any.thing.wild.main.example', data: '192.0.2.7' }])
  expect((await ask('any.wild.main.example', 'AAAA')).rcode).toBe('NOERROR')
  expect((await ask('host.wild.main.example', 'A')).answers).toHaveLength(0)
  expect((await ask('below.host.wild.main.example', 'A')).rcode).toBe('NXDOMAIN')
  const alias = await ask('alias.main.example', 'A')
  expect(alias.answers?.map((each) => `${each.type} ${each.name}`)).toEqual(['CNAME alias.main.example', 'CNAME hop.other.example', 'A www.main.example', 'A www.main.example'])
  expect((await ask('alias.main.example', 'CNAME')).answers).toHaveLength(1)
  expect((await ask('away.main.example', 'A')).answers).toMatchObject([{ type: 'CNAME', data: 'www.google.com' }])
  const loop = await ask('loop.main.example', 'A')
  expect(`${loop.rcode} ${loop.answers?.length}`).toBe('NOERROR 2')
  const dead = await ask('dead.main.example', 'A')
  expect(`${dead.rcode} ${dead.answers?.length} ${dead.authorities?.[0]?.type}`).toBe('NXDOMAIN 1 SOA')
  const child = await ask('www.child.main.example', 'A')
  expect(child).toMatchObject({ rcode: 'NOERROR', flag_aa: false, answers: [], authorities: [{ type: 'NS' }], additionals: [{ type: 'A', data: '192.0.2.53' }] })
})

test('other parts of the cloud ask for the addresses of a host, without a resolver', () => {
  const { addresses } = cloud.kernel().ports.use('names')
  expect(addresses('www.main.example')).toEqual(['192.0.2.1', '192.0.2.2'])
  expect(addresses('ALIAS.main.example')).toEqual(['192.0.2.1', '192.0.2.2'])
  for (const host of ['main.example', 'missing.main.example', 'www.google.com', '127.0.0.1', 'localhost', '']) expect([host, addresses(host)]).toEqual([host, []])
})

test('long replies are cut over UDP and whole over TCP', async () => {
  const cut = await ask('big.main.example', 'TXT')
  expect((cut.flags ?? 0) & TRUNCATED_RESPONSE).not.toBe(0)
  expect(cut.answers).toHaveLength(0)
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] } as const
  const withOpt = await ask('main.example', 'TXT', { additionals: [{ ...opt, options: [] }] })
  expect(withOpt.answers).toHaveLength(2)
  expect(withOpt.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }])
  expect((await ask('main.example', 'TXT', { additionals: [{ ...opt, options: [], ednsVersion: 1 }] })).additionals).toMatchObject([{ extendedRcode: 1 }])
  const query = streamEncode({ type: 'query', id: 9, questions: [{ name: 'big.main.example', type: 'TXT' }] })
  const whole = await new Promise<Buffer>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let got = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      const second = got.length > 2 ? 2 + got.readUInt16BE(0) : Infinity
      if (got.length > second + 2 && got.length >= second + 2 + got.readUInt16BE(second)) socket.end(() => resolve(got))
    })
    // Two queries in one write, the second cut in the middle.
    socket.write(Buffer.concat([query, query.subarray(0, 9)]), () => socket.write(query.subarray(9)))
  })
  expect(decode(whole.subarray(2, 2 + whole.readUInt16BE(0))).answers).toHaveLength(30)
})

test('malformed and foreign queries are refused, and the server goes on', async () => {
  const query = encode({ type: 'query', id: 7, questions: [{ name: 'www.main.example', type: 'A' }] })
  const garbled = Buffer.from(query)
  garbled[12] = 0xff
  expect((await askUdp(garbled)).rcode).toBe('FORMERR')
  expect((await askUdp(query.subarray(0, 20))).rcode).toBe('FORMERR')
  const two = Buffer.from(query)
  two.writeUInt16BE(2, 4)
  expect((await askUdp(two)).rcode).toBe('FORMERR')
  const update = Buffer.from(query)
  update.writeUInt8(5 << 3, 2)
  expect((await askUdp(update)).rcode).toBe('NOTIMP')
  const chaos = Buffer.from(query)
  chaos.writeUInt16BE(3, query.length - 2)
  expect((await askUdp(chaos)).rcode).toBe('REFUSED')
  expect((await ask('main.example', 'AXFR')).rcode).toBe('REFUSED')
  const unknownType = Buffer.from(query)
  unknownType.writeUInt16BE(65, query.length - 4)
  expect((await askUdp(unknownType)).rcode).toBe('NOERROR')
  for (let length = 0; length < 40; length += 1) {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.send(Buffer.alloc(length, length * 37), port, '127.0.0.1', () => socket.close(() => resolve())))
  }
  expect((await ask('www.main.example', 'A')).answers).toHaveLength(2)
})

test('the port stays the same over a restart, and another one is taken when somebody else has it', async () => {
  await cloud.restart()
  expect(await currentPort()).toBe(port)
  expect((await ask('www.main.example', 'A')).answers).toHaveLength(2)
  const other = await listenDns(createNameBook(), port, pino({ level: 'silent' }))
  expect(other.port).not.toBe(port)
  await other.close()
})

test('a deleted record set and a deleted zone are no longer answered', async () => {
  await makeZone('short', 'short.example.', [['www.short.example.', 'A', '192.0.2.1']])
  expect((await ask('www.short.example', 'A')).answers).toHaveLength(1)
  const zone = 'dns.googleapis.com/dns/v1/projects/p-one/managedZones/short'
  expect((await cloud.call('DELETE', `${zone}/rrsets/www.short.example./A`)).status).toBe(200)
  await waitFor({ what: 'the record to go', timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await ask('www.short.example', 'A')
    return now.rcode === 'NXDOMAIN' ? { done: true, value: undefined } : { done: false, status: now.rcode }
  })
  expect((await cloud.call('DELETE', zone)).status).toBe(204)
  expect((await ask('www.short.example', 'A')).rcode).toBe('REFUSED')
})
