/** Projects, and what is the same for all of them: zones, regions, machine types, disk types. */
import type { AnyRoute } from '../../kernel/room.ts'
import { diskTypes, machineTypes } from './data/machine-types.ts'
import { regionOfZone, regions, zones } from './data/regions.ts'
import { resourceNotFound } from './errors.ts'
import { linkTo, selfLink } from './links.ts'
import { listQuery, PROJECT, REGION, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { MetadataBody } from './schema.ts'
import { requireRegion, requireZone } from './service.ts'
import { toAggregatedList, toList } from './shapes.ts'

/** When these things came to be, as far as clients care: before anything else. */
const LONG_AGO = '1969-12-31T16:00:00.000-08:00'

export function catalogRoutes(kit: RouteKit): readonly AnyRoute[] {
  function zone(projectId: string, name: string): object {
    const region = regionOfZone(name)
    return {
      kind: 'compute#zone',
      id: stableId(name),
      creationTimestamp: LONG_AGO,
      name,
      description: name,
      status: 'UP',
      region: linkTo(`projects/${projectId}/regions/${region}`),
      selfLink: linkTo(`projects/${projectId}/zones/${name}`),
      availableCpuPlatforms: ['Intel Broadwell'],
      supportsPzs: false,
    }
  }

  function region(projectId: string, name: string): object {
    const own = [...zones].filter(([, of]) => of === name).map(([each]) => linkTo(`projects/${projectId}/zones/${each}`))
    const quotas = kit.projects.regionQuotas(projectId, name)
    return {
      kind: 'compute#region',
      id: stableId(name),
      creationTimestamp: LONG_AGO,
      name,
      description: name,
      status: 'UP',
      zones: own,
      quotas,
      selfLink: linkTo(`projects/${projectId}/regions/${name}`),
      supportsPzs: false,
    }
  }

  function machineType(projectId: string, inZone: string, name: string): object {
    const key = { projectId, scope: `zones/${requireZone(projectId, inZone)}`, collection: 'machineTypes', name }
    const type = machineTypes.get(name)
    if (type === undefined) throw resourceNotFound(key)
    const { guestCpus, memoryMb, isSharedCpu, description } = type
    return {
      kind: 'compute#machineType',
      id: stableId(name),
      creationTimestamp: LONG_AGO,
      name,
      description,
      guestCpus,
      memoryMb,
      imageSpaceGb: 0,
      maximumPersistentDisks: 128,
      maximumPersistentDisksSizeGb: '263168',
      zone: inZone,
      selfLink: selfLink(key),
      isSharedCpu,
      architecture: 'X86_64',
    }
  }

  function diskType(projectId: string, inZone: string, name: string): object {
    const key = { projectId, scope: `zones/${requireZone(projectId, inZone)}`, collection: 'diskTypes', name }
    const type = diskTypes.get(name)
    if (type === undefined) throw resourceNotFound(key)
    return { kind: 'compute#diskType', id: stableId(name), creationTimestamp: LONG_AGO, name, ...type, zone: linkTo(`projects/${projectId}/${key.scope}`), selfLink: selfLink(key) }
  }

  function inZones(projectId: string, show: (zoneName: string) => readonly object[]): { scope: string; record: object }[] {
    return [...zones.keys()].flatMap((name) => show(name).map((record) => ({ scope: `zones/${name}`, record })))
  }

  return [
    { id: 'compute.projects.get', method: 'GET', path: PROJECT, permission: 'compute.projects.get', handler: (request) => kit.projects.get(kit.projectId(request)) },
    {
      id: 'compute.projects.setCommonInstanceMetadata',
      method: 'POST',
      path: `${PROJECT}/setCommonInstanceMetadata`,
      permission: 'compute.projects.setCommonInstanceMetadata',
      body: MetadataBody,
      handler: (request) => kit.answer(kit.projects.setMetadata(kit.caller(request), kit.projectId(request), request.body)),
    },
    {
      id: 'compute.zones.list',
      method: 'GET',
      path: `${PROJECT}/zones`,
      permission: 'compute.zones.list',
      handler(request) {
        const projectId = kit.projectId(request)
        return toList(
          'zoneList',
          `projects/${projectId}/zones`,
          [...zones.keys()].map((name) => zone(projectId, name)),
          listQuery(request),
        )
      },
    },
    {
      id: 'compute.zones.get',
      method: 'GET',
      path: ZONE,
      permission: 'compute.zones.get',
      handler: (request) => zone(kit.projectId(request), requireZone(kit.projectId(request), request.params['zone'] ?? '')),
    },
    {
      id: 'compute.regions.list',
      method: 'GET',
      path: `${PROJECT}/regions`,
      permission: 'compute.regions.list',
      handler(request) {
        const projectId = kit.projectId(request)
        return toList(
          'regionList',
          `projects/${projectId}/regions`,
          Object.keys(regions).map((name) => region(projectId, name)),
          listQuery(request),
        )
      },
    },
    {
      id: 'compute.regions.get',
      method: 'GET',
      path: REGION,
      permission: 'compute.regions.get',
      handler: (request) => region(kit.projectId(request), requireRegion(kit.projectId(request), request.params['region'] ?? '')),
    },
    {
      id: 'compute.machineTypes.list',
      method: 'GET',
      path: `${ZONE}/machineTypes`,
      permission: 'compute.machineTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        const inZone = request.params['zone'] ?? ''
        return toList(
          'machineTypeList',
          `projects/${projectId}/zones/${inZone}/machineTypes`,
          [...machineTypes.keys()].map((name) => machineType(projectId, inZone, name)),
          listQuery(request),
        )
      },
    },
    {
      id: 'compute.machineTypes.get',
      method: 'GET',
      path: `${ZONE}/machineTypes/:machineType`,
      permission: 'compute.machineTypes.get',
      handler: (request) => machineType(kit.projectId(request), request.params['zone'] ?? '', request.params['machineType'] ?? ''),
    },
    {
      id: 'compute.machineTypes.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/machineTypes`,
      permission: 'compute.machineTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        return toAggregatedList(
          'machineTypeAggregatedList',
          `projects/${projectId}/aggregated/machineTypes`,
          'machineTypes',
          inZones(projectId, (inZone) => [...machineTypes.keys()].map((name) => machineType(projectId, inZone, name))),
          listQuery(request),
        )
      },
    },
    {
      id: 'compute.diskTypes.list',
      method: 'GET',
      path: `${ZONE}/diskTypes`,
      permission: 'compute.diskTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        const inZone = request.params['zone'] ?? ''
        return toList(
          'diskTypeList',
          `projects/${projectId}/zones/${inZone}/diskTypes`,
          [...diskTypes.keys()].map((name) => diskType(projectId, inZone, name)),
          listQuery(request),
        )
      },
    },
    {
      id: 'compute.diskTypes.get',
      method: 'GET',
      path: `${ZONE}/diskTypes/:diskType`,
      permission: 'compute.diskTypes.get',
      handler: (request) => diskType(kit.projectId(request), request.params['zone'] ?? '', request.params['diskType'] ?? ''),
    },
    {
      id: 'compute.diskTypes.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/diskTypes`,
      permission: 'compute.diskTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        const found = inZones(projectId, (inZone) => [...diskTypes.keys()].map((name) => diskType(projectId, inZone, name)))
        return toAggregatedList('diskTypeAggregatedList', `projects/${projectId}/aggregated/diskTypes`, 'diskTypes', found, listQuery(request))
      },
    },
    // Machines here have no accelerators: the lists are empty because nothing is there.
    {
      id: 'compute.acceleratorTypes.list',
      method: 'GET',
      path: `${ZONE}/acceleratorTypes`,
      permission: 'compute.acceleratorTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        const inZone = requireZone(projectId, request.params['zone'] ?? '')
        return toList('acceleratorTypeList', `projects/${projectId}/zones/${inZone}/acceleratorTypes`, [], listQuery(request))
      },
    },
    {
      id: 'compute.acceleratorTypes.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/acceleratorTypes`,
      permission: 'compute.acceleratorTypes.list',
      handler(request) {
        const projectId = kit.projectId(request)
        return toAggregatedList('acceleratorTypeAggregatedList', `projects/${projectId}/aggregated/acceleratorTypes`, 'acceleratorTypes', [], listQuery(request))
      },
    },
    {
      id: 'compute.acceleratorTypes.get',
      method: 'GET',
      path: `${ZONE}/acceleratorTypes/:acceleratorType`,
      permission: 'compute.acceleratorTypes.get',
      handler(request) {
        const projectId = kit.projectId(request)
        const scope = `zones/${requireZone(projectId, request.params['zone'] ?? '')}`
        throw resourceNotFound({ projectId, scope, collection: 'acceleratorTypes', name: request.params['acceleratorType'] ?? '' })
      },
    },
  ]
}

/** Ids of things that are not rows must not change between calls: a number from the name. */
function stableId(name: string): string {
  let hash = 7n
  for (const character of name) hash = (hash * 131n + BigInt(character.codePointAt(0) ?? 0)) % 9_007_199_254_740_881n
  return String(hash + 1000n)
}
