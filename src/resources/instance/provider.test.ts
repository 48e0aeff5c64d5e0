/** Virtual machines against a fake Compute Engine that checks fingerprints and states. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeInstances } from '../testing/fake-machines.ts'
import { instanceKind } from './provider.ts'
import { instanceTerraform } from './terraform.ts'

const image = 'https://www.googleapis.com/compute/v1/projects/p/global/images/srv-1'
const props = {
  projectId: 'p',
  zone: 'us-central1-c',
  name: 'dev',
  machineType: 'e2-small',
  image,
  tags: ['kiln-srv', 'kiln-ssh'],
  labels: { 'managed-by': 'kiln' },
  metadata: { mode: 'dev' },
  serviceAccount: 'a@p.iam.gserviceaccount.com',
}

kindContract(instanceKind, {
  fake: fakeInstances,
  props,
  variants: [
    { props: { ...props, labels: { 'managed-by': 'kiln', team: 'a' } }, paths: ['labels.team'] },
    { props: { ...props, metadata: { mode: 'test' } }, paths: ['metadata.mode'] },
    { props: { ...props, tags: ['kiln-srv'] }, paths: ['tags'] },
    { props: { ...props, machineType: 'e2-medium' }, paths: ['machineType'] },
    { props: { ...props, serviceAccount: 'b@p.iam.gserviceaccount.com' }, paths: ['serviceAccount'] },
    { props: { ...props, serviceAccount: undefined }, paths: ['serviceAccount', 'scopes'] },
    { props: { ...props, image: image.replace('srv-1', 'srv-2') }, paths: ['image'], replaces: true },
    { props: { ...props, network: 'prod' }, paths: ['network'], replaces: true },
  ],
  drift: { change: (service) => Object.assign(service.table.get('dev'), { status: 'TERMINATED' }), paths: ['status'] },
})

test('what Google and its tools add is no drift, and stays through a change', async () => {
  const service = fakeInstances()
  const fake = await startFake(service)
  const parsed = instanceKind.parse(props)
  const observed = await instanceKind.create(contextOf(fake), parsed)
  expect(observed.labels['goog-added']).toBe('x')
  expect(instanceKind.diff(parsed, observed)).toEqual([])
  const changed = instanceKind.parse({ ...props, labels: {}, metadata: {} })
  await instanceKind.update(
    contextOf(fake),
    changed,
    observed,
    instanceKind.diff(changed, observed).filter((one) => one.path.startsWith('labels')),
  )
  expect(service.table.get('dev').labels).toEqual({ 'goog-added': 'x' })
  const again = await instanceKind.observe(contextOf(fake), instanceKind.identity(changed))
  if (again === undefined) throw new Error('the VM is gone')
  await instanceKind.update(contextOf(fake), changed, again, instanceKind.diff(changed, again))
  expect(service.table.get('dev').metadata).toEqual([{ key: 'ssh-keys', value: 'ann:key' }])
  await fake.close()
})

test('a change that came between is kept', async () => {
  const service = fakeInstances()
  const fake = await startFake(service)
  const parsed = instanceKind.parse(props)
  const observed = await instanceKind.create(contextOf(fake), parsed)
  const changed = instanceKind.parse({ ...props, metadata: { mode: 'test' } })
  const vm = service.table.get('dev')
  vm.metadata = vm.metadata.map((item) => (item.key === 'ssh-keys' ? { ...item, value: 'ann:key2' } : item))
  vm.fingerprint = 'bmV3'
  const after = await instanceKind.update(contextOf(fake), changed, observed, instanceKind.diff(changed, observed))
  expect(after.metadata).toEqual({ mode: 'test', 'ssh-keys': 'ann:key2' })
  await fake.close()
})

test('a family is not an image', () => {
  expect(() => instanceKind.parse({ ...props, image: 'projects/p/global/images/family/srv' })).toThrow(/must name an image, not a family/)
})

test('Terraform', () => {
  expect(instanceTerraform('dev', instanceKind.parse(props))).toEqual({
    type: 'google_compute_instance',
    name: 'dev',
    body: {
      project: 'p',
      zone: 'us-central1-c',
      name: 'dev',
      machine_type: 'e2-small',
      boot_disk: [{ auto_delete: true, initialize_params: [{ image: 'projects/p/global/images/srv-1' }] }],
      network_interface: [{ network: 'default', access_config: [{}] }],
      tags: ['kiln-srv', 'kiln-ssh'],
      labels: { 'managed-by': 'kiln' },
      metadata: { mode: 'dev' },
      service_account: [{ email: 'a@p.iam.gserviceaccount.com', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }],
      allow_stopping_for_update: true,
    },
  })
})
