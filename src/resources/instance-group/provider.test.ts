/** Managed instance groups against a fake Compute Engine that checks fingerprints. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeInstanceGroups } from '../testing/fake-serving.ts'
import { instanceGroupKind } from './provider.ts'
import { instanceGroupTerraform } from './terraform.ts'

const link = (path: string) => `https://www.googleapis.com/compute/v1/projects/p/global/${path}`
const props = {
  projectId: 'p',
  zone: 'us-central1-c',
  name: 'serve-srv',
  baseInstanceName: 'serve-srv',
  template: link('instanceTemplates/serve-srv'),
  targetSize: 2,
  namedPorts: { http: 8080 },
  autoHealing: { healthCheck: link('healthChecks/serve-srv'), initialDelaySeconds: 60 },
  updatePolicy: { type: 'PROACTIVE', minimalAction: 'REPLACE', replacementMethod: 'SUBSTITUTE', maxSurge: 1, maxUnavailable: 0 },
  description: 'Kiln',
}
const policy = props.updatePolicy

kindContract(instanceGroupKind, {
  fake: fakeInstanceGroups,
  props,
  variants: [
    { props: { ...props, baseInstanceName: 'web' }, paths: ['baseInstanceName'] },
    { props: { ...props, targetSize: 3 }, paths: ['targetSize'] },
    { props: { ...props, namedPorts: { web: 8081 } }, paths: ['namedPorts.http', 'namedPorts.web'] },
    { props: { ...props, namedPorts: {} }, paths: ['namedPorts.http'] },
    { props: { ...props, autoHealing: { ...props.autoHealing, initialDelaySeconds: 90 } }, paths: ['autoHealing'] },
    { props: { ...props, autoHealing: undefined }, paths: ['autoHealing'] },
    { props: { ...props, updatePolicy: { ...policy, type: 'OPPORTUNISTIC', minimalAction: 'RESTART' } }, paths: ['updatePolicy.type', 'updatePolicy.minimalAction'] },
    {
      props: { ...props, updatePolicy: { ...policy, replacementMethod: 'RECREATE', maxSurge: 0, maxUnavailable: 1 } },
      paths: ['updatePolicy.replacementMethod', 'updatePolicy.maxSurge', 'updatePolicy.maxUnavailable'],
    },
    { props: { ...props, targetSize: 1, namedPorts: { http: 80 }, baseInstanceName: 'web' }, paths: ['baseInstanceName', 'targetSize', 'namedPorts.http'] },
  ],
  drift: {
    change: (service) => service.meddle('serve-srv', { targetSize: 5, namedPorts: [] }),
    paths: ['targetSize', 'namedPorts.http'],
  },
})

test('versions belong to the deployer: they are no drift, and stay through a change, whose fingerprint is read again', async () => {
  const service = fakeInstanceGroups()
  const fake = await startFake(service)
  const parsed = instanceGroupKind.parse(props)
  const observed = await instanceGroupKind.create(contextOf(fake), parsed)
  const versions = [
    { name: '8', instanceTemplate: link('instanceTemplates/r-8') },
    { name: '7', instanceTemplate: link('instanceTemplates/r-7'), targetSize: { fixed: 1 } },
  ]
  service.meddle('serve-srv', { versions, instanceTemplate: link('instanceTemplates/r-8') })
  const live = await instanceGroupKind.observe(contextOf(fake), instanceGroupKind.identity(parsed))
  expect(live).toBeDefined()
  expect(live === undefined ? undefined : instanceGroupKind.diff(instanceGroupKind.parse({ ...props, template: link('instanceTemplates/other') }), live)).toEqual([])
  const changed = instanceGroupKind.parse({ ...props, autoHealing: undefined, targetSize: 3, namedPorts: { http: 8081 } })
  expect(instanceGroupKind.diff(changed, await instanceGroupKind.update(contextOf(fake), changed, observed, instanceGroupKind.diff(changed, observed)))).toEqual([])
  expect(service.table.get('serve-srv')).toMatchObject({ versions, instanceTemplate: link('instanceTemplates/r-8') })
  await fake.close()
})

test("without size and policy the group begins with what it is given, and neither is anybody's drift", async () => {
  const service = fakeInstanceGroups()
  const fake = await startFake(service)
  expect((await instanceGroupKind.create(contextOf(fake), instanceGroupKind.parse({ ...props, name: 'one', targetSize: undefined }))).targetSize).toBe(1)
  const parsed = instanceGroupKind.parse({ ...props, targetSize: undefined, firstSize: 0, updatePolicy: undefined })
  expect(await instanceGroupKind.create(contextOf(fake), parsed)).toMatchObject({
    targetSize: 0,
    updatePolicy: { ...policy, maxSurge: { fixed: 1 }, maxUnavailable: { fixed: 0 } },
  })
  service.meddle('serve-srv', { targetSize: 7, updatePolicy: { ...policy, maxSurge: { fixed: 4 }, maxUnavailable: { fixed: 0 } } })
  const live = await instanceGroupKind.observe(contextOf(fake), instanceGroupKind.identity(parsed))
  expect(live === undefined ? undefined : instanceGroupKind.diff(parsed, live)).toEqual([])
  await fake.close()
})

test('a percentage that somebody set is drift', async () => {
  const service = fakeInstanceGroups()
  const fake = await startFake(service)
  const parsed = instanceGroupKind.parse(props)
  const { updatePolicy, ...rest } = await instanceGroupKind.create(contextOf(fake), parsed)
  expect(instanceGroupKind.diff(parsed, { ...rest, updatePolicy: { ...updatePolicy, maxSurge: { percent: 20 } } })).toEqual([
    { path: 'updatePolicy.maxSurge', from: { percent: 20 }, to: { fixed: 1 } },
  ])
  await fake.close()
})

test('policies that no update could begin with are refused', () => {
  const parse = (change: object) => () => instanceGroupKind.parse({ ...props, updatePolicy: { ...policy, ...change } })
  expect(parse({ maxSurge: 0 })).toThrow('maxSurge and maxUnavailable cannot both be 0')
  expect(parse({ replacementMethod: 'RECREATE' })).toThrow('must be 0 with the replacement method RECREATE')
})

test('Terraform ignores the versions, and size and policy where the config has none', () => {
  const block = {
    type: 'google_compute_instance_group_manager',
    name: 'srv',
    body: {
      project: 'p',
      zone: 'us-central1-c',
      name: 'serve-srv',
      base_instance_name: 'serve-srv',
      version: [{ instance_template: 'projects/p/global/instanceTemplates/serve-srv' }],
      target_size: 2,
      named_port: [{ name: 'http', port: 8080 }],
      auto_healing_policies: [{ health_check: 'projects/p/global/healthChecks/serve-srv', initial_delay_sec: 60 }],
      update_policy: [{ type: 'PROACTIVE', minimal_action: 'REPLACE', replacement_method: 'SUBSTITUTE', max_surge_fixed: 1, max_unavailable_fixed: 0 }],
      description: 'Kiln',
      lifecycle: { ignore_changes: ['version'] },
    },
  }
  expect(instanceGroupTerraform('srv', instanceGroupKind.parse(props))).toEqual(block)
  const sizeless = instanceGroupTerraform('srv', instanceGroupKind.parse({ ...props, targetSize: undefined, firstSize: 0, updatePolicy: undefined }))
  expect(sizeless).toEqual({ ...block, body: { ...block.body, target_size: 0, lifecycle: { ignore_changes: ['version', 'target_size', 'update_policy'] } } })
})
