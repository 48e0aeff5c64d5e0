/** Workload identity pools and providers as the exchange sees them, and the names that federated identities have in policies. https://cloud.google.com/iam/docs/principal-identifiers */

export interface PoolName {
  /** Decimal text: policies name pools by the project's number. */
  readonly projectNumber: string
  readonly poolId: string
}

export interface ProviderName extends PoolName {
  readonly providerId: string
}

/** What decides about a token. */
export interface OidcProvider extends ProviderName {
  readonly issuerUri: string
  /** Empty: the provider's own name, in its two forms. */
  readonly allowedAudiences: readonly string[]
  /** Keys that were given with the provider; with them the issuer is never asked. */
  readonly jwksJson?: string
  readonly attributeMapping: Readonly<Record<string, string>>
  readonly attributeCondition: string
}

/** What the mapping made of a token's claims. */
export interface MappedIdentity {
  readonly subject: string
  readonly groups: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
}

const PROVIDER = /^(?:https:)?\/\/iam\.googleapis\.com\/projects\/(\d+)\/locations\/global\/workloadIdentityPools\/([a-z0-9-]+)\/providers\/([a-z0-9-]+)$/
const MEMBER_OF_POOL = /^(?:principal|principalSet):\/\/iam\.googleapis\.com\/projects\/([^/]+)\/locations\/global\/workloadIdentityPools\/([^/]+)\/(.+)$/

/** `projects/N/locations/global/workloadIdentityPools/POOL`. */
export function poolPath({ projectNumber, poolId }: PoolName): string {
  return `projects/${projectNumber}/locations/global/workloadIdentityPools/${poolId}`
}

/** `projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`. */
export function providerPath(name: ProviderName): string {
  return `${poolPath(name)}/providers/${name.providerId}`
}

/** The audience of an exchange, `//iam.googleapis.com/projects/N/…/providers/P`; undefined for anything else. */
export function parseProviderAudience(audience: string): ProviderName | undefined {
  const [, projectNumber, poolId, providerId] = PROVIDER.exec(audience) ?? []
  return projectNumber === undefined || poolId === undefined || providerId === undefined ? undefined : { projectNumber, poolId, providerId }
}

/** Which audiences a token for this provider may have. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers#oidc */
export function audiencesOf(provider: OidcProvider): readonly string[] {
  if (provider.allowedAudiences.length > 0) return provider.allowedAudiences
  const path = providerPath(provider)
  return [`//iam.googleapis.com/${path}`, `https://iam.googleapis.com/${path}`]
}

/** The pool of a member such as `principalSet://iam.googleapis.com/projects/1/…/attribute.ref/main`, and what it names there; undefined for other members. */
export function poolOfMember(member: string): (PoolName & { readonly rest: string }) | undefined {
  const [, projectNumber, poolId, rest] = MEMBER_OF_POOL.exec(member) ?? []
  return projectNumber === undefined || poolId === undefined || rest === undefined ? undefined : { projectNumber, poolId, rest }
}

/** A caller in the names that policies have for it. */
export interface FederatedPrincipal {
  readonly member: string
  /** The same: a federated identity has no address. */
  readonly email: string
  /** Further members that mean this caller too. */
  readonly sets: readonly string[]
}

/** The caller that an exchanged token stands for, with every name by which policies may mean it. */
export function federatedPrincipal(pool: PoolName, identity: MappedIdentity): FederatedPrincipal {
  const base = `//iam.googleapis.com/${poolPath(pool)}`
  const member = `principal:${base}/subject/${identity.subject}`
  return {
    member,
    email: member,
    sets: [
      ...identity.groups.map((group) => `principalSet:${base}/group/${group}`),
      ...Object.entries(identity.attributes).map(([name, value]) => `principalSet:${base}/attribute.${name}/${value}`),
      `principalSet:${base}/*`,
    ],
  }
}
