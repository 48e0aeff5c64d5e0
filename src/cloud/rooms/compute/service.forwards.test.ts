import { expect, test } from 'vitest'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { includesThisMachine } from './service.firewalls.ts'
import { computeForwards, MAX_FORWARDS } from './service.forwards.ts'

const target = { network: 'net', tags: ['web'], serviceAccounts: ['a@b'] }

function allow(ports: string[] | undefined, more: compute_v1.Schema$Firewall = {}): compute_v1.Schema$Firewall {
  return { network: 'net', direction: 'INGRESS', priority: 1000, sourceRanges: ['0.0.0.0/0'], allowed: [{ IPProtocol: 'tcp', ...(ports === undefined ? {} : { ports }) }], ...more }
}

function ports(rules: compute_v1.Schema$Firewall[], firstBindable = 0): string[] {
  return computeForwards(target, rules, '127.9.9.9', firstBindable).map((forward) => `${forward.protocol}:${forward.hostPort}>${forward.guestPort}`)
}

test("only rules of the machine's network, tags, accounts and sources that take in this host", () => {
  expect(ports([allow(['80'])])).toEqual(['tcp:80>80'])
  expect(
    ports([
      allow(['80'], { network: 'other' }),
      allow(['81'], { disabled: true }),
      allow(['82'], { direction: 'EGRESS' }),
      allow(['83'], { sourceRanges: ['10.0.0.0/8'] }),
      allow(['84'], { targetTags: ['db'] }),
      allow(['85'], { targetServiceAccounts: ['x@y'] }),
    ]),
  ).toEqual([])
  expect(
    ports([allow(['84'], { targetTags: ['db', 'web'] }), allow(['85'], { targetServiceAccounts: ['a@b'] }), allow(['86'], { sourceRanges: undefined, sourceTags: ['web'] })]),
  ).toEqual(['tcp:84>84', 'tcp:85>85'])
  expect(['127.0.0.1', '127.0.0.0/8', '0.0.0.0/0', '::/0', '10.0.0.0/8'].map(includesThisMachine)).toEqual([true, true, true, false, false])
})

test('the lower number wins; at the same number, deny wins', () => {
  const deny = (priority: number): compute_v1.Schema$Firewall => ({ ...allow(undefined), allowed: undefined, denied: [{ IPProtocol: 'tcp', ports: ['80-90'] }], priority })
  expect(ports([allow(['80', '95']), deny(1000)])).toEqual(['tcp:95>95'])
  expect(ports([allow(['80']), deny(999)])).toEqual([])
  expect(ports([allow(['80']), deny(1001)])).toEqual(['tcp:80>80'])
})

test('ranges are expanded within bounds; wide ones open the common ports', () => {
  expect(ports([allow(['8000-8002'])])).toHaveLength(3)
  expect(ports([allow(['1000-1063', '2000-2063'])])).toHaveLength(MAX_FORWARDS)
  expect(ports([allow(undefined)])).toEqual(expect.arrayContaining(['tcp:22>22', 'tcp:8080>8080']))
  expect(ports([{ ...allow(undefined), allowed: [{ IPProtocol: 'all' }] }])).toEqual(expect.arrayContaining(['tcp:80>80', 'udp:80>80']))
  expect(ports([{ ...allow(undefined), allowed: [{ IPProtocol: 'icmp' }] }])).toEqual([])
})

test('ports that this user may not bind are shifted by ten thousand, unless that port is taken by a rule', () => {
  expect(ports([allow(['22', '8080'])], 1024)).toEqual(['tcp:10022>22', 'tcp:8080>8080'])
  expect(ports([allow(['22', '10022'])], 1024)).toEqual(['tcp:10022>10022'])
})
