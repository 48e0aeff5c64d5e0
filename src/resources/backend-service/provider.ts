/** Backend services. https://cloud.google.com/compute/docs/reference/rest/v1/backendServices */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part, resourcePath, touches } from '../resource.ts'
import { backendServiceResource } from './resource.ts'
import { BackendServiceProps } from './schema.ts'
import type { BackendServiceAttributes } from './schema.ts'

export const backendServiceKind = computeKind<BackendServiceProps, BackendServiceAttributes>({
  resource: backendServiceResource,
  schema: BackendServiceProps,
  noun: 'backend service',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const service = await call(compute.backendServices.get({ ...projectOf(identity), backendService: part(identity, 'name') }, options))
    return {
      name: service.name ?? '',
      selfLink: service.selfLink ?? '',
      backends: (service.backends ?? []).map((backend) => ({ ...backend, group: resourcePath(backend.group ?? '') })),
      healthChecks: (service.healthChecks ?? []).map(resourcePath),
      protocol: service.protocol ?? '',
      portName: service.portName ?? '',
      timeoutSeconds: service.timeoutSec ?? 30,
      drainingSeconds: service.connectionDraining?.drainingTimeoutSec ?? 0,
      loadBalancingScheme: service.loadBalancingScheme ?? '',
      description: service.description ?? '',
      fingerprint: service.fingerprint ?? '',
    }
  },

  diff: (props, observed) =>
    compare(backendServiceResource, {
      groups: [
        observed.backends
          .map((backend) => backend.group)
          .filter((group) => !isGuest(props, group))
          .toSorted(),
        props.groups.map(resourcePath).toSorted(),
      ],
      healthCheck: [observed.healthChecks, [resourcePath(props.healthCheck)]],
      protocol: [observed.protocol, 'HTTP'],
      portName: [observed.portName, props.portName],
      timeoutSeconds: [observed.timeoutSeconds, props.timeoutSeconds],
      drainingSeconds: [observed.drainingSeconds, props.drainingSeconds],
      loadBalancingScheme: [observed.loadBalancingScheme, props.loadBalancingScheme],
      description: [observed.description, props.description],
    }),

  insert: (compute, props, options) =>
    compute.backendServices.insert(
      {
        project: props.projectId,
        requestBody: { name: props.name, loadBalancingScheme: props.loadBalancingScheme, ...desiredFields(props), backends: props.groups.map(newBackend) },
      },
      options,
    ),

  async change({ compute, options, finish }, props, observed, differences) {
    const known = new Map(observed.backends.map((backend) => [backend.group, backend]))
    const guests = observed.backends.filter((backend) => isGuest(props, backend.group))
    const wanted = props.groups.map((group) => known.get(resourcePath(group)) ?? newBackend(group))
    const backends = touches(differences, 'groups') ? { backends: [...wanted, ...guests] } : {}
    const requestBody = { ...desiredFields(props), ...backends, fingerprint: observed.fingerprint }
    await finish('set the fields', compute.backendServices.patch({ project: props.projectId, backendService: props.name, requestBody }, options))
  },

  remove: (compute, identity, options) => compute.backendServices.delete({ ...projectOf(identity), backendService: part(identity, 'name') }, options),
})

function isGuest(props: BackendServiceProps, group: string): boolean {
  return props.guests.some((guest) => resourcePath(guest) === group)
}

function newBackend(group: string): compute_v1.Schema$Backend {
  return { group: resourcePath(group), balancingMode: 'UTILIZATION', capacityScaler: 1 }
}

function desiredFields(props: BackendServiceProps): compute_v1.Schema$BackendService {
  return {
    description: props.description,
    healthChecks: [resourcePath(props.healthCheck)],
    protocol: 'HTTP',
    portName: props.portName,
    timeoutSec: props.timeoutSeconds,
    connectionDraining: { drainingTimeoutSec: props.drainingSeconds },
  }
}
