/** The config's `dns` section. */
import { expect, test } from 'vitest'
import { Stack } from '../config/schema.ts'
import type { StackInput } from '../config/schema.ts'
import { resourceKinds } from '../resources/kinds.ts'
import { managedByLabel, stackLabel } from '../resources/resource.ts'
import { compileDns } from './compile.dns.ts'
import { compileServer } from './compile.server.ts'
import { compileStack } from './compile.ts'
import { zoneName } from './names.ts'

const example: StackInput = {
  project: { id: 'moshi-3' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh' } },
  server: { image: 'srv', domains: ['dev.chatmoshi.com', 'chatmoshi.com', 'chat.example.org', 'notchatmoshi.com'] },
  dns: { zone: 'chatmoshi.com' },
}

function compilationOf(input: StackInput) {
  const labels = { [managedByLabel]: 'kiln', [stackLabel]: 'moshi' }
  return { config: Stack.parse(input), facts: { stackDir: '/stack', files: {} }, projectId: 'moshi-3', labels, description: 'Kiln' }
}

test('the zone, and a record for each domain of the server in it, which points at the address of its load balancer', () => {
  const resources = compileDns(compilationOf(example))
  expect(resources.map((one) => [one.address, one.dependsOn])).toEqual([
    ['dns-managed-zone/zone-chatmoshi-com', ['service/dns.googleapis.com']],
    ['dns-record-set/dev.chatmoshi.com/A', ['dns-managed-zone/zone-chatmoshi-com']],
    ['dns-record-set/chatmoshi.com/A', ['dns-managed-zone/zone-chatmoshi-com']],
  ])
  const [zone, record] = resources
  expect(zone?.props).toMatchObject({ name: 'zone-chatmoshi-com', dnsName: 'chatmoshi.com.' })
  const address = compileServer(compilationOf(example)).find((one) => one.kind === 'global-address')?.address
  expect(record?.props).toMatchObject({ zone: 'zone-chatmoshi-com', name: 'dev.chatmoshi.com.', type: 'A', data: [{ $ref: address, attribute: 'address' }] })
})

test('without a server the zone alone; without the section nothing', () => {
  const { server: _server, dns: _dns, ...rest } = example
  expect(compileDns(compilationOf({ ...rest, dns: { zone: 'chatmoshi.com' } })).map((one) => one.kind)).toEqual(['dns-managed-zone'])
  expect(compileDns(compilationOf(rest))).toEqual([])
})

test('a stack with the section enables the API that it needs, and no other stack does', () => {
  const { dns: _dns, ...rest } = example
  const services = (input: StackInput) =>
    compileStack(Stack.parse(input), { stackDir: '/stack', files: {} }).flatMap((one) => (one.kind === 'service' ? [String(one.props['service'])] : []))
  expect(services(example).filter((service) => !services(rest).includes(service))).toEqual(['dns.googleapis.com'])
  expect(services({ ...example, apis: ['dns.googleapis.com'] })).toEqual(services(example))
})

test('every resource is of a kind that takes its props', () => {
  for (const one of compileDns(compilationOf(example))) {
    const props = 'data' in one.props ? { ...one.props, data: ['203.0.113.7'] } : one.props
    expect(resourceKinds.get(one.kind)?.terraform(one.kind, props)).toHaveProperty('type')
  }
})

test('names of zones are names of Cloud DNS, and no two domains share one', () => {
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.example.com`
  for (const domain of ['chatmoshi.com', '3d.example.com', long]) expect(zoneName(domain)).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
  expect(zoneName(long)).not.toBe(zoneName(`${long.slice(0, -3)}net`))
})
