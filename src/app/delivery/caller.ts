/** Who asks for a release, as the ledger has it: the user of this machine, or whoever made GitHub run a workflow. */
import { userInfo } from 'node:os'

export interface Caller {
  readonly who: string
  /** The commit that a workflow runs for. */
  readonly commit: string | undefined
}

/** @example callerOf(process.env) // { who: 'octo (OWNER/REPO, run 7 of deliver)', commit: '9a49b3d…' } in a workflow */
export function callerOf(env: Readonly<Record<string, string | undefined>>): Caller {
  const { GITHUB_ACTIONS, GITHUB_ACTOR, GITHUB_REPOSITORY, GITHUB_RUN_NUMBER, GITHUB_WORKFLOW, GITHUB_SHA } = env
  if (GITHUB_ACTIONS !== 'true' || !GITHUB_ACTOR) return { who: userName(), commit: undefined }
  return { who: `${GITHUB_ACTOR} (${GITHUB_REPOSITORY ?? 'GitHub'}, run ${GITHUB_RUN_NUMBER ?? '?'} of ${GITHUB_WORKFLOW ?? 'a workflow'})`, commit: GITHUB_SHA || undefined }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // An account without a name, as in some containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
