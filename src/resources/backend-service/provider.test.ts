/** Backend services against a fake Compute Engine that checks fingerprints. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeBackendServices } from '../testing/fake-serving.ts'
import { backendServiceKind } from './provider.ts'
import { backendServiceTerraform } from './terraform.ts'

const link = (path: string) => `https://www.googleapis.com/compute/v1/projects/p/${path}`
const group = link('zones/us-central1-c/instanceGroups/serve-srv')
const props = { projectId: 'p', name: 'serve-srv', groups: [group], healthCheck: link('global/healthChecks/serve-srv'), description: 'Kiln' }

kindContract(backendServiceKind, {
  fake: fakeBackendServices,
  props,
  variants: [
    { props: { ...props, groups: [group, `${group}-b`] }, paths: ['groups'] },
    { props: { ...props, groups: [`${group}-b`] }, paths: ['groups'] },
    { props: { ...props, healthCheck: `${props.healthCheck}-b` }, paths: ['healthCheck'] },
    { props: { ...props, portName: 'web' }, paths: ['portName'] },
    { props: { ...props, timeoutSeconds: 60 }, paths: ['timeoutSeconds'] },
    { props: { ...props, drainingSeconds: 0 }, paths: ['drainingSeconds'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
    { props: { ...props, loadBalancingScheme: 'EXTERNAL' }, paths: ['loadBalancingScheme'], replaces: true },
  ],
  drift: { change: (service) => service.meddle('serve-srv', { connectionDraining: { drainingTimeoutSec: 1 } }), paths: ['drainingSeconds'] },
})

test('a change that came between is kept, and so is how much traffic a group takes', async () => {
  const service = fakeBackendServices()
  const fake = await startFake(service)
  const observed = await backendServiceKind.create(contextOf(fake), backendServiceKind.parse(props))
  const changed = backendServiceKind.parse({ ...props, groups: [group, `${group}-b`] })
  service.meddle('serve-srv', { securityPolicy: 'a policy', backends: [{ group, balancingMode: 'UTILIZATION', capacityScaler: 0.5 }] })
  const after = await backendServiceKind.update(contextOf(fake), changed, observed, backendServiceKind.diff(changed, observed))
  expect(backendServiceKind.diff(changed, after)).toEqual([])
  expect(service.table.get('serve-srv')).toMatchObject({
    securityPolicy: 'a policy',
    backends: [
      { group, capacityScaler: 0.5 },
      { group: `${group}-b`, capacityScaler: 1 },
    ],
  })
  await fake.close()
})

test('a group that others bring and take away is no drift, and stays when the own ones change', async () => {
  const service = fakeBackendServices()
  const fake = await startFake(service)
  const parsed = backendServiceKind.parse({ ...props, guests: [`${group}-green`] })
  const observed = await backendServiceKind.create(contextOf(fake), parsed)
  expect(observed.backends.map((backend) => backend.group)).not.toContain(expect.stringContaining('-green'))
  service.meddle('serve-srv', { backends: [{ group }, { group: `${group}-green`, capacityScaler: 1 }] })
  const live = await backendServiceKind.observe(contextOf(fake), backendServiceKind.identity(parsed))
  expect(live === undefined ? undefined : backendServiceKind.diff(parsed, live)).toEqual([])
  const moved = backendServiceKind.parse({ ...props, groups: [`${group}-b`], guests: [`${group}-green`] })
  if (live !== undefined) await backendServiceKind.update(contextOf(fake), moved, live, backendServiceKind.diff(moved, live))
  expect(service.table.get('serve-srv')).toMatchObject({
    backends: [{ group: `${group}-b` }, { group: expect.stringMatching(/-green$/), capacityScaler: 1 }],
  })
  await fake.close()
})

test('a change that somebody made already is not sent again', async () => {
  const service = fakeBackendServices()
  const fake = await startFake(service)
  const observed = await backendServiceKind.create(contextOf(fake), backendServiceKind.parse(props))
  const changed = backendServiceKind.parse({ ...props, timeoutSeconds: 60 })
  service.meddle('serve-srv', { timeoutSec: 60 })
  fake.forgetWrites()
  await backendServiceKind.update(contextOf(fake), changed, observed, backendServiceKind.diff(changed, observed))
  expect(fake.writes()).toHaveLength(1)
  await fake.close()
})

test('what somebody made at the same time is brought in line, or named when it cannot be', async () => {
  const service = fakeBackendServices()
  const fake = await startFake(service)
  const other = { name: 'serve-srv', backends: [], healthChecks: [], loadBalancingScheme: 'EXTERNAL_MANAGED', fingerprint: 'b3RoZXI=' }
  service.table.insert('serve-srv', other)
  const parsed = backendServiceKind.parse(props)
  expect(backendServiceKind.diff(parsed, await backendServiceKind.create(contextOf(fake), parsed))).toEqual([])
  service.table.rows.set('serve-srv', { ...other, loadBalancingScheme: 'INTERNAL' })
  await expect(backendServiceKind.create(contextOf(fake), parsed)).rejects.toThrow(/differs in what cannot be changed: loadBalancingScheme/)
  await fake.close()
})

test('Terraform', () => {
  expect(backendServiceTerraform('srv', backendServiceKind.parse({ ...props, groups: ['${google_compute_instance_group_manager.srv.instance_group}'] }))).toEqual({
    type: 'google_compute_backend_service',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv',
      load_balancing_scheme: 'EXTERNAL_MANAGED',
      protocol: 'HTTP',
      port_name: 'http',
      timeout_sec: 30,
      connection_draining_timeout_sec: 30,
      health_checks: ['projects/p/global/healthChecks/serve-srv'],
      backend: [{ group: '${google_compute_instance_group_manager.srv.instance_group}', balancing_mode: 'UTILIZATION', capacity_scaler: 1 }],
      description: 'Kiln',
    },
  })
})
