/** Identity Platform's configuration (REST v2). https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects */
import type { JsonOptions, Transport } from './transport.ts'

export interface IdentityConfig {
  readonly authorizedDomains?: readonly string[]
  readonly signIn?: {
    readonly email?: { readonly enabled?: boolean; readonly passwordRequired?: boolean }
    readonly phoneNumber?: { readonly enabled?: boolean }
    readonly anonymous?: { readonly enabled?: boolean }
  }
}

/** One of the identity providers that Google knows by name, such as `google.com`. */
export interface SupportedProvider {
  /** `projects/P/defaultSupportedIdpConfigs/google.com` */
  readonly name?: string
  readonly enabled?: boolean
  readonly clientId?: string
  readonly clientSecret?: string
}

interface CallOptions {
  readonly signal?: AbortSignal
}

/** Every method throws as `Transport.send` does. */
export interface IdentityPlatform {
  /** @throws ApiError 400 when it is on already */
  initializeAuth(projectId: string, options?: CallOptions): Promise<unknown>
  getConfig(projectId: string, options?: CallOptions): Promise<IdentityConfig>
  updateConfig(projectId: string, updateMask: string, config: IdentityConfig, options?: CallOptions): Promise<IdentityConfig>
  listProviders(projectId: string, options?: CallOptions): Promise<readonly SupportedProvider[]>
  getProvider(projectId: string, idpId: string, options?: CallOptions): Promise<SupportedProvider>
  createProvider(projectId: string, idpId: string, provider: SupportedProvider, options?: CallOptions): Promise<SupportedProvider>
  patchProvider(projectId: string, idpId: string, updateMask: string, provider: SupportedProvider, options?: CallOptions): Promise<SupportedProvider>
  deleteProvider(projectId: string, idpId: string, options?: CallOptions): Promise<unknown>
}

const base = 'https://identitytoolkit.googleapis.com/v2'

/** Makes the client over a transport. This API refuses a person's credentials without a quota project. */
export function createIdentityPlatform(transport: Transport): IdentityPlatform {
  const send = <T>(method: string, projectId: string, path: string, options: JsonOptions): Promise<T> =>
    transport.json(method, `${base}/projects/${projectId}/${path}`, { ...options, quotaProject: projectId })
  const providers = 'defaultSupportedIdpConfigs'
  return {
    initializeAuth: (projectId, options = {}) => send('POST', projectId, 'identityPlatform:initializeAuth', { ...options, body: {} }),
    getConfig: (projectId, options = {}) => send('GET', projectId, 'config', options),
    updateConfig: (projectId, updateMask, config, options = {}) => send('PATCH', projectId, `config?updateMask=${encodeURIComponent(updateMask)}`, { ...options, body: config }),
    async listProviders(projectId, options = {}) {
      const answer: { readonly defaultSupportedIdpConfigs?: readonly SupportedProvider[] } = await send('GET', projectId, `${providers}?pageSize=100`, options)
      return answer.defaultSupportedIdpConfigs ?? []
    },
    getProvider: (projectId, idpId, options = {}) => send('GET', projectId, `${providers}/${idpId}`, options),
    createProvider: (projectId, idpId, provider, options = {}) => send('POST', projectId, `${providers}?idpId=${encodeURIComponent(idpId)}`, { ...options, body: provider }),
    patchProvider: (projectId, idpId, updateMask, provider, options = {}) =>
      send('PATCH', projectId, `${providers}/${idpId}?updateMask=${encodeURIComponent(updateMask)}`, { ...options, body: provider }),
    deleteProvider: (projectId, idpId, options = {}) => send('DELETE', projectId, `${providers}/${idpId}`, options),
  }
}
