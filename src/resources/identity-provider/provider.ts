/** Identity providers such as Google's. https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects.defaultSupportedIdpConfigs */
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { SupportedProvider } from '../../client/identity-platform.ts'
import { requireSecretValue, secretDigest } from '../../client/secret-values.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part, touches } from '../resource.ts'
import { identityProviderName, identityProviderResource } from './resource.ts'
import { IdentityProviderProps } from './schema.ts'
import type { IdentityProviderAttributes } from './schema.ts'

type Context = KindContext<Clients>

export const identityProviderKind: ResourceKind<IdentityProviderProps, IdentityProviderAttributes, Clients> = {
  kind: identityProviderResource.kind,
  identity: identityProviderResource.identity,
  parse: (props) => parseProps(identityProviderResource.kind, IdentityProviderProps, props),

  async observe(context, identity) {
    try {
      const found = await context.clients.identityPlatform.getProvider(part(identity, 'projectId'), part(identity, 'idpId'), { signal: context.signal })
      return await toAttributes(identity, found)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(identityProviderResource, { enabled: [observed.enabled, true], clientId: [observed.clientId, props.clientId] }),
    // no value, not even a digest of one, is ever in a plan
    ...(props.digest === undefined || props.digest === observed.digest
      ? []
      : [{ path: 'clientSecret', from: 'another value', to: `the value of ${props.secretFrom.startsWith('env:') ? props.secretFrom : 'its file'}` }]),
  ],

  async create(context, props) {
    const provider: SupportedProvider = { enabled: true, clientId: props.clientId, clientSecret: await secretOf(props) }
    try {
      const made = await context.clients.identityPlatform.createProvider(props.projectId, props.idpId, provider, { signal: context.signal })
      return await toAttributes(identityProviderResource.identity(props), made)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await patch(context, props, 'enabled,clientId,clientSecret', provider)
  },

  async update(context, props, _observed, differences) {
    const withSecret = touches(differences, 'clientSecret')
    const provider: SupportedProvider = { enabled: true, clientId: props.clientId, ...(withSecret ? { clientSecret: await secretOf(props) } : {}) }
    return await patch(context, props, withSecret ? 'enabled,clientId,clientSecret' : 'enabled,clientId', provider)
  },

  async remove(context, identity) {
    try {
      await context.clients.identityPlatform.deleteProvider(part(identity, 'projectId'), part(identity, 'idpId'), { signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

async function secretOf(props: IdentityProviderProps): Promise<string> {
  const value = await requireSecretValue(props.secretFrom, identityProviderName(identityProviderResource.identity(props)), props.digest)
  return value.toString('utf8')
}

async function patch(context: Context, props: IdentityProviderProps, mask: string, provider: SupportedProvider): Promise<IdentityProviderAttributes> {
  const changed = await context.clients.identityPlatform.patchProvider(props.projectId, props.idpId, mask, provider, { signal: context.signal })
  return await toAttributes(identityProviderResource.identity(props), changed)
}

async function toAttributes(identity: Readonly<Record<string, string>>, provider: SupportedProvider): Promise<IdentityProviderAttributes> {
  return {
    enabled: provider.enabled === true,
    clientId: provider.clientId ?? '',
    digest: await secretDigest(Buffer.from(provider.clientSecret ?? ''), identityProviderName(identity)),
  }
}
