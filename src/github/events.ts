/**
 * What a signed webhook asks for. Only pushes to the branch and pull requests merged into it are delivered; everything else is told and left.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
import { z } from 'zod'

export interface EventRequest {
  /** `X-GitHub-Event`. */
  readonly event: string
  readonly payload: unknown
  /** OWNER/REPO. */
  readonly repository: string
  readonly branch: string
  readonly nowMs: number
}

export type Verdict =
  | { readonly outcome: 'deliver'; readonly commit: string; readonly subject: string; readonly who: string; readonly forced: boolean }
  /** Nothing is wrong with it, and nothing is to be done. */
  | { readonly outcome: 'ignored'; readonly reason: string }
  | { readonly outcome: 'refused'; readonly status: 400 | 403 | 409; readonly reason: string }

/** GitHub sends within seconds; a delivery that comes much later was held back by somebody. */
export const MAX_AGE_MS = 60 * 60_000
const CommitId = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
const Repository = z.object({ full_name: z.string(), pushed_at: z.union([z.number(), z.string()]).optional() })

/** Only what is read. */
const Push = z.object({
  ref: z.string(),
  after: CommitId,
  deleted: z.boolean().optional(),
  forced: z.boolean().optional(),
  repository: Repository,
  head_commit: z.object({ message: z.string() }).nullish(),
  pusher: z.object({ name: z.string().optional() }).optional(),
})

const PullRequest = z.object({
  action: z.string(),
  number: z.number(),
  repository: Repository,
  pull_request: z.object({
    merged: z.boolean().nullish(),
    merged_at: z.string().nullish(),
    merge_commit_sha: CommitId.nullish(),
    title: z.string(),
    base: z.object({ ref: z.string() }),
    merged_by: z.object({ login: z.string() }).nullish(),
  }),
})

/** Decides about a delivery whose signature was good. */
export function judgeEvent(request: EventRequest): Verdict {
  if (request.event === 'push') return judgePush(request)
  if (request.event === 'pull_request') return judgePullRequest(request)
  return { outcome: 'ignored', reason: request.event === 'ping' ? 'ping: the webhook is set up' : `the event ${JSON.stringify(request.event.slice(0, 60))} starts nothing` }
}

function judgePush(request: EventRequest): Verdict {
  const parsed = Push.safeParse(request.payload)
  if (!parsed.success) return malformed('push', parsed.error)
  const { ref, after, deleted, forced, repository, head_commit, pusher } = parsed.data
  const foreign = otherRepository(request, repository.full_name)
  if (foreign !== undefined) return foreign
  if (ref !== `refs/heads/${request.branch}`) return { outcome: 'ignored', reason: `${ref.slice(0, 200)} is not the branch ${request.branch}` }
  if (deleted === true || /^0+$/.test(after)) return { outcome: 'ignored', reason: `the branch ${request.branch} was deleted` }
  return (
    badTime(request.nowMs, typeof repository.pushed_at === 'number' ? repository.pushed_at * 1000 : Date.parse(repository.pushed_at ?? ''), 'pushed') ?? {
      outcome: 'deliver',
      commit: after,
      subject: firstLine(head_commit?.message ?? ''),
      who: pusher?.name ?? 'unknown',
      forced: forced === true,
    }
  )
}

function judgePullRequest(request: EventRequest): Verdict {
  const parsed = PullRequest.safeParse(request.payload)
  if (!parsed.success) return malformed('pull_request', parsed.error)
  const { action, number, repository, pull_request: pull } = parsed.data
  const foreign = otherRepository(request, repository.full_name)
  if (foreign !== undefined) return foreign
  if (action !== 'closed' || pull.merged !== true)
    return { outcome: 'ignored', reason: `pull request ${number} is ${action === 'closed' ? 'closed without a merge' : action.slice(0, 40)}` }
  if (pull.base.ref !== request.branch) return { outcome: 'ignored', reason: `pull request ${number} was merged into ${pull.base.ref.slice(0, 200)}, not ${request.branch}` }
  if (typeof pull.merge_commit_sha !== 'string') return { outcome: 'refused', status: 400, reason: `pull request ${number} is merged and has no merge commit` }
  return (
    badTime(request.nowMs, Date.parse(pull.merged_at ?? ''), 'merged') ?? {
      outcome: 'deliver',
      commit: pull.merge_commit_sha,
      subject: firstLine(`${pull.title} (#${number})`),
      who: pull.merged_by?.login ?? 'unknown',
      forced: false,
    }
  )
}

function otherRepository({ repository }: EventRequest, given: string): Verdict | undefined {
  // GitHub's names are the same in any case of letters.
  if (given.toLowerCase() === repository.toLowerCase()) return undefined
  return { outcome: 'refused', status: 403, reason: `it is about the repository ${given.slice(0, 200)}, not ${repository}` }
}

function badTime(nowMs: number, atMs: number, what: 'pushed' | 'merged'): Verdict | undefined {
  if (!Number.isFinite(atMs)) return { outcome: 'refused', status: 400, reason: `it does not tell when it was ${what}` }
  if (Math.abs(nowMs - atMs) <= MAX_AGE_MS) return undefined
  return { outcome: 'refused', status: 409, reason: `it was ${what} at ${new Date(atMs).toISOString()}, more than an hour ${atMs < nowMs ? 'ago' : 'ahead'}` }
}

function malformed(event: string, error: z.ZodError): Verdict {
  const [issue] = error.issues
  return { outcome: 'refused', status: 400, reason: `the ${event} payload is not as GitHub sends it: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}` }
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 200)
}
