/** Sign-in of a stack's users. */
import type { StackConfig } from '../config/schema.ts'
import type { DesiredResource } from '../engine/types.ts'
import { ownDomains } from '../resources/identity-platform/resource.ts'
import { identityProviderName } from '../resources/identity-provider/resource.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { secretSource } from './facts.ts'

const api = 'identitytoolkit.googleapis.com'
/** Google's name of its own identity provider. */
const googleIdp = 'google.com'

/** The APIs of the section. */
export function authApis(config: StackConfig): readonly string[] {
  return config.auth === undefined ? [] : [api]
}

/** Nothing without the section. A sign-in may lead back to the server's domains too. */
export function compileAuth({ config, facts, projectId }: Compilation): readonly DesiredResource[] {
  const { auth, server } = config
  if (auth === undefined) return []
  const has = (provider: (typeof auth.providers)[number]): boolean => auth.providers.includes(provider)
  const authorizedDomains = [...new Set([...ownDomains(projectId), ...(server?.domains ?? []), ...auth.authorizedDomains])]
  const platform = resource('identity-platform', projectId, { projectId, email: has('email'), phone: has('phone'), anonymous: has('anonymous'), authorizedDomains }, [
    serviceAddress(api),
  ])
  if (auth.google === undefined) return [platform]
  const identity = { projectId, idpId: googleIdp }
  const digest = facts.secretDigests?.[identityProviderName(identity)]
  const provider = { ...identity, clientId: auth.google.clientId, secretFrom: secretSource(auth.google.clientSecret, facts.stackDir), ...(digest === undefined ? {} : { digest }) }
  return [platform, resource('identity-provider', googleIdp, provider, [serviceAddress(api), platform.address])]
}
