/**
 * Google's clients over one transport. The same code reaches Google and the pocket cloud: only root URL and credentials differ.
 * A client's code is imported on first use (100 ms for compute), so that a verb that needs none starts at once.
 */
import type { cloudresourcemanager_v1 } from '@googleapis/cloudresourcemanager/build/v1.js'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { iam_v1 } from '@googleapis/iam/build/v1.js'
import type { secretmanager_v1 } from '@googleapis/secretmanager/build/v1.js'
import type { serviceusage_v1 } from '@googleapis/serviceusage/build/v1.js'
import type { storage_v1 } from '@googleapis/storage/build/v1.js'
import { setGlobalProxyFromEnv } from 'node:http'
import { KilnError, describeError, systemErrorCode } from '../base/errors.ts'
import { createArtifactRegistry } from './artifact-registry.ts'
import type { ArtifactRegistry } from './artifact-registry.ts'
import { createCloudBilling } from './cloud-billing.ts'
import type { CloudBilling } from './cloud-billing.ts'
import { createCloudDns } from './cloud-dns.ts'
import type { CloudDns } from './cloud-dns.ts'
import { createFirebaseRules } from './firebase-rules.ts'
import type { FirebaseRules } from './firebase-rules.ts'
import { createFirestoreAdmin } from './firestore-admin.ts'
import type { FirestoreAdmin } from './firestore-admin.ts'
import { createIdentityPlatform } from './identity-platform.ts'
import type { IdentityPlatform } from './identity-platform.ts'
import { createMonitoring } from './monitoring.ts'
import type { Monitoring } from './monitoring.ts'
import { createTransport, transportFetch } from './transport.ts'
import type { Credentials, RetryPolicy, Transport } from './transport.ts'

export interface ClientOptions {
  /** Where all services are, each under its host name: `http://127.0.0.1:PORT`. Left out: Google itself. */
  readonly rootUrl?: string
  /** Gives a valid access token; asked for every call, so it should cache. `refused` is true after a 401. Left out: Application Default Credentials. */
  readonly accessToken?: (refused: boolean) => Promise<string>
  /** Kiln's version, for the user agent. */
  readonly version?: string
  /** Differences from `defaultRetryPolicy`. */
  readonly retry?: Partial<RetryPolicy>
  /** The network, for tests. */
  readonly fetch?: typeof fetch
}

/** How everything above the wall reaches a cloud. Wrap the calls of Google's clients in `call` of errors.ts. */
export interface Clients {
  readonly transport: Transport
  /** A token that is valid now, for programs that take one (pip, twine, terraform). */
  readonly accessToken: () => Promise<string>
  readonly compute: () => Promise<compute_v1.Compute>
  readonly storage: () => Promise<storage_v1.Storage>
  readonly iam: () => Promise<iam_v1.Iam>
  readonly resourceManager: () => Promise<cloudresourcemanager_v1.Cloudresourcemanager>
  readonly serviceUsage: () => Promise<serviceusage_v1.Serviceusage>
  readonly secretManager: () => Promise<secretmanager_v1.Secretmanager>
  readonly artifactRegistry: ArtifactRegistry
  readonly cloudBilling: CloudBilling
  readonly cloudDns: CloudDns
  readonly firestoreAdmin: FirestoreAdmin
  readonly firebaseRules: FirebaseRules
  readonly identityPlatform: IdentityPlatform
  readonly monitoring: Monitoring
}

/**
 * Makes the clients; nothing is loaded or sent yet.
 * @example const clients = createClients({ rootUrl: 'http://127.0.0.1:8089', accessToken: async () => token })
 */
export function createClients(options: ClientOptions = {}): Clients {
  const source = options.accessToken === undefined ? defaultCredentials() : givenCredentials(options.accessToken)
  if (options.rootUrl === undefined) useProxyOfEnvironment()
  const transport = createTransport({
    credentials: source.headers,
    userAgent: `kiln/${options.version ?? 'dev'}`,
    ...(options.rootUrl === undefined ? {} : { rootUrl: options.rootUrl }),
    ...(options.retry === undefined ? {} : { retry: options.retry }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  })
  // The transport repeats calls itself, with Retry-After and for POST too.
  const settings = { fetchImplementation: transportFetch(transport), retry: false }
  return {
    transport,
    accessToken: source.token,
    compute: once(async () => new (await import('@googleapis/compute/build/v1.js')).compute_v1.Compute(settings)),
    storage: once(async () => new (await import('@googleapis/storage/build/v1.js')).storage_v1.Storage(settings)),
    iam: once(async () => new (await import('@googleapis/iam/build/v1.js')).iam_v1.Iam(settings)),
    resourceManager: once(async () => new (await import('@googleapis/cloudresourcemanager/build/v1.js')).cloudresourcemanager_v1.Cloudresourcemanager(settings)),
    serviceUsage: once(async () => new (await import('@googleapis/serviceusage/build/v1.js')).serviceusage_v1.Serviceusage(settings)),
    secretManager: once(async () => new (await import('@googleapis/secretmanager/build/v1.js')).secretmanager_v1.Secretmanager(settings)),
    artifactRegistry: createArtifactRegistry(transport),
    cloudBilling: createCloudBilling(transport),
    cloudDns: createCloudDns(transport),
    firestoreAdmin: createFirestoreAdmin(transport),
    firebaseRules: createFirebaseRules(transport),
    identityPlatform: createIdentityPlatform(transport),
    monitoring: createMonitoring(transport),
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

interface CredentialSource {
  readonly headers: Credentials
  readonly token: () => Promise<string>
}

function givenCredentials(accessToken: (refused: boolean) => Promise<string>): CredentialSource {
  return {
    headers: async (refused) => ({ authorization: `Bearer ${await accessToken(refused)}` }),
    token: () => accessToken(false),
  }
}

/** What `gcloud auth application-default login`, a key file or a Google VM gives. https://cloud.google.com/docs/authentication/application-default-credentials */
function defaultCredentials(): CredentialSource {
  const client = once(async () => {
    const { GoogleAuth } = await import('google-auth-library')
    // every call names its project; without one here the library asks Google for the credentials' own
    return await new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'], projectId: 'unused' }).getClient()
  })
  async function loaded<T>(use: (auth: Awaited<ReturnType<typeof client>>) => Promise<T>): Promise<T> {
    try {
      return await use(await client())
    } catch (error) {
      throw credentialError(error)
    }
  }
  return {
    headers: (refused) =>
      loaded(async (auth) => {
        // a 401 means that the cached token was withdrawn
        if (refused) auth.setCredentials({ ...auth.credentials, expiry_date: 1 })
        return Object.fromEntries(await auth.getRequestHeaders())
      }),
    token: () =>
      loaded(async (auth) => {
        const { token } = await auth.getAccessToken()
        if (token === undefined || token === null) throw new Error('the credentials gave no access token')
        return token
      }),
  }
}

function credentialError(error: unknown): KilnError {
  const code = systemErrorCode(error)
  if (code !== undefined && /^E[A-Z_]+$/.test(code)) {
    return new KilnError('E_NETWORK', `Google's sign-in could not be reached: ${describeError(error)}`, {
      hint: 'check the network, then run the same command again',
      cause: error,
    })
  }
  return new KilnError('E_PERMISSION', `there are no usable Google credentials on this machine: ${describeError(error)}`, {
    hint: 'run: gcloud auth application-default login',
    cause: error,
  })
}

/** Node's fetch reads HTTPS_PROXY only when told. Only for Google: the pocket cloud is on the loopback. */
function useProxyOfEnvironment(): void {
  const proxy = process.env['HTTPS_PROXY'] ?? process.env['https_proxy']
  if (proxySet || proxy === undefined || proxy === '') return
  proxySet = true
  setGlobalProxyFromEnv()
}

let proxySet = false
