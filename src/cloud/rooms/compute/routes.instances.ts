/** Instances. https://cloud.google.com/compute/docs/reference/rest/v1/instances */
import type { ZodType } from 'zod'
import { MIB } from '../../../base/units.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import { resourcePath } from './links.ts'
import { policyRoutes } from './routes.policies.ts'
import { PROJECT, scopeOf, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import {
  AccessConfigBody,
  AttachedDiskBody,
  DisplayDeviceBody,
  InstanceBody,
  LabelsBody,
  MetadataBody,
  MinCpuPlatformBody,
  SchedulingBody,
  ServiceAccountBody,
  SetMachineTypeBody,
  ShieldedBody,
  TagsBody,
} from './schema.ts'
import type { Caller } from './service.ts'
import type { Instance } from './service.instances.ts'

const INSTANCES = `${ZONE}/instances`
const INSTANCE = `${INSTANCES}/:instance`

export function instanceRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { instances, changes, settings, caller, projectId, answer } = kit
  const target = kit.on('instances', 'instance')

  function find(request: RouteRequest): Instance {
    return instances.get(projectId(request), request.params['zone'] ?? '', request.params['instance'] ?? '')
  }

  /** `POST …/instances/X/VERB`, which starts an operation. */
  function verb<Body>(
    name: string,
    permission: string,
    body: ZodType<Body> | undefined,
    work: (by: Caller, instance: Instance, body: Body, request: RouteRequest) => Operation,
    method: 'POST' | 'PATCH' = 'POST',
  ): AnyRoute {
    return {
      id: `compute.instances.${name}`,
      method,
      path: `${INSTANCE}/${name}`,
      permission: `compute.instances.${permission}`,
      target,
      ...(body === undefined ? {} : { body }),
      handler: (request) => answer(work(caller(request), find(request), request.body as Body, request)),
    }
  }

  return [
    {
      id: 'compute.instances.insert',
      method: 'POST',
      path: INSTANCES,
      permission: 'compute.instances.create',
      body: InstanceBody,
      handler: (request) => answer(instances.insert(caller(request), projectId(request), request.params['zone'] ?? '', request.body)),
    },
    {
      id: 'compute.instances.list',
      method: 'GET',
      path: INSTANCES,
      permission: 'compute.instances.list',
      handler: (request) => kit.list(request, 'instanceList', 'instances', scopeOf(request)),
    },
    {
      id: 'compute.instances.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/instances`,
      permission: 'compute.instances.list',
      handler: (request) => kit.aggregate(request, 'instanceAggregatedList', 'instances'),
    },
    { id: 'compute.instances.get', method: 'GET', path: INSTANCE, permission: 'compute.instances.get', target, handler: (request) => find(request).record },
    {
      id: 'compute.instances.delete',
      method: 'DELETE',
      path: INSTANCE,
      permission: 'compute.instances.delete',
      target,
      handler: (request) => answer(instances.remove(caller(request), find(request))),
    },
    verb('start', 'start', undefined, (by, instance) => instances.start(by, instance)),
    verb('stop', 'stop', undefined, (by, instance) => instances.stop(by, instance)),
    verb('reset', 'reset', undefined, (by, instance) => instances.reset(by, instance)),
    verb('setMetadata', 'setMetadata', MetadataBody, (by, instance, body) => changes.setMetadata(by, instance, body)),
    verb('setLabels', 'setLabels', LabelsBody, (by, instance, body) => changes.setLabels(by, instance, body)),
    verb('setTags', 'setTags', TagsBody, (by, instance, body) => changes.setTags(by, instance, body)),
    verb('setServiceAccount', 'setServiceAccount', ServiceAccountBody, (by, instance, body) => changes.setServiceAccount(by, instance, body)),
    verb('setMachineType', 'setMachineType', SetMachineTypeBody, (by, instance, body) => changes.setMachineType(by, instance, body.machineType)),
    verb('setDeletionProtection', 'setDeletionProtection', undefined, (by, instance, _body, request) =>
      changes.setDeletionProtection(by, instance, request.query['deletionProtection']?.toLowerCase() !== 'false'),
    ),
    verb('attachDisk', 'attachDisk', AttachedDiskBody, (by, instance, body) => changes.attachDisk(by, instance, body)),
    verb('detachDisk', 'detachDisk', undefined, (by, instance, _body, request) => changes.detachDisk(by, instance, request.query['deviceName'] ?? '')),
    {
      id: 'compute.instances.update',
      method: 'PUT',
      path: INSTANCE,
      permission: 'compute.instances.update',
      target,
      body: InstanceBody,
      handler: (request) => answer(settings.update(caller(request), find(request), request.body)),
    },
    verb('setScheduling', 'setScheduling', SchedulingBody, (by, instance, body) => settings.setScheduling(by, instance, body)),
    verb('setMinCpuPlatform', 'setMinCpuPlatform', MinCpuPlatformBody, (by, instance, body) => settings.setMinCpuPlatform(by, instance, body.minCpuPlatform ?? '')),
    verb('updateShieldedInstanceConfig', 'updateShieldedInstanceConfig', ShieldedBody, (by, instance, body) => settings.updateShieldedInstanceConfig(by, instance, body), 'PATCH'),
    verb('updateDisplayDevice', 'updateDisplayDevice', DisplayDeviceBody, (by, instance, body) => settings.updateDisplayDevice(by, instance, body.enableDisplay === true), 'PATCH'),
    verb('setDiskAutoDelete', 'setDiskAutoDelete', undefined, (by, instance, _body, { query }) =>
      settings.setDiskAutoDelete(by, instance, query['deviceName'] ?? '', query['autoDelete']?.toLowerCase() === 'true'),
    ),
    verb('addAccessConfig', 'addAccessConfig', AccessConfigBody, (by, instance, body, { query }) => settings.addAccessConfig(by, instance, query['networkInterface'] ?? '', body)),
    verb('deleteAccessConfig', 'deleteAccessConfig', undefined, (by, instance, _body, { query }) =>
      settings.deleteAccessConfig(by, instance, query['networkInterface'] ?? '', query['accessConfig'] ?? ''),
    ),
    {
      id: 'compute.instances.getSerialPortOutput',
      method: 'GET',
      path: `${INSTANCE}/serialPort`,
      permission: 'compute.instances.getSerialPortOutput',
      target,
      handler(request) {
        // Without a start Google gives the newest megabyte.
        const { port = '1', start = String(-MIB) } = request.query
        if (!/^[1-4]$/.test(port)) throw invalidArgument(`Invalid value for field 'port': '${port}'. Must be between 1 and 4.`)
        if (!/^-?\d{1,15}$/.test(start)) throw invalidArgument(`Invalid value for field 'start': '${start}'. Must be a byte position.`)
        const instance = find(request)
        // Machines here have one serial port; the others are silent.
        return port === '1' ? instances.serial(instance, Number(start)) : { kind: 'compute#serialPortOutput', contents: '', start: '0', next: '0' }
      },
    },
    {
      id: 'compute.instances.getGuestAttributes',
      method: 'GET',
      path: `${INSTANCE}/getGuestAttributes`,
      permission: 'compute.instances.getGuestAttributes',
      target,
      handler: (request) => instances.guestAttributes(find(request), request.query['queryPath'] ?? request.query['variableKey']),
    },
    ...policyRoutes(kit, 'instances', INSTANCE, target, (request) => resourcePath(find(request))),
  ]
}
