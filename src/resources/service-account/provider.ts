/** Service accounts. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts */
import type { iam_v1 } from '@googleapis/iam/build/v1.js'
import { MINUTE_MS } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { serviceAccountEmail, serviceAccountResource } from './resource.ts'
import { ServiceAccountProps } from './schema.ts'
import type { ServiceAccountAttributes } from './schema.ts'

export const serviceAccountKind: ResourceKind<ServiceAccountProps, ServiceAccountAttributes, Clients> = {
  kind: serviceAccountResource.kind,
  identity: serviceAccountResource.identity,
  parse: (props) => parseProps(serviceAccountResource.kind, ServiceAccountProps, props),

  async observe(context, identity) {
    const iam = await context.clients.iam()
    try {
      return toAttributes(identity, await call(iam.projects.serviceAccounts.get({ name: fullName(identity) }, { signal: context.signal })))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => compare(serviceAccountResource, { displayName: [observed.displayName, props.displayName], description: [observed.description, props.description] }),

  async create(context, props) {
    const iam = await context.clients.iam()
    try {
      const serviceAccount = { displayName: props.displayName, description: props.description }
      await call(
        iam.projects.serviceAccounts.create({ name: `projects/${props.projectId}`, requestBody: { accountId: props.accountId, serviceAccount } }, { signal: context.signal }),
      )
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await becomeVisible(context, props)
  },

  async update(context, props) {
    const iam = await context.clients.iam()
    const name = fullName(serviceAccountResource.identity(props))
    const serviceAccount = { displayName: props.displayName, description: props.description }
    await call(iam.projects.serviceAccounts.patch({ name, requestBody: { serviceAccount, updateMask: 'displayName,description' } }, { signal: context.signal }))
    return await becomeVisible(context, props)
  },

  async remove(context, identity) {
    const iam = await context.clients.iam()
    try {
      await call(iam.projects.serviceAccounts.delete({ name: fullName(identity) }, { signal: context.signal }))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

/** A new account can be read only some seconds later on Google, and policies refuse it until then. */
async function becomeVisible(context: KindContext<Clients>, props: ServiceAccountProps): Promise<ServiceAccountAttributes> {
  return await waitFor({ what: `the service account ${props.accountId} can be read`, timeoutMs: 2 * MINUTE_MS, intervalMs: 1000, signal: context.signal }, async () => {
    const attributes = await serviceAccountKind.observe(context, serviceAccountResource.identity(props))
    return attributes === undefined ? { done: false, status: 'not there yet' } : { done: true, value: attributes }
  })
}

function fullName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/serviceAccounts/${serviceAccountEmail(identity)}`
}

function toAttributes(identity: Readonly<Record<string, string>>, account: iam_v1.Schema$ServiceAccount): ServiceAccountAttributes {
  const email = account.email ?? serviceAccountEmail(identity)
  return { email, uniqueId: account.uniqueId ?? '', displayName: account.displayName ?? '', description: account.description ?? '', member: `serviceAccount:${email}` }
}
