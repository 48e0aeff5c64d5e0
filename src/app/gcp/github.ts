/** The GitHub side of a stack: what its repository must know, set by Kiln with a token, or told to a person. */
import type { StackConfig } from '../../config/schema.ts'
import type { Address } from '../../engine/types.ts'
import { applyRepositorySettings, commandsFor } from '../../github/repository.ts'
import type { GithubAccess, RepositorySettings } from '../../github/repository.ts'
import { repositoryVariables } from '../../synth/workflows/actions.ts'
import { githubAccess } from '../github-access.ts'
import { kilnVersion } from '../version.ts'

type Environment = Readonly<Record<string, string | undefined>>
type Attributes = ReadonlyMap<Address, Readonly<Record<string, unknown>>>

/** Values of secrets that workflows of the user's read: `KILN_GITHUB_SECRET_API_KEY=…` becomes the secret API_KEY. */
const SECRET_PREFIX = 'KILN_GITHUB_SECRET_'

/** What the repository must know; undefined without a section `github`, or before its provider is there. */
export function repositorySettings(config: StackConfig, attributes: Attributes, env: Environment): RepositorySettings | undefined {
  const { github } = config
  const access = githubAccess(config, attributes)
  if (github === undefined || access === undefined) return undefined
  const secrets = Object.entries(env).flatMap(([name, value]) =>
    name.startsWith(SECRET_PREFIX) && value !== undefined && value !== '' ? [[name.slice(SECRET_PREFIX.length), value] as const] : [],
  )
  return {
    repository: github.repository,
    branch: github.branch,
    environment: github.environment,
    variables: {
      [repositoryVariables.provider]: access.provider,
      [repositoryVariables.account]: access.serviceAccount,
    },
    secrets: Object.fromEntries(secrets),
  }
}

/** Sets it with GITHUB_TOKEN; without one says what to set by hand. @throws KilnError E_PERMISSION, E_NOT_FOUND, E_NETWORK */
export async function setUpRepository(settings: RepositorySettings, env: Environment, note: (text: string) => void, access: Partial<GithubAccess> = {}): Promise<number> {
  const token = env['GITHUB_TOKEN'] ?? ''
  if (token === '') {
    note(
      `GitHub: there is no GITHUB_TOKEN; set this in ${settings.repository} by hand:\n${commandsFor(settings)
        .map((command) => `  ${command}`)
        .join('\n')}`,
    )
    return 0
  }
  const apiUrl = env['GITHUB_API_URL']
  const rows = await applyRepositorySettings(settings, { token, userAgent: `kiln/${kilnVersion}`, ...(apiUrl === undefined ? {} : { apiUrl }), ...access })
  const changed = rows.filter((row) => row.did !== 'unchanged')
  note(changed.length === 0 ? `GitHub: ${settings.repository} has everything` : `GitHub: ${settings.repository}: ${changed.map((row) => `${row.setting} ${row.did}`).join(', ')}`)
  return changed.length
}
