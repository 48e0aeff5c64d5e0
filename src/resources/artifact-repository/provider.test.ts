/** Python repositories against a fake Artifact Registry. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeRepositories } from '../testing/fake-management.ts'
import { artifactRepositoryKind } from './provider.ts'
import { artifactRepositoryTerraform } from './terraform.ts'

const props = { projectId: 'p', location: 'us-central1', repository: 'pypi', description: 'packages', labels: { 'managed-by': 'kiln' } }

kindContract(artifactRepositoryKind, {
  fake: fakeRepositories,
  props,
  variants: [
    { props: { ...props, description: 'other' }, paths: ['description'] },
    { props: { ...props, labels: { 'managed-by': 'kiln', team: 'a' } }, paths: ['labels.team'] },
  ],
  drift: { change: (service) => Object.assign(service.table.get('pypi'), { labels: { stray: 'x' } }), paths: ['labels.managed-by', 'labels.stray'] },
})

test('a repository of another format is replaced', () => {
  const parsed = artifactRepositoryKind.parse(props)
  const observed = { name: 'n', format: 'DOCKER', description: 'packages', labels: parsed.labels, url: '' }
  expect(artifactRepositoryKind.diff(parsed, observed)).toEqual([{ path: 'format', from: 'DOCKER', to: 'PYTHON', forcesReplacement: true }])
})

test('Terraform', () => {
  expect(artifactRepositoryTerraform('pypi', artifactRepositoryKind.parse(props))).toEqual({
    type: 'google_artifact_registry_repository',
    name: 'pypi',
    body: { project: 'p', location: 'us-central1', repository_id: 'pypi', format: 'PYTHON', description: 'packages', labels: { 'managed-by': 'kiln' } },
  })
})
