import { expect, test } from 'vitest'
import type { Address, DesiredResource } from '../engine/types.ts'
import { bootsCold } from './parts.ts'

function resource(address: Address, props: Readonly<Record<string, unknown>> = {}): DesiredResource {
  return { address, kind: address.split('/')[0] ?? '', props, dependsOn: [] }
}

test('a VM that is to boot says so in its metadata, beside what the config gives it', () => {
  expect(bootsCold(resource('instance/dev', { name: 'dev', metadata: { mode: 'dev' } })).props).toEqual({ name: 'dev', metadata: { mode: 'dev', 'kiln-warm-start': 'never' } })
  expect(bootsCold(resource('instance/dev')).props).toEqual({ metadata: { 'kiln-warm-start': 'never' } })
})
