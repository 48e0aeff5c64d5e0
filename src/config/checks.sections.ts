/** Checks of sections that look at other sections. */
import { repeated, unknownName } from './problems.ts'
import type { Problem } from './problems.ts'
import type { StackConfig } from './schema.ts'
import type { FirestoreIndex } from './schema.sections.ts'

/** The name of the account that GitHub's workflows act as; `serviceAccounts` cannot have it. */
export const githubAccount = 'github-deployer'

/** What is wrong among sign-in, secrets, indexes and the repository. */
export function sectionProblems(config: StackConfig): readonly Problem[] {
  const indexes = config.firestore?.indexes ?? []
  return [
    ...authProblems(config),
    ...secretProblems(config),
    ...(typeof indexes === 'string' ? [] : indexProblems(indexes, ['firestore', 'indexes'])),
    ...(config.github !== undefined && config.serviceAccounts[githubAccount] !== undefined
      ? [{ path: ['serviceAccounts', githubAccount], message: 'this account belongs to the section github; choose another name' }]
      : []),
  ]
}

function authProblems({ auth }: StackConfig): readonly Problem[] {
  if (auth === undefined) return []
  const problems: Problem[] = [...repeated(['auth', 'providers'], auth.providers), ...repeated(['auth', 'authorizedDomains'], auth.authorizedDomains)]
  const wantsGoogle = auth.providers.includes('google')
  if (wantsGoogle && auth.google === undefined) {
    problems.push({ path: ['auth', 'google'], message: 'expected { clientId, clientSecret } for the provider "google", but it is missing' })
  }
  if (!wantsGoogle && auth.google !== undefined) problems.push({ path: ['auth', 'google'], message: '"google" is not in auth.providers' })
  return problems
}

function secretProblems(config: StackConfig): readonly Problem[] {
  const accounts = Object.keys(config.serviceAccounts)
  return Object.entries(config.secrets).flatMap(([name, secret]) => [
    ...repeated(['secrets', name, 'accessors'], secret.accessors),
    ...secret.accessors.flatMap((account, index) =>
      accounts.includes(account) ? [] : [{ path: ['secrets', name, 'accessors', index], message: unknownName('an account of `serviceAccounts`', account, accounts) }],
    ),
  ])
}

/** Two indexes of the same shape, or one with a field twice. */
export function indexProblems(indexes: readonly FirestoreIndex[], path: readonly PropertyKey[]): readonly Problem[] {
  const shapes = indexes.map((index) => JSON.stringify([index.collectionGroup, index.queryScope, index.fields]))
  return indexes.flatMap((index, at): readonly Problem[] => {
    const fields = index.fields.map((field) => field.fieldPath)
    const twice = fields.find((field, place) => fields.indexOf(field) < place)
    return [
      ...(shapes.indexOf(shapes[at] ?? '') < at ? [{ path: [...path, at], message: 'is in the list already' }] : []),
      ...(twice === undefined ? [] : [{ path: [...path, at, 'fields'], message: `the field ${twice} is there twice` }]),
    ]
  })
}
