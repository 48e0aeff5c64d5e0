/** Rulesets against a fake of Firebase Rules. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeRules } from '../testing/fake-firebase.ts'
import { startFake } from '../testing/fake-google.ts'
import { firebaseRulesetKind } from './provider.ts'
import { firebaseRulesetTerraform } from './terraform.ts'

const props = { projectId: 'p', release: 'cloud.firestore', content: 'service cloud.firestore { match /databases/$(database)/documents {} }' }

kindContract(firebaseRulesetKind, { fake: () => fakeRules('rulesets'), props, variants: [] })

test('the one in force is found without a search', async () => {
  const service = fakeRules('both')
  const fake = await startFake(service)
  service.release('cloud.firestore', service.add('firestore.rules', props.content))
  for (let count = 0; count < 5; count += 1) service.add('firestore.rules', `service cloud.firestore { /* ${count} */ }`)
  expect(await firebaseRulesetKind.observe(contextOf(fake), firebaseRulesetKind.identity(firebaseRulesetKind.parse(props)))).toEqual({ rulesetId: '1' })
  expect(service.listed()).toBe(0)
  await fake.close()
})

test('other content is another ruleset', () => {
  const one = firebaseRulesetKind.identity(firebaseRulesetKind.parse(props))
  expect(firebaseRulesetKind.identity(firebaseRulesetKind.parse({ ...props, content: `${props.content}\n` }))).not.toEqual(one)
})

test('Terraform: the text as it is; whoever writes the file escapes it', () => {
  expect(firebaseRulesetTerraform('rules', firebaseRulesetKind.parse({ ...props, content: 'a ${b} $(c) %{d}' }))).toEqual({
    type: 'google_firebaserules_ruleset',
    name: 'rules',
    body: {
      project: 'p',
      source: { files: [{ name: 'firestore.rules', content: 'a ${b} $(c) %{d}' }] },
      lifecycle: { create_before_destroy: true },
    },
  })
})
