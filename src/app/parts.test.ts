import { expect, test } from 'vitest'
import type { Address, DesiredResource } from '../engine/types.ts'
import { parseStack } from '../config/checks.ts'
import { bootsCold, requireBaked } from './parts.ts'

function resource(address: Address, props: Readonly<Record<string, unknown>> = {}): DesiredResource {
  return { address, kind: address.split('/')[0] ?? '', props, dependsOn: [] }
}

test('a VM that is to boot says so in its metadata, beside what the config gives it', () => {
  expect(bootsCold(resource('instance/dev', { name: 'dev', metadata: { mode: 'dev' } })).props).toEqual({ name: 'dev', metadata: { mode: 'dev', 'kiln-warm-start': 'never' } })
  expect(bootsCold(resource('instance/dev')).props).toEqual({ metadata: { 'kiln-warm-start': 'never' } })
})

test('what Packer makes on Google is not baked anew; the pocket cloud bakes every image', () => {
  const images = { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh', engine: 'packer' } }
  const config = parseStack({ project: { id: 'moshi-3' }, location: { region: 'us-central1', zone: 'us-central1-c' }, images })
  expect(() => requireBaked({ target: 'gcp', stack: { config } }, 'srv')).toThrow(
    expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining('Packer makes srv') }),
  )
  expect(() => requireBaked({ target: 'gcp', stack: { config } }, 'python3')).not.toThrow()
  expect(() => requireBaked({ target: 'pocket', stack: { config } }, 'srv')).not.toThrow()
})
