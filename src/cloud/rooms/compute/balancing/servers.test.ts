import { expect, test } from 'vitest'
import { parseServers } from './servers.ts'

test("HAProxy's own list of servers is understood", () => {
  const text =
    '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n3 b1 1 i1-80 127.9.9.2 2 0 100 100 0 1 0 1 6 0 0 0 - 8055\n3 b1 2 i2-80 127.9.9.3 2 8 50 100 0 1 0 1 6 0 0 0 - 8055\n'
  expect(parseServers(text)).toEqual([
    { backend: 'b1', name: 'i1-80', isEnabled: true, isServing: true, weight: 100 },
    { backend: 'b1', name: 'i2-80', isEnabled: false, isServing: false, weight: 50 },
  ])
})

test('a server that the configuration began with in maintenance is enabled like any other once it is ready', () => {
  // As HAProxy 2.6 writes them: one of the configuration file and one added at run time, ready; one down by its checks; one drained; one in maintenance.
  const rows = [
    ['of-file', '2', '4'],
    ['added', '2', '0'],
    ['down', '0', '4'],
    ['drained', '2', '8'],
    ['off', '0', '5'],
  ]
  const text = [
    '1',
    '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight',
    ...rows.map(([name, operating, admin], index) => `3 b1 ${index + 1} ${name} 127.0.0.1 ${operating} ${admin} 100 100 5 6 3 4 6 0 0 0 - 8080 -`),
  ].join('\n')
  expect(parseServers(text).map(({ name, isEnabled, isServing }) => `${name} ${isEnabled} ${isServing}`)).toEqual([
    'of-file true true',
    'added true true',
    'down true false',
    'drained false false',
    'off false false',
  ])
})
