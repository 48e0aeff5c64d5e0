/**
 * Projects, through Resource Manager v1 as gcloud does. https://cloud.google.com/resource-manager/reference/rest/v1/projects
 * A project that Kiln did not make (without our label) is used as it is: never renamed, never deleted.
 */
import type { cloudresourcemanager_v1 } from '@googleapis/cloudresourcemanager/build/v1.js'
import { KilnError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, isOurs, parseProps, part } from '../resource.ts'
import { projectResource } from './resource.ts'
import { ProjectProps } from './schema.ts'
import type { ProjectAttributes } from './schema.ts'

type Context = KindContext<Clients>

export const projectKind: ResourceKind<ProjectProps, ProjectAttributes, Clients> = {
  kind: projectResource.kind,
  identity: projectResource.identity,
  parse: (props) => parseProps(projectResource.kind, ProjectProps, props),

  async observe(context, identity) {
    const project = await find(context, part(identity, 'projectId'))
    // a project on its way out keeps its id for 30 days; for us it is not there, and creating it again brings it back
    return project === undefined || project.lifecycleState !== 'ACTIVE' ? undefined : toAttributes(project)
  },

  diff: (props, observed) => (isOurs(observed.labels) ? compare(projectResource, { displayName: [observed.displayName, props.displayName] }) : []),

  async create(context, props) {
    const manager = await context.clients.resourceManager()
    try {
      const started = await call(
        manager.projects.create({ requestBody: { projectId: props.projectId, name: props.displayName, labels: { ...props.labels } } }, { signal: context.signal }),
      )
      await waitForOperation(started, (name) => call(manager.operations.get({ name }, { signal: context.signal })), {
        what: `create the project ${props.projectId}`,
        signal: context.signal,
      })
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await revive(context, props)
  },

  async update(context, props) {
    const project = await find(context, props.projectId)
    if (project === undefined) return await projectKind.create(context, props)
    const manager = await context.clients.resourceManager()
    return toAttributes(await call(manager.projects.update({ projectId: props.projectId, requestBody: { ...project, name: props.displayName } }, { signal: context.signal })))
  },

  async remove(context, identity) {
    const projectId = part(identity, 'projectId')
    const project = await find(context, projectId)
    if (project === undefined || project.lifecycleState !== 'ACTIVE') return
    if (!isOurs(project.labels)) return context.progress.note(`the project ${projectId} was there before Kiln and stays`)
    const manager = await context.clients.resourceManager()
    try {
      await call(manager.projects.delete({ projectId }, { signal: context.signal }))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

async function find(context: Context, projectId: string): Promise<cloudresourcemanager_v1.Schema$Project | undefined> {
  const manager = await context.clients.resourceManager()
  try {
    return await call(manager.projects.get({ projectId }, { signal: context.signal }))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** After a creation: the live project, brought back when it was about to be deleted. */
async function revive(context: Context, props: ProjectProps): Promise<ProjectAttributes> {
  const project = await find(context, props.projectId)
  if (project === undefined) {
    throw new KilnError('E_PERMISSION', `the project id ${props.projectId} is taken by a project that this account cannot see`, {
      hint: 'choose another project.id in kiln.config.ts; ids are unique in all of Google Cloud',
    })
  }
  if (project.lifecycleState === 'ACTIVE') return toAttributes(project)
  const manager = await context.clients.resourceManager()
  await call(manager.projects.undelete({ projectId: props.projectId, requestBody: {} }, { signal: context.signal }))
  return toAttributes(await call(manager.projects.get({ projectId: props.projectId }, { signal: context.signal })))
}

function toAttributes(project: cloudresourcemanager_v1.Schema$Project): ProjectAttributes {
  return { projectId: project.projectId ?? '', projectNumber: project.projectNumber ?? '', displayName: project.name ?? '', labels: project.labels ?? {} }
}
