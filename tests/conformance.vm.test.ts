/** The clients of conformance/ that come from Debian and npm alone: `make conformance` runs them all. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listClients, openBench } from '../conformance/cases.ts'
import type { Bench } from '../conformance/cases.ts'

const clients = listClients().filter((client) => client.source === 'debian' || client.source === 'npm')
let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})
afterAll(async () => {
  await bench.close()
})

test('there are clients of both kinds, each with cases that say what they show', () => {
  expect(new Set(clients.map((client) => client.source))).toEqual(new Set(['debian', 'npm']))
  for (const client of listClients()) {
    expect(client.cases.length, client.name).toBeGreaterThan(0)
    for (const each of client.cases) expect(each.what, each.path).not.toBe('')
  }
})

describe.each(clients)('$name', (client) => {
  beforeAll(async () => {
    const ready = await bench.prepare(client)
    // `make test` installs what these need, so that not having it is a failure here.
    if ('skipped' in ready) throw new Error(`${client.name} cannot run: ${ready.skipped}`)
  })

  test.each(client.cases)('$name: $what', async (each) => {
    const outcome = await bench.run(each)
    expect(outcome.result, outcome.result === 'skipped' ? outcome.reason : outcome.output).toBe('passed')
  })
})
