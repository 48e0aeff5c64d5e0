/** The fleet over Compute Engine's API, with Google's client. https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { Clients } from '../client/clients.ts'
import { ApiError, call, isConflict, isGone, isNotFound, isPreconditionFailed } from '../client/errors.ts'
import { lastSegment, waitForCompute } from '../client/operations.ts'
import type { Backend, Fleet, GroupFacts, GroupWish, HealthState, ImageFacts, MachineFacts, MemberFacts, TemplateFacts } from './fleet.ts'
import { googleDisks } from './fleet.google.disks.ts'
import { templateBody } from './template.ts'

export interface FleetPlace {
  readonly projectId: string
  readonly zone: string
  readonly signal?: AbortSignal
}

const mostTries = 6

/** Errors are those of `call` and `waitForCompute`. */
export function googleFleet(clients: Clients, place: FleetPlace): Fleet {
  const { projectId: project, zone } = place
  const options = place.signal === undefined ? {} : { signal: place.signal }
  const templateLink = (name: string): string => `projects/${project}/global/instanceTemplates/${name}`
  const groupLink = (name: string): string => `projects/${project}/zones/${zone}/instanceGroups/${name}`

  async function done(what: string, started: Promise<{ readonly data: compute_v1.Schema$Operation }>): Promise<void> {
    await waitForCompute(clients, project, await call(started), { what, ...options })
  }

  async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
    try {
      return await reading
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  function versionsOf(wish: Pick<GroupWish, 'versions'>): compute_v1.Schema$InstanceGroupManagerVersion[] {
    return wish.versions.map(({ template, count }) => ({ instanceTemplate: templateLink(template), ...(count === undefined ? {} : { targetSize: { fixed: count } }) }))
  }

  function policyOf(maxSurge: number): compute_v1.Schema$InstanceGroupManagerUpdatePolicy {
    return { type: 'PROACTIVE', minimalAction: 'REPLACE', replacementMethod: 'SUBSTITUTE', maxSurge: { fixed: maxSurge }, maxUnavailable: { fixed: 0 } }
  }

  /** All pages of a list. */
  async function pages<T>(read: (pageToken: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next: string | null | undefined }>): Promise<readonly T[]> {
    const all: T[] = []
    let token: string | undefined
    do {
      const page = await read(token)
      all.push(...page.items)
      token = page.next ?? undefined
    } while (token !== undefined)
    return all
  }

  return {
    ...googleDisks(clients, place),
    async image(link) {
      const compute = await clients.compute()
      const [, owner = project] = /projects\/([^/]+)\/global\/images\//.exec(link) ?? []
      const image = await orUndefined(call(compute.images.get({ project: owner, image: lastSegment(link) }, options)))
      return image === undefined ? undefined : imageFacts(image)
    },
    async images() {
      const compute = await clients.compute()
      const images = await pages(async (pageToken) => {
        const page = await call(compute.images.list({ project, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        return { items: page.items ?? [], next: page.nextPageToken }
      })
      return images.map(imageFacts)
    },
    async deleteImage(name) {
      const compute = await clients.compute()
      await ignoring(isGone, done(`delete the image ${name}`, compute.images.delete({ project, image: name }, options)))
    },

    async template(name) {
      const compute = await clients.compute()
      const template = await orUndefined(call(compute.instanceTemplates.get({ project, instanceTemplate: name }, options)))
      return template === undefined ? undefined : templateFacts(template)
    },
    async templates(prefix) {
      const compute = await clients.compute()
      const all = await pages(async (pageToken) => {
        const page = await call(compute.instanceTemplates.list({ project, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        return { items: page.items ?? [], next: page.nextPageToken }
      })
      return all.map(templateFacts).filter(({ name }) => name.startsWith(prefix))
    },
    async createTemplate(template) {
      const compute = await clients.compute()
      const requestBody = templateBody(template, { projectId: project, zone })
      await ignoring(isConflict, done(`create the instance template ${template.name}`, compute.instanceTemplates.insert({ project, requestBody }, options)))
    },
    async deleteTemplate(name) {
      const compute = await clients.compute()
      try {
        await ignoring(isGone, done(`delete the instance template ${name}`, compute.instanceTemplates.delete({ project, instanceTemplate: name }, options)))
        return true
      } catch (error) {
        if (error instanceof ApiError && error.reasons.includes('resourceInUseByAnotherResource')) return false
        throw error
      }
    },

    async group(name) {
      const compute = await clients.compute()
      const manager = await orUndefined(call(compute.instanceGroupManagers.get({ project, zone, instanceGroupManager: name }, options)))
      return manager === undefined ? undefined : groupFacts(manager)
    },
    async groups() {
      const compute = await clients.compute()
      const managers = await pages(async (pageToken) => {
        const page = await call(compute.instanceGroupManagers.list({ project, zone, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        return { items: page.items ?? [], next: page.nextPageToken }
      })
      return managers.map(groupFacts)
    },
    async createGroup(wish) {
      const compute = await clients.compute()
      const requestBody: compute_v1.Schema$InstanceGroupManager = {
        name: wish.name,
        baseInstanceName: wish.baseInstanceName,
        targetSize: wish.size,
        versions: versionsOf(wish),
        namedPorts: wish.namedPorts.map((port) => ({ ...port })),
        updatePolicy: policyOf(wish.maxSurge),
        ...(wish.healthCheck === undefined
          ? {}
          : { autoHealingPolicies: [{ healthCheck: `projects/${project}/global/healthChecks/${wish.healthCheck}`, initialDelaySec: wish.initialDelaySec }] }),
      }
      await ignoring(isConflict, done(`create the instance group ${wish.name}`, compute.instanceGroupManagers.insert({ project, zone, requestBody }, options)))
    },
    async updateGroup(name, change) {
      const compute = await clients.compute()
      const requestBody = { versions: versionsOf(change), targetSize: change.size, updatePolicy: policyOf(change.maxSurge) }
      await done(`update the instance group ${name}`, compute.instanceGroupManagers.patch({ project, zone, instanceGroupManager: name, requestBody }, options))
    },

    async members(group) {
      const compute = await clients.compute()
      const members = await pages(async (pageToken) => {
        const params = { project, zone, instanceGroupManager: group, maxResults: 500, ...(pageToken === undefined ? {} : { pageToken }) }
        const page = await orUndefined(call(compute.instanceGroupManagers.listManagedInstances(params, options)))
        return { items: page?.managedInstances ?? [], next: page?.nextPageToken }
      })
      return members.map(memberFacts)
    },
    async groupErrors(group) {
      const compute = await clients.compute()
      const page = await orUndefined(call(compute.instanceGroupManagers.listErrors({ project, zone, instanceGroupManager: group, maxResults: 100 }, options)))
      return (page?.items ?? []).map((item) => ({
        at: item.timestamp ?? '',
        instance: lastSegment(item.instanceActionDetails?.instance ?? ''),
        template: lastSegment(item.instanceActionDetails?.version?.instanceTemplate ?? ''),
        action: item.instanceActionDetails?.action ?? '',
        code: item.error?.code ?? '',
        message: item.error?.message ?? '',
      }))
    },
    async address(name) {
      const compute = await clients.compute()
      const instance = await call(compute.instances.get({ project, zone, instance: name }, options))
      const nic = instance.networkInterfaces?.[0]
      const external = nic?.accessConfigs?.[0]?.natIP
      return { ...(nic?.networkIP ? { internal: nic.networkIP } : {}), ...(external ? { external } : {}) }
    },
    async serial(instance) {
      const compute = await clients.compute()
      return (await call(compute.instances.getSerialPortOutput({ project, zone, instance }, options))).contents ?? ''
    },
    async machines() {
      const compute = await clients.compute()
      const instances = await pages(async (pageToken) => {
        const page = await call(compute.instances.list({ project, zone, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        return { items: page.items ?? [], next: page.nextPageToken }
      })
      const disks = await pages(async (pageToken) => {
        const page = await call(compute.disks.list({ project, zone, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        return { items: page.items ?? [], next: page.nextPageToken }
      })
      const imageOf = new Map(disks.map((disk) => [disk.name ?? '', disk.sourceImageId ?? '']))
      return instances.map((instance): MachineFacts => {
        const template = instance.metadata?.items?.find((item) => item.key === 'instance-template')?.value
        const ids = (instance.disks ?? []).map((disk) => imageOf.get(lastSegment(disk.source ?? '')) ?? '').filter((id) => id !== '')
        return { name: instance.name ?? '', imageIds: ids, ...(template ? { template: lastSegment(template) } : {}) }
      })
    },

    async backends(name) {
      const compute = await clients.compute()
      const service = await orUndefined(call(compute.backendServices.get({ project, backendService: name }, options)))
      return service === undefined ? undefined : (service.backends ?? []).map(backendFacts)
    },
    async setBackends(name, wished) {
      const compute = await clients.compute()
      for (let tries = 1; ; tries += 1) {
        const service = await call(compute.backendServices.get({ project, backendService: name }, options))
        const before = service.backends ?? []
        const kept = before.map((backend) => {
          const wish = wished.find(({ group }) => group === lastSegment(backend.group ?? ''))
          return wish === undefined ? backend : { ...backend, capacityScaler: wish.capacity }
        })
        const added = wished.filter(({ group }) => !before.some((backend) => lastSegment(backend.group ?? '') === group))
        const pattern = before[0]
        const fresh = added.map(({ group, capacity }) => ({
          ...(pattern === undefined ? { balancingMode: 'UTILIZATION' } : { ...pattern }),
          group: groupLink(group),
          capacityScaler: capacity,
        }))
        const requestBody = { backends: [...kept, ...fresh], ...(service.fingerprint ? { fingerprint: service.fingerprint } : {}) }
        try {
          await done(`change the backends of ${name}`, compute.backendServices.patch({ project, backendService: name, requestBody }, options))
          return
        } catch (error) {
          // somebody else changed it meanwhile: what they did is kept
          if (!isPreconditionFailed(error) || tries >= mostTries) throw error
        }
      }
    },
    async backendHealth(service, group) {
      const compute = await clients.compute()
      const found = await orUndefined(call(compute.backendServices.get({ project, backendService: service }, options)))
      if (!(found?.backends ?? []).some((backend) => lastSegment(backend.group ?? '') === group)) return []
      const health = await orUndefined(call(compute.backendServices.getHealth({ project, backendService: service, requestBody: { group: groupLink(group) } }, options)))
      return (health?.healthStatus ?? []).map((status) => ({
        instance: lastSegment(status.instance ?? ''),
        state: healthState(status.healthState),
        evidence: { ...status.annotations, ...(status.ipAddress ? { address: `${status.ipAddress}:${status.port ?? ''}` } : {}) },
      }))
    },
  }
}

async function ignoring(isFine: (error: unknown) => boolean, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isFine(error)) throw error
  }
}

/** A link of any host as `projects/P/global/images/NAME`. */
export function resourceTail(link: string): string {
  const start = link.indexOf('projects/')
  return start < 0 ? link : link.slice(start)
}

function imageFacts(image: compute_v1.Schema$Image): ImageFacts {
  const digest = image.labels?.['kiln-digest'] ?? image.labels?.['kiln-key']
  return {
    name: image.name ?? '',
    selfLink: resourceTail(image.selfLink ?? ''),
    id: image.id ?? '',
    status: image.status ?? '',
    deprecation: image.deprecated?.state ?? 'ACTIVE',
    ...(digest ? { digest } : {}),
    ...(image.family ? { family: image.family } : {}),
  }
}

function templateFacts(template: compute_v1.Schema$InstanceTemplate): TemplateFacts {
  const boot = (template.properties?.disks ?? []).find((disk) => disk.boot === true)
  return { name: template.name ?? '', image: resourceTail(boot?.initializeParams?.sourceImage ?? '') }
}

function groupFacts(manager: compute_v1.Schema$InstanceGroupManager): GroupFacts {
  const policy = manager.updatePolicy
  const versions = manager.versions ?? []
  const isSized = (version: compute_v1.Schema$InstanceGroupManagerVersion): boolean =>
    typeof version.targetSize?.fixed === 'number' || typeof version.targetSize?.percent === 'number'
  return {
    name: manager.name ?? '',
    size: manager.targetSize ?? 0,
    versions: versions.map((version) => ({
      template: lastSegment(version.instanceTemplate ?? ''),
      ...(isSized(version) ? { count: version.targetSize?.fixed ?? version.targetSize?.calculated ?? 0 } : {}),
    })),
    maxSurge: policy?.maxSurge?.calculated ?? policy?.maxSurge?.fixed ?? 0,
    maxUnavailable: policy?.maxUnavailable?.calculated ?? policy?.maxUnavailable?.fixed ?? 0,
    isProactive: policy?.type === 'PROACTIVE',
    isStable: manager.status?.isStable === true,
    isReached: manager.status?.versionTarget?.isReached === true,
    hasHealthCheck: (manager.autoHealingPolicies ?? []).some((each) => Boolean(each.healthCheck)),
  }
}

function memberFacts(managed: compute_v1.Schema$ManagedInstance): MemberFacts {
  const states = (managed.instanceHealth ?? []).map((each) => healthState(each.detailedHealthState))
  return {
    name: managed.name ?? lastSegment(managed.instance ?? ''),
    template: lastSegment(managed.version?.instanceTemplate ?? ''),
    action: managed.currentAction ?? '',
    errors: (managed.lastAttempt?.errors?.errors ?? []).map((error) => `${error.code ?? ''}: ${error.message ?? ''}`),
    ...(managed.id ? { id: managed.id } : {}),
    ...(managed.instanceStatus ? { status: managed.instanceStatus } : {}),
    ...(states.length === 0 ? {} : { health: states.includes('UNHEALTHY') ? 'UNHEALTHY' : states.every((state) => state === 'HEALTHY') ? 'HEALTHY' : 'UNKNOWN' }),
  }
}

function backendFacts(backend: compute_v1.Schema$Backend): Backend {
  return { group: lastSegment(backend.group ?? ''), capacity: backend.capacityScaler ?? 1 }
}

function healthState(state: string | null | undefined): HealthState {
  if (state === 'HEALTHY') return 'HEALTHY'
  return state === 'UNHEALTHY' || state === 'TIMEOUT' ? 'UNHEALTHY' : 'UNKNOWN'
}
