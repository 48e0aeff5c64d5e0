/** Health checks against a fake Compute Engine. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeHealthChecks } from '../testing/fake-serving.ts'
import { healthCheckKind } from './provider.ts'
import { healthCheckTerraform } from './terraform.ts'

const props = { projectId: 'p', name: 'serve-srv', requestPath: '/healthz', port: 8080, description: 'Kiln' }

kindContract(healthCheckKind, {
  fake: fakeHealthChecks,
  props,
  variants: [
    { props: { ...props, requestPath: '/ready' }, paths: ['requestPath'] },
    { props: { ...props, port: 8081 }, paths: ['port'] },
    { props: { ...props, intervalSeconds: 10, timeoutSeconds: 3 }, paths: ['intervalSeconds', 'timeoutSeconds'] },
    { props: { ...props, healthyThreshold: 1, unhealthyThreshold: 3 }, paths: ['healthyThreshold', 'unhealthyThreshold'] },
    { props: { ...props, description: 'other' }, paths: ['description'] },
  ],
  drift: {
    change: (service) =>
      service.table.rows.set('serve-srv', { name: 'serve-srv', selfLink: service.table.get('serve-srv')['selfLink'], type: 'TCP', tcpHealthCheck: { port: 22 } }),
    paths: ['type', 'requestPath', 'port', 'description'],
  },
})

test('a check may not take longer than the time to the next one', () => {
  expect(() => healthCheckKind.parse({ ...props, intervalSeconds: 5, timeoutSeconds: 6 })).toThrow('timeoutSeconds: must not be longer than intervalSeconds')
})

test('Terraform', () => {
  expect(healthCheckTerraform('srv', healthCheckKind.parse(props))).toEqual({
    type: 'google_compute_health_check',
    name: 'srv',
    body: {
      project: 'p',
      name: 'serve-srv',
      check_interval_sec: 5,
      timeout_sec: 5,
      healthy_threshold: 2,
      unhealthy_threshold: 2,
      http_health_check: [{ port: 8080, port_specification: 'USE_FIXED_PORT', request_path: '/healthz' }],
      description: 'Kiln',
    },
  })
})
