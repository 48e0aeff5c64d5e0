import { expect, test } from 'vitest'
import type { Address, DesiredResource } from '../engine/types.ts'
import { bootsCold, closureOf } from './parts.ts'

function resource(address: Address, dependsOn: readonly Address[] = [], props: Readonly<Record<string, unknown>> = {}): DesiredResource {
  return { address, kind: address.split('/')[0] ?? '', props, dependsOn }
}

const stack: readonly DesiredResource[] = [
  resource('project/p'),
  resource('service/compute', ['project/p']),
  resource('bucket/imports', ['project/p']),
  resource('python-package/moshi-server', ['project/p']),
  resource('image/python3', ['bucket/imports', 'service/compute']),
  resource('image/moshi-srv', ['bucket/imports'], {
    below: { $ref: 'image/python3', attribute: 'key' },
    wheels: [{ name: 'moshi-server', sha256: { $ref: 'python-package/moshi-server', attribute: 'sha256' } }],
  }),
  resource('instance/moshi-dev', [], { image: { $ref: 'image/moshi-srv', attribute: 'selfLink' } }),
]

function closure(...addresses: readonly Address[]): readonly string[] {
  return closureOf(stack, addresses).map((each) => each.address)
}

test('a part stands on what it depends on and on what its props refer to, in the order of the stack', () => {
  expect(closure('image/python3')).toEqual(['project/p', 'service/compute', 'bucket/imports', 'image/python3'])
  expect(closure('image/moshi-srv')).toEqual(['project/p', 'service/compute', 'bucket/imports', 'python-package/moshi-server', 'image/python3', 'image/moshi-srv'])
  expect(closure('instance/moshi-dev')).toEqual(stack.map((each) => each.address))
})

test('several parts share what they stand on, and an unknown address adds nothing', () => {
  expect(closure('python-package/moshi-server', 'bucket/imports')).toEqual(['project/p', 'bucket/imports', 'python-package/moshi-server'])
  expect(closure('image/absent')).toEqual([])
})

test('a circle ends', () => {
  const circle = [resource('a/1', ['a/2']), resource('a/2', ['a/1'])]
  expect(closureOf(circle, ['a/1'])).toEqual(circle)
})

test('a VM that is to boot says so in its metadata, beside what the config gives it', () => {
  expect(bootsCold(resource('instance/dev', [], { name: 'dev', metadata: { mode: 'dev' } })).props).toEqual({ name: 'dev', metadata: { mode: 'dev', 'kiln-warm-start': 'never' } })
  expect(bootsCold(resource('instance/dev')).props).toEqual({ metadata: { 'kiln-warm-start': 'never' } })
})
