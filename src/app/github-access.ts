/** What a workflow of the stack's repository must know to sign in: names, no secrets. */
import { githubProvider } from '../compile/compile.github.ts'
import { githubAccount } from '../config/checks.sections.ts'
import type { StackConfig } from '../config/schema.ts'
import type { Address } from '../engine/types.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'

export interface GithubAccess {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`: what GitHub's token is shown to. */
  readonly provider: string
  /** E-mail address of the account that the workflow acts as. */
  readonly serviceAccount: string
}

/** Undefined without a section `github`, or before its provider is there. */
export function githubAccess(config: StackConfig, attributes: ReadonlyMap<Address, Readonly<Record<string, unknown>>>): GithubAccess | undefined {
  const provider = attributes.get(`workload-identity-provider/${githubProvider}`)?.['name']
  if (config.github === undefined || typeof provider !== 'string') return undefined
  return { provider, serviceAccount: serviceAccountEmail({ projectId: config.project.id, accountId: githubAccount }) }
}
