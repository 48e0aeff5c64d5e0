/** Projects: their names, life cycle and policies. What happens inside a project belongs to the other rooms. */
import { createHash, randomInt } from 'node:crypto'
import { alreadyExists, ApiError, failedPrecondition, invalidArgument } from '../../kernel/api-error.ts'
import { defaultServices } from '../../kernel/default-services.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Project } from '../../kernel/projects.ts'
import { parseProjectFilter } from './service.filter.ts'
import type { ProjectStore } from './store.ts'

const ROOM = 'cloudresourcemanager'
const PROJECT_ID = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/
const DISPLAY_NAME = /^[\w '!-]{4,30}$/
const LABEL_KEY = /^[a-z][a-z0-9_-]{0,62}$/
const LABEL_VALUE = /^[a-z0-9_-]{0,63}$/
/** Google refuses these words in ids (https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin). */
const RESTRICTED = /google|ssl|^null$|^undefined$/

export interface NewProject {
  readonly projectId: string
  readonly displayName?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly parent?: unknown
}

export interface ProjectChange {
  readonly displayName?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly etag?: string | undefined
}

/** A project with all that the two API versions show. */
export interface ProjectView extends Project {
  readonly updateTime: string
  readonly deleteTime?: string
  readonly etag: string
}

export type ProjectService = ReturnType<typeof createProjectService>

export function createProjectService(kernel: Kernel, store: ProjectStore) {
  const { database, projects, policies } = kernel
  // The change itself is committed together with the operation; the handler only completes it, so it can be repeated.
  for (const type of ['CreateProject', 'UpdateProject', 'DeleteProject', 'UndeleteProject']) {
    kernel.operations.register(ROOM, type, async (args: { response: unknown }) => args.response)
  }

  function view(project: Project): ProjectView {
    const times = store.times(project.projectId) ?? { updateTime: project.createTime }
    const etag = createHash('sha256')
      .update(JSON.stringify([project, times]))
      .digest()
      .subarray(0, 12)
      .toString('base64')
    return { ...project, ...times, etag }
  }

  /** @throws ApiError 403 like Google, which does not tell a missing project from a hidden one */
  function get(idOrNumber: string): ProjectView {
    const project = projects.find(idOrNumber)
    if (project === undefined) throw new ApiError('PERMISSION_DENIED', `The caller does not have permission on project '${idOrNumber}' (or it may not exist).`)
    return view(project)
  }

  function getActive(idOrNumber: string): ProjectView {
    const project = get(idOrNumber)
    if (project.state !== 'ACTIVE') throw failedPrecondition(`Project '${project.projectId}' is pending deletion. Undelete it first.`)
    return project
  }

  function save(project: Project, deleteTime?: string): ProjectView {
    projects.update(project)
    store.setTimes(project.projectId, { updateTime: new Date().toISOString(), ...(deleteTime === undefined ? {} : { deleteTime }) })
    return view(project)
  }

  function start(type: string, project: ProjectView, principal: Principal, render: (project: ProjectView) => unknown): Operation {
    return kernel.operations.start({
      room: ROOM,
      type,
      projectId: project.projectId,
      scope: 'global',
      target: `projects/${project.projectNumber}`,
      principal,
      args: { response: render(project) },
    })
  }

  return {
    get,

    /** @throws ApiError 400, 409 when the id is taken, also by a deleted project */
    create(request: NewProject, principal: Principal, render: (project: ProjectView) => unknown): Operation {
      checkId(request.projectId)
      const displayName = request.displayName || request.projectId
      checkDisplayName(displayName)
      checkLabels(request.labels ?? {})
      if (hasParent(request.parent)) throw new ApiError('PERMISSION_DENIED', 'The pocket cloud has no organizations or folders: create the project without a parent.')
      return database.transaction(() => {
        if (projects.find(request.projectId) !== undefined) throw alreadyExists('Requested entity already exists')
        const createTime = new Date().toISOString()
        const project: Project = { projectId: request.projectId, projectNumber: newNumber(projects), displayName, labels: request.labels ?? {}, state: 'ACTIVE', createTime }
        projects.insert(project)
        store.setTimes(project.projectId, { updateTime: createTime })
        policies.remove(`projects/${project.projectId}`)
        policies.grant(`projects/${project.projectId}`, 'roles/owner', principal.member)
        for (const service of defaultServices) projects.setService(project.projectId, service, true)
        return start('CreateProject', view(project), principal, render)
      })
    },

    /** Changes the fields that are given. @throws ApiError 400, 403, 409 for an old etag */
    update(idOrNumber: string, change: ProjectChange): ProjectView {
      if (change.displayName !== undefined) checkDisplayName(change.displayName)
      if (change.labels !== undefined) checkLabels(change.labels)
      return database.transaction(() => {
        const { projectId, projectNumber, displayName, labels, state, createTime, etag } = getActive(idOrNumber)
        if (change.etag !== undefined && change.etag !== etag) throw new ApiError('ABORTED', 'The project was changed meanwhile: its etag is another one.')
        return save({ projectId, projectNumber, state, createTime, displayName: change.displayName ?? displayName, labels: change.labels ?? labels })
      })
    },

    /** Marks the project for deletion; its id stays taken. @throws ApiError 400, 403 */
    remove: (idOrNumber: string): ProjectView => database.transaction(() => save({ ...pick(getActive(idOrNumber)), state: 'DELETE_REQUESTED' }, new Date().toISOString())),

    /** @throws ApiError 400 when it is not deleted, 403 */
    undelete: (idOrNumber: string): ProjectView =>
      database.transaction(() => {
        const project = get(idOrNumber)
        if (project.state !== 'DELETE_REQUESTED') throw failedPrecondition(`Project '${project.projectId}' is not pending deletion.`)
        return save({ ...pick(project), state: 'ACTIVE' })
      }),

    /** Completes a change that is already made as an operation, for v3. */
    finish: start,

    /** The projects that this caller may see, by id. */
    list(principal: Principal, filter: string, request: PageRequest): Page<ProjectView> {
      const matches = parseProjectFilter(filter)
      const visible = projects.list().filter((project) => matches(project) && policies.can(principal, 'resourcemanager.projects.get', { projectId: project.projectId }))
      const found = page(visible, request, (project) => project.projectId)
      return { ...found, items: found.items.map(view) }
    },

    /** @throws ApiError 404, 403 */
    operation(name: string, principal: Principal): Operation {
      const operation = kernel.operations.get(name)
      if (operation === undefined || operation.room !== ROOM) throw new ApiError('NOT_FOUND', `Operation operations/${name} not found.`)
      if (operation.user !== principal.email) policies.require(principal, 'resourcemanager.projects.get', { projectId: operation.projectId })
      return operation
    },
  }
}

function pick({ projectId, projectNumber, displayName, labels, state, createTime }: ProjectView): Project {
  return { projectId, projectNumber, displayName, labels, state, createTime }
}

function hasParent(parent: unknown): boolean {
  return parent !== undefined && parent !== null && parent !== '' && JSON.stringify(parent) !== '{}'
}

function newNumber(projects: Kernel['projects']): string {
  for (;;) {
    const candidate = String(randomInt(100_000_000_000, 281_000_000_000))
    if (projects.find(candidate) === undefined) return candidate
  }
}

function checkId(projectId: string): void {
  if (PROJECT_ID.test(projectId) && !RESTRICTED.test(projectId)) return
  throw badField(
    'project_id',
    `project_id: ${JSON.stringify(projectId)} must be 6 to 30 lowercase letters, digits, or hyphens, must start with a letter, must not end with a hyphen, and must not contain a reserved word.`,
  )
}

function checkDisplayName(displayName: string): void {
  if (DISPLAY_NAME.test(displayName)) return
  throw badField('display_name', `name: ${JSON.stringify(displayName)} must be 4 to 30 characters of letters, digits, hyphen, single quote, space, and exclamation point.`)
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  if (Object.keys(labels).length > 64) throw badField('labels', 'A project can have at most 64 labels.')
  for (const [key, value] of Object.entries(labels)) {
    if (!LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
      throw badField(
        'labels',
        `The label ${JSON.stringify(key)}: ${JSON.stringify(value)} must use lowercase letters, digits, underscores and dashes, at most 63, with a letter first in the key.`,
      )
  }
}

function badField(field: string, description: string): ApiError {
  return invalidArgument(description, { details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field, description }] }] })
}
