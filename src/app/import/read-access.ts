/** The Python repository, the service accounts, and what they may do. */
import { githubAccount } from '../../config/checks.sections.ts'
import type { StackInput } from '../../config/schema.ts'
import { accountOfMember, all, allRepositories, isGooglesOwn, lastPart, one } from './reading.ts'
import type { Binding, Foreign, Part, Reader, Reading } from './reading.ts'

export const readPackage: Reader = async (reading, { location }): Promise<Part> => {
  const found = await allRepositories(reading)
  const own = found.find((repository) => repository.format === 'PYTHON' && repository.name?.split('/')[3] === location?.region)
  const foreign = found
    .filter((repository) => repository !== own)
    .map((repository) => ({
      what: `artifacts repositories ${lastPart(repository.name)}`,
      why: `a stack has one Python repository, in its region; this one is ${repository.format ?? 'of another kind'}`,
    }))
  if (own === undefined) return { section: {}, foreign }
  return {
    section: { package: { source: './server', repository: lastPart(own.name) } },
    foreign,
    comments: { package: 'the folder of the source is not in the cloud' },
  }
}

interface Account {
  readonly email?: string
  readonly displayName?: string
}

export const readAccounts: Reader = async (reading, soFar): Promise<Part> => {
  const { projectId } = reading
  const foreign: Foreign[] = []
  const accounts = await all<Account>(reading, `https://iam.googleapis.com/v1/projects/${projectId}/serviceAccounts?pageSize=100`, 'accounts')
  const own = accounts.filter((account) => accountOfMember(reading, `serviceAccount:${account.email ?? ''}`) !== undefined)
  const nameOf = (account: Account): string => (account.email ?? '').split('@')[0] ?? ''
  const policy = await one<{ readonly bindings?: readonly Binding[] }>(reading, `https://cloudresourcemanager.googleapis.com/v1/projects/${projectId}:getIamPolicy`, 'POST', {
    options: { requestedPolicyVersion: 3 },
  })
  const roles = rolesByAccount(reading, policy?.bindings ?? [], `projects ${projectId}`, foreign)
  const repositoryRoles = rolesByAccount(reading, await repositoryBindings(reading, soFar), 'the Python repository', foreign)
  const serviceAccounts: NonNullable<StackInput['serviceAccounts']> = {}
  for (const account of own) {
    const name = nameOf(account)
    if (name === githubAccount) continue
    const display = account.displayName ?? ''
    serviceAccounts[name] = {
      ...(display === '' || display === name ? {} : { displayName: display }),
      ...(roles.has(name) ? { roles: roles.get(name) ?? [] } : {}),
      ...(repositoryRoles.has(name) ? { repositoryRoles: repositoryRoles.get(name) ?? [] } : {}),
    }
    for (const binding of await bindingsOf(reading, account.email ?? '')) {
      const others = (binding.members ?? []).filter((member) => accountOfMember(reading, member) !== githubAccount)
      if (others.length > 0) foreign.push({ what: `iam service-accounts ${name}`, why: `${others.join(', ')} ${others.length === 1 ? 'has' : 'have'} ${binding.role ?? ''} on it` })
    }
  }
  return { section: Object.keys(serviceAccounts).length === 0 ? {} : { serviceAccounts }, foreign }
}

async function bindingsOf(reading: Reading, email: string): Promise<readonly Binding[]> {
  const policy = await one<{ readonly bindings?: readonly Binding[] }>(
    reading,
    `https://iam.googleapis.com/v1/projects/${reading.projectId}/serviceAccounts/${email}:getIamPolicy`,
    'POST',
    {},
  )
  return policy?.bindings ?? []
}

async function repositoryBindings(reading: Reading, soFar: Partial<StackInput>): Promise<readonly Binding[]> {
  const { location, package: section } = soFar
  if (location === undefined || section?.repository === undefined) return []
  const name = `projects/${reading.projectId}/locations/${location.region}/repositories/${section.repository}`
  const policy = await one<{ readonly bindings?: readonly Binding[] }>(reading, `https://artifactregistry.googleapis.com/v1/${name}:getIamPolicy`)
  return policy?.bindings ?? []
}

/** Roles of the project's own accounts; whatever else is in the policy goes to `foreign`. */
function rolesByAccount(reading: Reading, bindings: readonly Binding[], where: string, foreign: Foreign[]): ReadonlyMap<string, string[]> {
  const roles = new Map<string, string[]>()
  for (const { role = '', members = [], condition } of bindings) {
    for (const member of members.filter((one) => !isGooglesOwn(one))) {
      const account = accountOfMember(reading, member)
      if (account === undefined || condition !== undefined) {
        const why = condition === undefined ? 'the config knows only service accounts of the project' : `the role has a condition (${condition.title ?? 'without a title'})`
        foreign.push({ what: `${role} on ${where} for ${member}`, why })
      } else roles.set(account, [...(roles.get(account) ?? []), role].toSorted())
    }
  }
  return roles
}
