/** Containers of secrets; adding and reading values is not a plan's matter. https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets */
import type { secretmanager_v1 } from '@googleapis/secretmanager/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { ResourceKind } from '../../engine/types.ts'
import { compareMaps, mergeMaps, parseProps, part } from '../resource.ts'
import { secretResource } from './resource.ts'
import { SecretProps } from './schema.ts'
import type { SecretAttributes } from './schema.ts'

export const secretKind: ResourceKind<SecretProps, SecretAttributes, Clients> = {
  kind: secretResource.kind,
  identity: secretResource.identity,
  parse: (props) => parseProps(secretResource.kind, SecretProps, props),

  async observe(context, identity) {
    const manager = await context.clients.secretManager()
    try {
      return toAttributes(await call(manager.projects.secrets.get({ name: fullName(identity) }, { signal: context.signal })))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => compareMaps('labels', observed.labels, props.labels),

  async create(context, props) {
    const manager = await context.clients.secretManager()
    const requestBody = { replication: { automatic: {} }, labels: { ...props.labels } }
    try {
      return toAttributes(await call(manager.projects.secrets.create({ parent: `projects/${props.projectId}`, secretId: props.secretId, requestBody }, { signal: context.signal })))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return toAttributes(await call(manager.projects.secrets.get({ name: fullName(secretResource.identity(props)) }, { signal: context.signal })))
  },

  async update(context, props, observed) {
    const manager = await context.clients.secretManager()
    const requestBody = { labels: mergeMaps(observed.labels, props.labels) }
    return toAttributes(
      await call(manager.projects.secrets.patch({ name: fullName(secretResource.identity(props)), updateMask: 'labels', requestBody }, { signal: context.signal })),
    )
  },

  async remove(context, identity) {
    const manager = await context.clients.secretManager()
    try {
      await call(manager.projects.secrets.delete({ name: fullName(identity) }, { signal: context.signal }))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function fullName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/secrets/${part(identity, 'secretId')}`
}

function toAttributes(secret: secretmanager_v1.Schema$Secret): SecretAttributes {
  return { name: secret.name ?? '', labels: secret.labels ?? {} }
}
