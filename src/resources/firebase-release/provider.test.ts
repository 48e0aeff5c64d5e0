/** Releases against a fake of Firebase Rules. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeRules } from '../testing/fake-firebase.ts'
import { firebaseReleaseKind } from './provider.ts'
import { firebaseReleaseTerraform } from './terraform.ts'

const props = { projectId: 'p', release: 'cloud.firestore', rulesetId: '1' }

kindContract(firebaseReleaseKind, {
  fake: () => fakeRules('releases'),
  props,
  variants: [{ props: { ...props, rulesetId: '2' }, paths: ['rulesetId'] }],
  drift: { change: (service) => service.release('cloud.firestore', '9'), paths: ['rulesetId'] },
})

test('Terraform: the provider calls the last part the name', () => {
  expect(firebaseReleaseTerraform('rules', { ...props, rulesetId: '${google_firebaserules_ruleset.firestore.name}' })).toEqual({
    type: 'google_firebaserules_release',
    name: 'rules',
    body: { project: 'p', name: 'cloud.firestore', ruleset_name: 'projects/p/rulesets/${google_firebaserules_ruleset.firestore.name}' },
  })
})
