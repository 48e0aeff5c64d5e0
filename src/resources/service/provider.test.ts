/** APIs against a fake Service Usage. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { FakeError, startFake } from '../testing/fake-google.ts'
import { fakeServices } from '../testing/fake-management.ts'
import { serviceKind } from './provider.ts'
import { serviceTerraform } from './terraform.ts'

const props = { projectId: 'p', service: 'compute.googleapis.com' }

kindContract(serviceKind, { fake: fakeServices, props, variants: [] })

test('the APIs that a destroy itself goes through stay on', async () => {
  const fake = await startFake(fakeServices())
  await serviceKind.remove(contextOf(fake), { projectId: 'p', service: 'serviceusage.googleapis.com' })
  expect(fake.writes()).toEqual([])
  await fake.close()
})

test('an API that another one needs stays on', async () => {
  const service = fakeServices()
  service.table.insert(props.service, {})
  const routes = service.routes.map((route) => (route.path.endsWith(':disable') ? { ...route, answer: () => refuse() } : route))
  const fake = await startFake({ ...service, routes })
  const notes: string[] = []
  await serviceKind.remove({ ...contextOf(fake), progress: { note: (text) => notes.push(text) } }, serviceKind.identity(serviceKind.parse(props)))
  expect(notes[0]).toMatch(/^compute.googleapis.com stays on: .*depends on it/)
  await fake.close()
})

function refuse(): never {
  throw new FakeError(400, 'another service depends on it')
}

test('Terraform', () => {
  expect(serviceTerraform('compute', props)).toEqual({
    type: 'google_project_service',
    name: 'compute',
    body: { project: 'p', service: 'compute.googleapis.com', disable_on_destroy: false },
  })
})
