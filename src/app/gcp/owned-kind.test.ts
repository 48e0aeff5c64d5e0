/** Who owns what on Google: every resource has exactly one engine. */
import { expect, test } from 'vitest'
import { resourceKinds } from '../../resources/kinds.ts'
import { mapResources } from '../../synth/modules/stack.ts'
import { exampleInput } from '../../synth/testing.ts'
import { isOwnedByTerraform } from './owned-kind.ts'

test('what Terraform has a block of is its own, and what it has none of is the direct engine’s', () => {
  const input = exampleInput()
  const { blocks, left } = mapResources(input.desired, input)
  const inTerraform = new Set(blocks.flatMap((block) => block.members.map(({ resource }) => resource.kind)))
  const notThere = new Set(left.map(({ address }) => address.split('/')[0] ?? ''))
  expect(notThere).toEqual(new Set(['project', 'billing', 'secret-version', 'identity-provider']))
  for (const { kind } of input.desired) {
    expect([kind, isOwnedByTerraform(kind, resourceKinds)]).toEqual([kind, inTerraform.has(kind)])
    expect(inTerraform.has(kind) && notThere.has(kind)).toBe(false)
  }
})
