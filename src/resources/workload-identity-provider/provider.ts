/**
 * OpenID Connect providers. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers
 * A deleted one keeps its id for 30 days; for us it is not there, and creating it again brings it back.
 */
import type { iam_v1 } from '@googleapis/iam/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, compareMaps, parseProps, part } from '../resource.ts'
import { parentName, providerName, workloadIdentityProviderResource } from './resource.ts'
import { WorkloadIdentityProviderProps } from './schema.ts'
import type { WorkloadIdentityProviderAttributes } from './schema.ts'

type Context = KindContext<Clients>
type Providers = iam_v1.Resource$Projects$Locations$Workloadidentitypools$Providers

const changeable = 'displayName,description,disabled,attributeMapping,attributeCondition,oidc'

export const workloadIdentityProviderKind: ResourceKind<WorkloadIdentityProviderProps, WorkloadIdentityProviderAttributes, Clients> = {
  kind: workloadIdentityProviderResource.kind,
  identity: workloadIdentityProviderResource.identity,
  parse: (props) => parseProps(workloadIdentityProviderResource.kind, WorkloadIdentityProviderProps, props),

  async observe(context, identity) {
    try {
      const provider = await get(context, providerName(identity))
      return provider.state === 'DELETED' ? undefined : toAttributes(provider)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(workloadIdentityProviderResource, {
      displayName: [observed.displayName, props.displayName],
      description: [observed.description, props.description],
      disabled: [observed.disabled, false],
      issuerUri: [observed.issuerUri, props.issuerUri],
      // none: Google then takes exactly the provider's own name
      allowedAudiences: [observed.allowedAudiences, []],
      // keys that somebody put there sign tokens as good as the issuer's
      uploadedKeys: [observed.uploadedKeys, false],
      attributeCondition: [observed.attributeCondition, props.attributeCondition],
    }),
    ...compareMaps('attributeMapping', observed.attributeMapping, props.attributeMapping, () => false),
  ],

  async create(context, props) {
    const identity = workloadIdentityProviderResource.identity(props)
    const name = providerName(identity)
    const options = { signal: context.signal }
    try {
      const request = { parent: parentName(identity), workloadIdentityPoolProviderId: props.providerId, requestBody: toBody(props) }
      await finish(context, `create the identity provider ${props.providerId}`, async (providers) => await call(providers.create(request, options)))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    const found = await get(context, name)
    const deleted = found.state === 'DELETED'
    if (deleted)
      await finish(context, `bring the identity provider ${props.providerId} back`, async (providers) => await call(providers.undelete({ name, requestBody: {} }, options)))
    const attributes = toAttributes(deleted ? await get(context, name) : found)
    const differences = workloadIdentityProviderKind.diff(props, attributes)
    return differences.length === 0 ? attributes : await workloadIdentityProviderKind.update(context, props, attributes, differences)
  },

  async update(context, props) {
    const name = providerName(workloadIdentityProviderResource.identity(props))
    const request = { name, updateMask: changeable, requestBody: { ...toBody(props), disabled: false } }
    await finish(context, `change the identity provider ${props.providerId}`, async (providers) => await call(providers.patch(request, { signal: context.signal })))
    return toAttributes(await get(context, name))
  },

  async remove(context, identity) {
    if ((await workloadIdentityProviderKind.observe(context, identity)) === undefined) return
    const name = providerName(identity)
    try {
      await finish(context, `delete the identity provider ${part(identity, 'providerId')}`, async (providers) => await call(providers.delete({ name }, { signal: context.signal })))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

async function get(context: Context, name: string): Promise<iam_v1.Schema$WorkloadIdentityPoolProvider> {
  return await call((await context.clients.iam()).projects.locations.workloadIdentityPools.providers.get({ name }, { signal: context.signal }))
}

async function finish(context: Context, what: string, start: (providers: Providers) => Promise<iam_v1.Schema$Operation>): Promise<void> {
  const { providers } = (await context.clients.iam()).projects.locations.workloadIdentityPools
  await waitForOperation(await start(providers), (name) => call(providers.operations.get({ name }, { signal: context.signal })), { what, signal: context.signal })
}

function toBody(props: WorkloadIdentityProviderProps): iam_v1.Schema$WorkloadIdentityPoolProvider {
  return {
    displayName: props.displayName,
    description: props.description,
    attributeMapping: { ...props.attributeMapping },
    attributeCondition: props.attributeCondition,
    oidc: { issuerUri: props.issuerUri, allowedAudiences: [] },
  }
}

function toAttributes(provider: iam_v1.Schema$WorkloadIdentityPoolProvider): WorkloadIdentityProviderAttributes {
  return {
    name: provider.name ?? '',
    displayName: provider.displayName ?? '',
    description: provider.description ?? '',
    disabled: provider.disabled === true,
    issuerUri: provider.oidc?.issuerUri ?? '',
    allowedAudiences: provider.oidc?.allowedAudiences ?? [],
    uploadedKeys: (provider.oidc?.jwksJson ?? '') !== '',
    attributeMapping: provider.attributeMapping ?? {},
    attributeCondition: provider.attributeCondition ?? '',
  }
}
