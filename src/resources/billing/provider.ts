/** The link of a project to a billing account. https://cloud.google.com/billing/docs/reference/rest/v1/projects */
import type { BillingInfo } from '../../client/cloud-billing.ts'
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isGone } from '../../client/errors.ts'
import type { ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { billingResource } from './resource.ts'
import { BillingProps } from './schema.ts'
import type { BillingAttributes } from './schema.ts'

const prefix = 'billingAccounts/'

export const billingKind: ResourceKind<BillingProps, BillingAttributes, Clients> = {
  kind: billingResource.kind,
  identity: billingResource.identity,
  parse: (props) => parseProps(billingResource.kind, BillingProps, props),

  async observe(context, identity) {
    try {
      const info = await context.clients.cloudBilling.getBillingInfo(part(identity, 'projectId'), { signal: context.signal })
      return (info.billingAccountName ?? '') === '' ? undefined : toAttributes(info)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => compare(billingResource, { billingAccount: [observed.billingAccount, props.billingAccount] }),

  async create(context, props) {
    return toAttributes(await context.clients.cloudBilling.updateBillingInfo(props.projectId, prefix + props.billingAccount, { signal: context.signal }))
  },

  update: (context, props) => billingKind.create(context, props),

  async remove(context, identity) {
    const projectId = part(identity, 'projectId')
    if ((await billingKind.observe(context, identity)) === undefined) return
    try {
      await context.clients.cloudBilling.updateBillingInfo(projectId, '', { signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function toAttributes(info: BillingInfo): BillingAttributes {
  return { billingAccount: (info.billingAccountName ?? '').replace(prefix, ''), enabled: info.billingEnabled === true }
}
