/** One part of a stack: what it stands on, and what of that is looked at on Google. */
import { expect, test } from 'vitest'
import type { Clients } from '../../client/clients.ts'
import { compileStack } from '../../compile/compile.ts'
import { parseStack } from '../../config/checks.ts'
import { dependenciesOf } from '../../engine/graph.ts'
import { memoryInventory } from '../../engine/inventory.ts'
import type { Address, AnyKind, DesiredResource } from '../../engine/types.ts'
import { example } from '../../synth/testing.ts'
import { closureOf, ownWorkOf, planPart } from './part.ts'

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

/** The example with every section, its files and secrets as facts. */
function wholeStack(): readonly DesiredResource[] {
  const files = new Proxy<Readonly<Record<string, { readonly md5: string }>>>({}, { get: () => ({ md5: 'x' }) })
  const texts = new Proxy<Readonly<Record<string, string>>>({}, { get: () => 'service cloud.firestore {}' })
  return compileStack(parseStack(example), { stackDir: '/stack', files, texts, packageName: 'moshi-server' })
}

test('on Google a release is wheels, images and the release, and the places that these go into', () => {
  const part = ownWorkOf(wholeStack(), ['release/serve-moshi-3'])
  expect(part.map((each) => each.address)).toEqual([
    'artifact-repository/pypi',
    'bucket/moshi-3-kiln-images',
    'python-package/moshi-server',
    'image/python3',
    'image/moshi-srv',
    'release/serve-moshi-3',
  ])
  const there = new Set(part.map((each) => each.address))
  for (const each of part) for (const dependency of dependenciesOf(each)) expect([each.address, dependency, there.has(dependency)]).toEqual([each.address, dependency, true])
})

test('on Google a wheel needs its repository alone', () => {
  expect(ownWorkOf(wholeStack(), ['python-package/moshi-server']).map((each) => each.address)).toEqual(['artifact-repository/pypi', 'python-package/moshi-server'])
})

/** A kind of which `there` says whether it is. */
function kind(name: string, there: boolean): AnyKind<Clients> {
  return {
    kind: name,
    parse: (props: unknown) => props,
    identity: () => ({ name }),
    observe: () => Promise.resolve(there ? { name } : undefined),
    diff: () => [],
    create: () => Promise.reject(new Error('a plan makes nothing')),
    update: () => Promise.reject(new Error('a plan changes nothing')),
    remove: () => Promise.reject(new Error('a plan removes nothing')),
  }
}

test('a place that Terraform has not made is said before anything is done; the pocket cloud makes it', async () => {
  const desired = [resource('artifact-repository/pypi'), resource('python-package/moshi-server', ['artifact-repository/pypi'])]
  const session = (target: 'gcp' | 'pocket', there: boolean) => ({
    target,
    desired,
    engine: {
      stack: 's',
      kinds: [kind('artifact-repository', there), kind('python-package', false)],
      clients: {} as Clients,
      inventory: memoryInventory(),
      signal: new AbortController().signal,
    },
  })
  const actions = async (target: 'gcp' | 'pocket', there: boolean) =>
    (await planPart(session(target, there), ['python-package/moshi-server'])).plan.nodes.map((node) => [node.kind, node.action])
  await expect(actions('gcp', false)).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: 'artifact-repository/pypi is not there yet',
    hint: expect.stringContaining('kiln up --target gcp') as unknown,
  })
  expect(await actions('pocket', false)).toEqual([
    ['artifact-repository', 'create'],
    ['python-package', 'create'],
  ])
  expect(await actions('gcp', true)).toEqual([
    ['artifact-repository', 'noop'],
    ['python-package', 'create'],
  ])
})
