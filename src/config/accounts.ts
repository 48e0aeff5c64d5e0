/** Service accounts of the config, by what they may do. */
import type { StackConfig } from './schema.ts'

/** The name of the first account that has a role on the repository or the project: whoever needs the role acts as it. Undefined: none has. */
export function accountWithRole(config: Pick<StackConfig, 'serviceAccounts'>, role: string): string | undefined {
  return Object.entries(config.serviceAccounts).find(([, account]) => [...account.repositoryRoles, ...account.roles].includes(role))?.[0]
}

/** The account that reads the Python index while images are made. */
export function indexReader(config: Pick<StackConfig, 'serviceAccounts'>): string | undefined {
  return accountWithRole(config, 'roles/artifactregistry.reader')
}
