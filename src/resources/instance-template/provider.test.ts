/** Instance templates against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeInstanceTemplates } from '../testing/fake-serving.ts'
import { instanceTemplateKind } from './provider.ts'
import { instanceTemplateTerraform } from './terraform.ts'

const image = 'https://www.googleapis.com/compute/v1/projects/p/global/images/srv-1'
const props = {
  projectId: 'p',
  name: 'serve-srv',
  machineType: 'e2-micro',
  image,
  tags: ['serve-srv', 'kiln-ssh'],
  labels: { 'managed-by': 'kiln' },
  metadata: { mode: 'prod' },
  serviceAccount: 'a@p.iam.gserviceaccount.com',
  description: 'Kiln',
}

kindContract(instanceTemplateKind, {
  fake: fakeInstanceTemplates,
  props,
  variants: [
    { props: { ...props, machineType: 'e2-small' }, paths: ['machineType'], replaces: true },
    { props: { ...props, image: image.replace('srv-1', 'srv-2') }, paths: ['image'], replaces: true },
    { props: { ...props, diskSizeGb: 20 }, paths: ['diskSizeGb'], replaces: true },
    { props: { ...props, network: 'prod' }, paths: ['network'], replaces: true },
    { props: { ...props, tags: [] }, paths: ['tags'], replaces: true },
    { props: { ...props, labels: {} }, paths: ['labels'], replaces: true },
    { props: { ...props, metadata: {} }, paths: ['metadata'], replaces: true },
    { props: { ...props, serviceAccount: undefined }, paths: ['serviceAccount', 'scopes'], replaces: true },
    { props: { ...props, description: 'other' }, paths: ['description'], replaces: true },
  ],
})

test('a seed is made, and then left as it is', async () => {
  const fake = await startFake(fakeInstanceTemplates())
  const observed = await instanceTemplateKind.create(contextOf(fake), instanceTemplateKind.parse({ ...props, seed: true }))
  expect(observed.image).toBe('projects/p/global/images/srv-1')
  const later = { ...props, image: image.replace('srv-1', 'srv-2'), machineType: 'e2-small' }
  expect(instanceTemplateKind.diff(instanceTemplateKind.parse({ ...later, seed: true }), observed)).toEqual([])
  expect(instanceTemplateKind.diff(instanceTemplateKind.parse(later), observed)).toHaveLength(2)
  await fake.close()
})

test('it is never changed in place', async () => {
  const fake = await startFake(fakeInstanceTemplates())
  const parsed = instanceTemplateKind.parse(props)
  const observed = await instanceTemplateKind.create(contextOf(fake), parsed)
  await expect(instanceTemplateKind.update(contextOf(fake), parsed, observed, [])).rejects.toThrow('the instance template serve-srv cannot be changed in place')
  await fake.close()
})

test('a family is not an image', () => {
  expect(() => instanceTemplateKind.parse({ ...props, image: 'projects/p/global/images/family/srv' })).toThrow(/must name an image, not a family/)
})

test('Terraform: a seed is left alone, others are replaced by a new name first', () => {
  const block = {
    type: 'google_compute_instance_template',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv',
      machine_type: 'e2-micro',
      disk: [{ boot: true, auto_delete: true, source_image: 'projects/p/global/images/srv-1', labels: { 'managed-by': 'kiln' } }],
      network_interface: [{ network: 'default', access_config: [{}] }],
      tags: ['serve-srv', 'kiln-ssh'],
      labels: { 'managed-by': 'kiln' },
      metadata: { mode: 'prod' },
      service_account: [{ email: 'a@p.iam.gserviceaccount.com', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }],
      description: 'Kiln',
      lifecycle: { ignore_changes: 'all' },
    },
  }
  expect(instanceTemplateTerraform('srv', instanceTemplateKind.parse({ ...props, seed: true }))).toEqual(block)
  expect(instanceTemplateTerraform('srv', instanceTemplateKind.parse(props))).toEqual({ ...block, body: { ...block.body, lifecycle: { create_before_destroy: true } } })
})
