/** Workload identity providers as they are live, read over IAM's API: what GitHub's tokens are measured against. */
import type { iam_v1 } from '@googleapis/iam/build/v1.js'
import { KilnError } from '../base/errors.ts'
import type { Clients } from '../client/clients.ts'
import { call } from '../client/errors.ts'
import type { OidcProvider } from '../oidc/provider.ts'
import { parseProviderAudience } from '../oidc/provider.ts'

export interface LiveProvider {
  /** `projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`. */
  readonly name: string
  readonly oidc: OidcProvider
  /** Why it admits nobody, whatever the token; undefined: it is in use. */
  readonly outOfUse: string | undefined
}

/** Every OIDC provider of a project's pools. */
export async function listProviders(clients: Pick<Clients, 'iam'>, projectId: string): Promise<readonly LiveProvider[]> {
  const { workloadIdentityPools } = (await clients.iam()).projects.locations
  const found: LiveProvider[] = []
  for (const pool of await everyPage(async (pageToken) => {
    const page = await call(workloadIdentityPools.list({ parent: `projects/${projectId}/locations/global`, ...pageToken }))
    return { items: page.workloadIdentityPools, next: page.nextPageToken }
  })) {
    const providers = await everyPage(async (pageToken) => {
      const page = await call(workloadIdentityPools.providers.list({ parent: pool.name ?? '', ...pageToken }))
      return { items: page.workloadIdentityPoolProviders, next: page.nextPageToken }
    })
    for (const provider of providers) {
      const live = toLive(pool, provider)
      if (live !== undefined) found.push(live)
    }
  }
  return found
}

/**
 * The provider that is meant: by name (the whole, `POOL/PROVIDER` or `PROVIDER`), else the only one, else the only one of the token's issuer.
 * @throws KilnError E_NOT_FOUND that lists what is there
 */
export function chooseProvider(providers: readonly LiveProvider[], wanted: { readonly name?: string; readonly issuer?: unknown; readonly project: string }): LiveProvider {
  const { name, issuer, project } = wanted
  const short = (each: LiveProvider): string => `${each.oidc.poolId}/${each.oidc.providerId}`
  const known = providers.map(short).join(', ')
  if (providers.length === 0)
    throw new KilnError('E_NOT_FOUND', `the project ${project} has no workload identity provider for OIDC`, {
      hint: 'a `github` section in kiln.config.ts and `kiln up` make one; --target gcp looks at the project on Google; of another cloud: --provider FILE with what `gcloud iam workload-identity-pools providers describe --format json` prints',
    })
  const named = name === undefined ? providers : providers.filter((each) => [each.name, short(each), each.oidc.providerId].includes(name))
  if (named.length === 0) throw new KilnError('E_NOT_FOUND', `the project ${project} has no workload identity provider ${name}`, { hint: `it has: ${known}` })
  if (named.length === 1 && named[0] !== undefined) return named[0]
  const [only, second] = named.filter((each) => each.oidc.issuerUri === issuer)
  if (only !== undefined && second === undefined) return only
  throw new KilnError('E_NOT_FOUND', `the project ${project} has several providers, and the token does not tell which is meant`, { hint: `choose with --provider: ${known}` })
}

/** A provider as IAM's API shows it. @throws KilnError E_USAGE when it is no OIDC provider */
export function providerFromJson(value: unknown): LiveProvider {
  const given = (typeof value === 'object' && value !== null ? value : {}) as iam_v1.Schema$WorkloadIdentityPoolProvider
  const live = toLive({}, given)
  if (live !== undefined) return live
  throw new KilnError('E_USAGE', 'this is not an OIDC provider of a workload identity pool', {
    hint: 'as `gcloud iam workload-identity-pools providers describe --format json` prints it, with `name` and `oidc`',
  })
}

function toLive(pool: iam_v1.Schema$WorkloadIdentityPool, provider: iam_v1.Schema$WorkloadIdentityPoolProvider): LiveProvider | undefined {
  const name = parseProviderAudience(`//iam.googleapis.com/${provider.name ?? ''}`)
  const issuerUri = provider.oidc?.issuerUri
  if (name === undefined || typeof issuerUri !== 'string' || provider.name === undefined || provider.name === null) return undefined
  const jwksJson = provider.oidc?.jwksJson
  return {
    name: provider.name,
    oidc: {
      ...name,
      issuerUri,
      allowedAudiences: provider.oidc?.allowedAudiences ?? [],
      ...(typeof jwksJson === 'string' && jwksJson !== '' ? { jwksJson } : {}),
      attributeMapping: provider.attributeMapping ?? {},
      attributeCondition: provider.attributeCondition ?? '',
    },
    outOfUse: outOfUse('pool', pool) ?? outOfUse('provider', provider),
  }
}

function outOfUse(what: string, { disabled, state }: { readonly disabled?: boolean | null; readonly state?: string | null }): string | undefined {
  if (state === 'DELETED') return `the ${what} is deleted`
  return disabled === true ? `the ${what} is disabled` : undefined
}

async function everyPage<T>(
  read: (pageToken: { readonly pageToken?: string }) => Promise<{ readonly items: T[] | undefined; readonly next: string | null | undefined }>,
): Promise<readonly T[]> {
  const all: T[] = []
  for (let token: string | undefined; ;) {
    const { items, next } = await read(token === undefined ? {} : { pageToken: token })
    all.push(...(items ?? []))
    if (typeof next !== 'string' || next === '') return all
    token = next
  }
}
