/** Health checks. https://cloud.google.com/compute/docs/reference/rest/v1/healthChecks */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part } from '../resource.ts'
import { healthCheckResource } from './resource.ts'
import { HealthCheckProps } from './schema.ts'
import type { HealthCheckAttributes } from './schema.ts'

export const healthCheckKind = computeKind<HealthCheckProps, HealthCheckAttributes>({
  resource: healthCheckResource,
  schema: HealthCheckProps,
  noun: 'health check',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const check = await call(compute.healthChecks.get({ ...projectOf(identity), healthCheck: part(identity, 'name') }, options))
    return {
      name: check.name ?? '',
      selfLink: check.selfLink ?? '',
      type: check.type ?? '',
      requestPath: check.httpHealthCheck?.requestPath ?? '/',
      port: check.httpHealthCheck?.port ?? 0,
      intervalSeconds: check.checkIntervalSec ?? 5,
      timeoutSeconds: check.timeoutSec ?? 5,
      healthyThreshold: check.healthyThreshold ?? 2,
      unhealthyThreshold: check.unhealthyThreshold ?? 2,
      description: check.description ?? '',
    }
  },

  diff: (props, observed) =>
    compare(healthCheckResource, {
      type: [observed.type, 'HTTP'],
      requestPath: [observed.requestPath, props.requestPath],
      port: [observed.port, props.port],
      intervalSeconds: [observed.intervalSeconds, props.intervalSeconds],
      timeoutSeconds: [observed.timeoutSeconds, props.timeoutSeconds],
      healthyThreshold: [observed.healthyThreshold, props.healthyThreshold],
      unhealthyThreshold: [observed.unhealthyThreshold, props.unhealthyThreshold],
      description: [observed.description, props.description],
    }),

  insert: (compute, props, options) => compute.healthChecks.insert({ project: props.projectId, requestBody: desiredCheck(props) }, options),

  // the whole check, as it has to be: a patch could not take back another type or a named port
  async change({ compute, options, finish }, props) {
    await finish('set the fields', compute.healthChecks.update({ project: props.projectId, healthCheck: props.name, requestBody: desiredCheck(props) }, options))
  },

  remove: (compute, identity, options) => compute.healthChecks.delete({ ...projectOf(identity), healthCheck: part(identity, 'name') }, options),
})

function desiredCheck(props: HealthCheckProps): compute_v1.Schema$HealthCheck {
  return {
    name: props.name,
    description: props.description,
    type: 'HTTP',
    httpHealthCheck: { port: props.port, portSpecification: 'USE_FIXED_PORT', requestPath: props.requestPath },
    checkIntervalSec: props.intervalSeconds,
    timeoutSec: props.timeoutSeconds,
    healthyThreshold: props.healthyThreshold,
    unhealthyThreshold: props.unhealthyThreshold,
  }
}
