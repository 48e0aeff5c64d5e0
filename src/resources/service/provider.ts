/**
 * APIs of a project. https://cloud.google.com/service-usage/docs/reference/rest/v1/services
 * The engine calls `remove` only for what it enabled itself; an API that was on before us stays on.
 */
import type { Clients } from '../../client/clients.ts'
import { ApiError, call, isAbsent, isGone } from '../../client/errors.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { ResourceKind } from '../../engine/types.ts'
import { parseProps, part } from '../resource.ts'
import { alwaysOn, serviceResource } from './resource.ts'
import { ServiceProps } from './schema.ts'
import type { ServiceAttributes } from './schema.ts'

export const serviceKind: ResourceKind<ServiceProps, ServiceAttributes, Clients> = {
  kind: serviceResource.kind,
  identity: serviceResource.identity,
  parse: (props) => parseProps(serviceResource.kind, ServiceProps, props),

  async observe(context, identity) {
    const usage = await context.clients.serviceUsage()
    try {
      const service = await call(usage.services.get({ name: fullName(identity) }, { signal: context.signal }))
      return service.state === 'ENABLED' ? { service: part(identity, 'service'), state: service.state } : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: () => [],

  async create(context, props) {
    const usage = await context.clients.serviceUsage()
    const started = await call(usage.services.enable({ name: fullName(serviceResource.identity(props)), requestBody: {} }, { signal: context.signal }))
    await waitForOperation(started, (name) => call(usage.operations.get({ name }, { signal: context.signal })), {
      what: `enable ${props.service} in ${props.projectId}`,
      signal: context.signal,
    })
    return { service: props.service, state: 'ENABLED' }
  },

  update: (context, props) => serviceKind.create(context, props),

  async remove(context, identity) {
    const service = part(identity, 'service')
    if (alwaysOn.includes(service)) return
    if ((await serviceKind.observe(context, identity)) === undefined) return
    const usage = await context.clients.serviceUsage()
    try {
      const started = await call(usage.services.disable({ name: fullName(identity), requestBody: { disableDependentServices: false } }, { signal: context.signal }))
      await waitForOperation(started, (name) => call(usage.operations.get({ name }, { signal: context.signal })), { what: `disable ${service}`, signal: context.signal })
    } catch (error) {
      if (isGone(error)) return
      // another API that is on needs this one: then it is not ours alone to turn off
      if (!(error instanceof ApiError) || error.status !== 400) throw error
      context.progress.note(`${service} stays on: ${error.message}`)
    }
  },
}

function fullName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/services/${part(identity, 'service')}`
}
