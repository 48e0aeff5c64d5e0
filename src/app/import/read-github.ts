/** Workload identity: the repository that delivers, when its provider says what Kiln's says; every other pool is foreign. */
import { githubPool, githubProvider } from '../../compile/compile.github.ts'
import type { StackInput } from '../../config/schema.ts'
import { all, lastPart } from './reading.ts'
import type { Foreign, Part, Reader } from './reading.ts'

type Github = NonNullable<StackInput['github']>

interface Provider {
  readonly name?: string
  readonly description?: string
  readonly attributeCondition?: string
  readonly oidc?: { readonly issuerUri?: string }
}

export const readGithub: Reader = async (reading): Promise<Part> => {
  const foreign: Foreign[] = []
  let github: Github | undefined
  const base = `https://iam.googleapis.com/v1/projects/${reading.projectId}/locations/global/workloadIdentityPools`
  for (const pool of await all<{ readonly name?: string }>(reading, base, 'workloadIdentityPools')) {
    const poolId = lastPart(pool.name)
    for (const provider of await all<Provider>(reading, `${base}/${poolId}/providers`, 'workloadIdentityPoolProviders')) {
      const own = poolId === githubPool && lastPart(provider.name) === githubProvider ? parseGithub(provider) : undefined
      if (own === undefined) {
        const { issuerUri = 'another kind' } = provider.oidc ?? {}
        foreign.push({
          what: `iam workload-identity-pools providers ${poolId}/${lastPart(provider.name)}`,
          why: `it takes tokens of ${issuerUri} when ${provider.attributeCondition ?? 'they are signed'}`,
        })
      } else github = own
    }
  }
  return { section: github === undefined ? {} : { github }, foreign }
}

/** The config that gives this provider, or undefined when none does. */
export function parseGithub({ attributeCondition = '', description = '' }: Pick<Provider, 'attributeCondition' | 'description'>): Github | undefined {
  const match = /^assertion\.(repository|repository_id) == '([^']+)' && assertion\.ref == 'refs\/heads\/([^']+)'(?: && assertion\.environment == '([^']+)')?$/.exec(
    attributeCondition,
  )
  if (match === null) return undefined
  const [, claim, value = '', branch = '', environment] = match
  const named = / for ([^\s/]+\/\S+)$/.exec(description)?.[1]
  const repository = claim === 'repository' ? value : named
  if (repository === undefined) return undefined
  return {
    repository,
    ...(claim === 'repository_id' ? { repositoryId: value } : {}),
    ...(branch === 'main' ? {} : { branch }),
    ...(environment === undefined ? {} : { environment }),
  }
}
