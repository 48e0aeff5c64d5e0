/** Enabling and disabling services of a project, as operations. */
import { ApiError, failedPrecondition, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Project } from '../../kernel/projects.ts'
import { knownServices } from './service.catalog.ts'
import type { KnownService } from './service.catalog.ts'

const ROOM = 'serviceusage'
const SERVICE = 'serviceusage.googleapis.com'
/** Limits of the batch methods. */
const MAX_BATCH_ENABLE = 20
const MAX_BATCH_GET = 30

export interface ServiceState {
  readonly project: Project
  readonly service: KnownService
  readonly enabled: boolean
}

interface WorkArgs {
  readonly projectId: string
  readonly services: readonly string[]
}

export type UsageService = ReturnType<typeof createUsageService>

/** What an operation's work leaves as its response: the services it was about. The routes put them in words. */
export interface UsageResult {
  readonly projectId: string
  readonly services: readonly string[]
}

export function createUsageService(kernel: Kernel) {
  const { database, projects } = kernel

  function setAll({ projectId, services }: WorkArgs, enabled: boolean): UsageResult {
    database.transaction(() => {
      projects.requireActive(projectId, SERVICE)
      for (const name of services) projects.setService(projectId, name, enabled)
    })
    return { projectId, services }
  }

  for (const type of ['EnableService', 'BatchEnableServices']) {
    kernel.operations.register(ROOM, type, async (args: WorkArgs) => {
      setAll({ projectId: args.projectId, services: withNeeds(args.services) }, true)
      return { projectId: args.projectId, services: args.services }
    })
  }
  kernel.operations.register(ROOM, 'DisableService', async (args: WorkArgs) => setAll(args, false))

  function isEnabled(project: Project, name: string): boolean {
    return projects.enabledServices(project.projectId).includes(name)
  }

  function start(type: string, project: Project, services: readonly string[], principal: Principal, work: readonly string[] = services): Operation {
    const args: WorkArgs = { projectId: project.projectId, services: work }
    return kernel.operations.start({
      room: ROOM,
      type,
      projectId: project.projectId,
      scope: 'global',
      target: services.map((name) => `projects/${project.projectNumber}/services/${name}`).join(','),
      principal,
      args,
    })
  }

  function get(idOrNumber: string, name: string): ServiceState {
    const project = projects.requireActive(idOrNumber, SERVICE)
    const service = requireKnown([name])[0] as KnownService
    return { project, service, enabled: isEnabled(project, name) }
  }

  return {
    get,

    /** Services as an operation left them, even if their project is being deleted by now. */
    describe(projectId: string, names: readonly string[], enabled: boolean): readonly ServiceState[] {
      const project = projects.find(projectId)
      return project === undefined ? [] : requireKnown(names).map((service) => ({ project, service, enabled }))
    },

    /** @throws ApiError 400 for other filters than state:ENABLED and state:DISABLED, 403 */
    list(idOrNumber: string, filter: string, request: PageRequest): Page<ServiceState> {
      const project = projects.requireActive(idOrNumber, SERVICE)
      const wanted = parseFilter(filter)
      const enabled = new Set(projects.enabledServices(project.projectId))
      const states = [...knownServices.values()]
        .map((service) => ({ project, service, enabled: enabled.has(service.name) }))
        .filter((state) => wanted === undefined || state.enabled === wanted)
      return page(states, request, (state) => state.service.name, { size: 50, max: 200 })
    },

    /** By full names, `projects/P/services/S`. @throws ApiError 400, 403 */
    batchGet(idOrNumber: string, names: readonly string[]): readonly ServiceState[] {
      if (names.length === 0) throw invalidArgument('At least one service name must be given.')
      if (names.length > MAX_BATCH_GET) throw invalidArgument(`At most ${MAX_BATCH_GET} services can be read in one request.`)
      const project = projects.requireActive(idOrNumber, SERVICE)
      return names.map((name) => {
        const [, parent, service] = /^projects\/([^/]+)\/services\/([^/]+)$/.exec(name) ?? []
        if (parent === undefined || service === undefined || projects.find(parent)?.projectId !== project.projectId)
          throw invalidArgument(`The name ${JSON.stringify(name)} is not a service of projects/${idOrNumber}.`)
        return get(parent, service)
      })
    },

    /** Undefined: it was enabled already, nothing is to do. @throws ApiError 403 */
    enable(idOrNumber: string, name: string, principal: Principal): Operation | undefined {
      const project = projects.requireActive(idOrNumber, SERVICE)
      requireKnown([name])
      return isEnabled(project, name) ? undefined : start('EnableService', project, [name], principal)
    },

    /** @throws ApiError 400, 403; none is enabled when one of them is unknown */
    batchEnable(idOrNumber: string, names: readonly string[], principal: Principal): Operation {
      const project = projects.requireActive(idOrNumber, SERVICE)
      if (names.length === 0) throw invalidArgument('At least one service must be given.')
      if (names.length > MAX_BATCH_ENABLE) throw invalidArgument(`At most ${MAX_BATCH_ENABLE} services can be enabled in one request.`)
      requireKnown(names)
      return start('BatchEnableServices', project, [...new Set(names)], principal)
    },

    /** @throws ApiError 400 when it is not enabled, or enabled services need it and `dependents` is not set */
    disable(idOrNumber: string, name: string, dependents: boolean, principal: Principal): Operation {
      const project = projects.requireActive(idOrNumber, SERVICE)
      requireKnown([name])
      if (!isEnabled(project, name)) throw failedPrecondition(`Service ${name} is not enabled for project ${project.projectId}.`)
      const needing = dependentsOf(name, projects.enabledServices(project.projectId))
      if (needing.length > 0 && !dependents) {
        throw failedPrecondition(
          `The service ${name} is depended on by the following active service(s): ${needing.join(',')}. Specify disableDependentServices=true if you want to proceed with disabling all services.`,
          {
            details: [
              {
                '@type': 'type.googleapis.com/google.rpc.PreconditionFailure',
                violations: [{ type: 'googleapis.com', subject: '100001', description: 'The service has active dependent services.' }],
              },
            ],
          },
        )
      }
      return start('DisableService', project, [name], principal, [name, ...needing])
    },

    /** @throws ApiError 404, 403 */
    operation(name: string, principal: Principal): Operation {
      const operation = kernel.operations.get(name)
      if (operation === undefined || operation.room !== ROOM) throw new ApiError('NOT_FOUND', `Operation operations/${name} not found.`)
      if (operation.user !== principal.email) kernel.policies.require(principal, 'serviceusage.operations.get', { projectId: operation.projectId })
      return operation
    },
  }
}

/** @throws ApiError 403 in Google's words, which do not tell a service that is unknown from one that is hidden */
function requireKnown(names: readonly string[]): readonly KnownService[] {
  const unknown = names.filter((name) => !knownServices.has(name))
  if (unknown.length > 0) {
    const services = unknown.join(',')
    throw new ApiError('PERMISSION_DENIED', `Not found or permission denied for service(s): ${unknown.join(', ')}.`, {
      details: [
        { '@type': 'type.googleapis.com/google.rpc.PreconditionFailure', violations: [{ type: 'googleapis.com', subject: `?error_code=220002&services=${services}` }] },
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED',
          domain: 'serviceusage.googleapis.com',
          metadata: { services },
        },
      ],
    })
  }
  return names.flatMap((name) => knownServices.get(name) ?? [])
}

/** The services and, through all levels, what they bring along. */
function withNeeds(names: readonly string[]): readonly string[] {
  const all = new Set<string>()
  const open = [...names]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (all.has(name)) continue
    all.add(name)
    open.push(...(knownServices.get(name)?.needs ?? []))
  }
  return [...all].sort()
}

function dependentsOf(name: string, enabled: readonly string[]): readonly string[] {
  return enabled.filter((other) => other !== name && other !== 'cloudapis.googleapis.com' && withNeeds([other]).includes(name))
}

function parseFilter(filter: string): boolean | undefined {
  const text = filter.trim()
  if (text === '') return undefined
  const state = /^state\s*[:=]\s*(ENABLED|DISABLED)$/.exec(text)?.[1]
  if (state === undefined) throw invalidArgument(`The filter ${JSON.stringify(filter)} is not supported: use state:ENABLED or state:DISABLED.`)
  return state === 'ENABLED'
}
