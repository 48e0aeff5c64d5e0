/** Artifact Registry's control plane (REST v1), of which npm has no `@googleapis` package. https://cloud.google.com/artifact-registry/docs/reference/rest */
import type { IamPolicy } from './iam-types.ts'
import type { Operation } from './operations.ts'
import type { Transport } from './transport.ts'

export interface Repository {
  /** `projects/P/locations/L/repositories/R` */
  readonly name?: string
  readonly format?: string
  readonly mode?: string
  readonly description?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly createTime?: string
  readonly updateTime?: string
  readonly registryUri?: string
}

export interface PackageVersion {
  readonly name?: string
  readonly createTime?: string
  readonly updateTime?: string
}

interface CallOptions {
  readonly signal?: AbortSignal
}

/** Names are full resource names, as Google uses them. Every method throws as `Transport.send` does. */
export interface ArtifactRegistry {
  getRepository(name: string, options?: CallOptions): Promise<Repository>
  createRepository(parent: string, repositoryId: string, repository: Repository, options?: CallOptions): Promise<Operation>
  patchRepository(name: string, updateMask: string, repository: Repository, options?: CallOptions): Promise<Repository>
  deleteRepository(name: string, options?: CallOptions): Promise<Operation>
  getIamPolicy(name: string, options?: CallOptions): Promise<IamPolicy>
  setIamPolicy(name: string, policy: IamPolicy, options?: CallOptions): Promise<IamPolicy>
  /** All versions of a package (all pages). `name` is `…/repositories/R/packages/X`. */
  listVersions(name: string, options?: CallOptions): Promise<readonly PackageVersion[]>
  getOperation(name: string, options?: CallOptions): Promise<Operation>
}

const base = 'https://artifactregistry.googleapis.com/v1'

/** Makes the client over a transport. */
export function createArtifactRegistry(transport: Transport): ArtifactRegistry {
  return {
    getRepository: (name, options) => transport.json('GET', `${base}/${name}`, options),
    createRepository: (parent, repositoryId, repository, options) =>
      transport.json('POST', `${base}/${parent}/repositories?repositoryId=${encodeURIComponent(repositoryId)}`, { ...options, body: repository }),
    patchRepository: (name, updateMask, repository, options) =>
      transport.json('PATCH', `${base}/${name}?updateMask=${encodeURIComponent(updateMask)}`, { ...options, body: repository }),
    deleteRepository: (name, options) => transport.json('DELETE', `${base}/${name}`, options),
    getIamPolicy: (name, options) => transport.json('GET', `${base}/${name}:getIamPolicy`, options),
    setIamPolicy: (name, policy, options) => transport.json('POST', `${base}/${name}:setIamPolicy`, { ...options, body: { policy } }),
    getOperation: (name, options) => transport.json('GET', `${base}/${name}`, options),
    async listVersions(name, options) {
      const versions: PackageVersion[] = []
      let pageToken = ''
      do {
        const page: { readonly versions?: readonly PackageVersion[]; readonly nextPageToken?: string } = await transport.json(
          'GET',
          `${base}/${name}/versions?pageSize=1000${pageToken === '' ? '' : `&pageToken=${encodeURIComponent(pageToken)}`}`,
          options,
        )
        versions.push(...(page.versions ?? []))
        pageToken = page.nextPageToken ?? ''
      } while (pageToken !== '')
      return versions
    },
  }
}
