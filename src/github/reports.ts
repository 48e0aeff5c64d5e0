/** What is told back to GitHub: the status of a commit, and a deployment with its states. https://docs.github.com/en/rest/deployments */
import { request } from '@octokit/request'
import { KilnError, describeError } from '../base/errors.ts'

export interface ReportsOptions {
  /** OWNER/REPO. */
  readonly repository: string
  readonly token: string
  /** Default: https://api.github.com. */
  readonly apiUrl?: string
  readonly userAgent: string
  readonly fetch?: typeof fetch
  readonly timeoutMs?: number
}

export type CommitState = 'pending' | 'success' | 'failure' | 'error'
export type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error'

export interface Reports {
  /** One line beside the commit; `context` tells Kiln's from other programs'. */
  commitStatus(commit: string, status: { readonly state: CommitState; readonly context: string; readonly description: string }): Promise<void>
  /** Gives the deployment's number. */
  createDeployment(commit: string, deployment: { readonly environment: string; readonly description: string }): Promise<number>
  deploymentStatus(deployment: number, status: { readonly state: DeploymentState; readonly description: string; readonly url?: string }): Promise<void>
}

/** GitHub refuses longer ones. */
const MAX_DESCRIPTION = 140

/** A client for one repository. Every method throws KilnError E_NETWORK that says what GitHub answered. */
export function createReports(options: ReportsOptions): Reports {
  const [owner = '', repo = ''] = options.repository.split('/')
  const send = request.defaults({
    baseUrl: (options.apiUrl ?? 'https://api.github.com').replace(/\/$/, ''),
    owner,
    repo,
    headers: { authorization: `Bearer ${options.token}`, 'user-agent': options.userAgent, 'x-github-api-version': '2022-11-28' },
  })
  const withLimits = (): { readonly fetch?: typeof fetch; readonly signal: AbortSignal } => ({
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    signal: AbortSignal.timeout(options.timeoutMs ?? 20_000),
  })
  return {
    async commitStatus(commit, { state, context, description }) {
      await told('the commit status', () =>
        send('POST /repos/{owner}/{repo}/statuses/{sha}', { owner, repo, sha: commit, state, context, description: cut(description), request: withLimits() }),
      )
    },
    async createDeployment(commit, { environment, description }) {
      const { data } = await told('the deployment', () =>
        send('POST /repos/{owner}/{repo}/deployments', {
          owner,
          repo,
          ref: commit,
          environment,
          description: cut(description),
          // What is merged is delivered: other checks have had their say before the merge.
          auto_merge: false,
          required_contexts: [],
          request: withLimits(),
        }),
      )
      if ('id' in data) return Number(data.id)
      throw new KilnError('E_NETWORK', `GitHub made no deployment: ${data.message ?? 'no reason was given'}`)
    },
    async deploymentStatus(deployment, { state, description, url }) {
      await told('the state of the deployment', () =>
        send('POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses', {
          owner,
          repo,
          deployment_id: deployment,
          state,
          description: cut(description),
          ...(url === undefined ? {} : { environment_url: url }),
          request: withLimits(),
        }),
      )
    },
  }
}

async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const status = typeof error === 'object' && error !== null && 'status' in error ? ` (${String(error.status)})` : ''
    throw new KilnError('E_NETWORK', `GitHub did not take ${what}${status}: ${describeError(error)}`, {
      hint: 'the token of `kiln webhook setup --token-file` needs to write commit statuses and deployments',
    })
  }
}

function cut(text: string): string {
  return text.length <= MAX_DESCRIPTION ? text : `${text.slice(0, MAX_DESCRIPTION - 1)}…`
}
