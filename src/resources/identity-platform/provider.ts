/**
 * The sign-in of a project. https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects/updateConfig
 * Identity Platform cannot be turned off once it is on. A configuration that is as Google made it, with nothing that anybody could sign in by, counts as absent;
 * that is also what removing leaves. Users stay, as they would when a person turned the methods off.
 */
import type { Clients } from '../../client/clients.ts'
import { ApiError, isAbsent, isGone } from '../../client/errors.ts'
import type { IdentityConfig } from '../../client/identity-platform.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { identityPlatformResource, ownDomains } from './resource.ts'
import { IdentityPlatformProps } from './schema.ts'
import type { IdentityPlatformAttributes } from './schema.ts'

type Context = KindContext<Clients>

const mask = 'signIn.email,signIn.phoneNumber,signIn.anonymous,authorizedDomains'

export const identityPlatformKind: ResourceKind<IdentityPlatformProps, IdentityPlatformAttributes, Clients> = {
  kind: identityPlatformResource.kind,
  identity: identityPlatformResource.identity,
  parse: (props) => parseProps(identityPlatformResource.kind, IdentityPlatformProps, props),

  async observe(context, identity) {
    const projectId = part(identity, 'projectId')
    try {
      const found = toAttributes(await context.clients.identityPlatform.getConfig(projectId, { signal: context.signal }))
      return (await isUntouched(context, projectId, found)) ? undefined : found
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) =>
    compare(identityPlatformResource, {
      email: [observed.email, props.email],
      phone: [observed.phone, props.phone],
      anonymous: [observed.anonymous, props.anonymous],
      authorizedDomains: [observed.authorizedDomains, sorted(props.authorizedDomains)],
    }),

  async create(context, props) {
    try {
      await context.clients.identityPlatform.initializeAuth(props.projectId, { signal: context.signal })
    } catch (error) {
      if (!isInitialized(error)) throw error
    }
    return await write(context, props)
  },

  update: (context, props) => write(context, props),

  async remove(context, identity) {
    const projectId = part(identity, 'projectId')
    if ((await identityPlatformKind.observe(context, identity)) === undefined) return
    try {
      await write(context, { projectId, email: false, phone: false, anonymous: false, authorizedDomains: [...ownDomains(projectId)] })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

/** Nothing of it is anybody's: no method, no identity provider, no domain beside Google's. */
async function isUntouched(context: Context, projectId: string, found: IdentityPlatformAttributes): Promise<boolean> {
  if (found.email || found.phone || found.anonymous) return false
  if (found.authorizedDomains.some((domain) => !ownDomains(projectId).includes(domain))) return false
  return (await context.clients.identityPlatform.listProviders(projectId, { signal: context.signal })).length === 0
}

function isInitialized(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 409 || (error.status === 400 && /already been enabled|INVALID_PROJECT_ID/.test(error.message)))
}

async function write(context: Context, props: IdentityPlatformProps): Promise<IdentityPlatformAttributes> {
  const config: IdentityConfig = {
    signIn: {
      email: { enabled: props.email, passwordRequired: true },
      phoneNumber: { enabled: props.phone },
      anonymous: { enabled: props.anonymous },
    },
    authorizedDomains: props.authorizedDomains,
  }
  return toAttributes(await context.clients.identityPlatform.updateConfig(props.projectId, mask, config, { signal: context.signal }))
}

function toAttributes(config: IdentityConfig): IdentityPlatformAttributes {
  return {
    email: config.signIn?.email?.enabled === true,
    phone: config.signIn?.phoneNumber?.enabled === true,
    anonymous: config.signIn?.anonymous?.enabled === true,
    authorizedDomains: sorted(config.authorizedDomains ?? []),
  }
}

function sorted(domains: readonly string[]): readonly string[] {
  return [...new Set(domains)].toSorted()
}
