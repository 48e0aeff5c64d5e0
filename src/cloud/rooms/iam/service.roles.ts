/** Custom roles of projects: made of single permissions, and really granting them. https://cloud.google.com/iam/docs/creating-custom-roles */
import { newEtag } from '../../../base/ids.ts'
import { alreadyExists, ApiError, failedPrecondition, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import { UNDELETE_DAYS } from './store.pools.ts'
import type { RoleRecord, RoleStore } from './store.roles.ts'

const SERVICE = 'iam.googleapis.com'
const ROLE_ID = /^[a-zA-Z0-9_.]{3,64}$/
const PERMISSION = /^[a-z][a-z0-9]*(\.googleapis\.com\/[a-zA-Z]\w*)?(\.[a-zA-Z]\w*){1,2}$/
/** Only predefined roles may have these, or they mean nothing below a project. https://cloud.google.com/iam/docs/custom-roles-permissions-support */
const NOT_IN_PROJECT_ROLES = /^(resourcemanager\.(projects\.(list|create)|folders\..*|organizations\..*)|billing\.accounts\..*)$/
const STAGES = ['ALPHA', 'BETA', 'GA', 'DEPRECATED', 'DISABLED', 'EAP']
const MAX_ROLES = 300
const MAX_PERMISSIONS = 3000
const MAX_TITLE = 100
const MAX_DESCRIPTION = 300

export type RoleEdit = Partial<Pick<RoleRecord, 'title' | 'description' | 'includedPermissions' | 'stage'>>

export type RoleService = ReturnType<typeof createRoleService>

/** Whether a custom role of a project may have this permission. */
export function isGrantable(permission: string): boolean {
  return PERMISSION.test(permission) && !NOT_IN_PROJECT_ROLES.test(permission)
}

export function createRoleService(kernel: Kernel, store: RoleStore) {
  const { database, policies, projects } = kernel

  policies.useCustomRoles((name) => {
    const [, project = '', roleId = ''] = /^projects\/([^/]+)\/roles\/([^/]+)$/.exec(name) ?? []
    const role = store.role(project, roleId)
    return role === undefined ? undefined : { permissions: role.includedPermissions, isUsable: role.deletedAt === undefined && role.stage !== 'DISABLED' }
  })

  /** Deleted ones too: clients look at `deleted`. @throws ApiError 404 */
  function get(project: string, roleId: string): RoleRecord {
    store.purge(new Date(Date.now() - UNDELETE_DAYS * 86_400_000).toISOString())
    const projectId = projects.find(project)?.projectId ?? project
    const role = store.role(projectId, roleId)
    if (role === undefined) throw notFound(`The role named projects/${projectId}/roles/${roleId} was not found.`)
    return role
  }

  function change(project: string, roleId: string, etag: string | undefined, edit: (role: RoleRecord) => RoleRecord): RoleRecord {
    return database.transaction(() => {
      const current = get(project, roleId)
      if (etag !== undefined && etag !== '' && etag !== current.etag)
        throw new ApiError('ABORTED', 'There were concurrent changes to the role: its etag is another one. Please retry the whole read-modify-write.')
      const changed = { ...edit(current), etag: newEtag() }
      check(changed)
      store.put(changed)
      return changed
    })
  }

  return {
    get,

    /** By id. @throws ApiError 403 */
    list(project: string, request: PageRequest, showDeleted: boolean): Page<RoleRecord> {
      const found = store.roles(projects.requireActive(project, SERVICE).projectId).filter((role) => showDeleted || role.deletedAt === undefined)
      return page(found, request, (role) => role.roleId, { size: 300, max: 1000 })
    },

    /** @throws ApiError 400, 403, 409 */
    create(project: string, roleId: string, edit: RoleEdit): RoleRecord {
      if (!ROLE_ID.test(roleId)) throw invalidArgument(`The role_id ${JSON.stringify(roleId)} is not valid: 3 to 64 letters, digits, underscores and periods.`)
      return database.transaction(() => {
        const { projectId } = projects.requireActive(project, SERVICE)
        const existing = store.role(projectId, roleId)
        if (existing?.deletedAt !== undefined)
          throw failedPrecondition(`You can't create a role with role_id (${roleId}) where there is an existing role with that role_id in a deleted state.`)
        if (existing !== undefined) throw alreadyExists(`A role named ${roleId} in projects/${projectId} already exists.`)
        if (store.roles(projectId).length >= MAX_ROLES) throw new ApiError('RESOURCE_EXHAUSTED', `Maximum number of roles reached. Maximum is: ${MAX_ROLES}`)
        const role: RoleRecord = { projectId, roleId, title: '', description: '', includedPermissions: [], stage: 'ALPHA', etag: newEtag(), ...edit }
        check(role)
        store.put(role)
        return role
      })
    },

    /** @throws ApiError 400, 404, 409 for an old etag */
    update: (project: string, roleId: string, etag: string | undefined, edit: RoleEdit): RoleRecord => change(project, roleId, etag, (role) => ({ ...role, ...edit })),

    /** It stays in policies and grants nothing. @throws ApiError 404, 409 */
    remove: (project: string, roleId: string, etag: string | undefined): RoleRecord =>
      change(project, roleId, etag, (role) => {
        if (role.deletedAt !== undefined) throw failedPrecondition(`You can't delete role_id (${roleId}): it is deleted already.`)
        return { ...role, deletedAt: new Date().toISOString() }
      }),

    /** What it was bound to has it again. @throws ApiError 400 when it is not deleted, 404, 409 */
    undelete: (project: string, roleId: string, etag: string | undefined): RoleRecord =>
      change(project, roleId, etag, (role) => {
        if (role.deletedAt === undefined) throw failedPrecondition(`You can't undelete role_id (${roleId}): it is not deleted.`)
        const { deletedAt: _deletedAt, ...rest } = role
        return rest
      }),
  }
}

function check(role: RoleRecord): void {
  if (role.title.length > MAX_TITLE) throw invalidArgument(`The role title may have at most ${MAX_TITLE} characters.`)
  if (role.description.length > MAX_DESCRIPTION) throw invalidArgument(`The role description may have at most ${MAX_DESCRIPTION} characters.`)
  if (!STAGES.includes(role.stage)) throw invalidArgument(`The launch stage ${role.stage} is not valid: use ${STAGES.join(', ')}.`)
  if (role.includedPermissions.length > MAX_PERMISSIONS) throw invalidArgument(`A role may have at most ${MAX_PERMISSIONS} permissions.`)
  const bad = role.includedPermissions.find((permission) => !isGrantable(permission))
  if (bad !== undefined) throw invalidArgument(`Permission ${bad} is not valid.`)
}
