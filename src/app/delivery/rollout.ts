/** The deployer as the engine's kind `release` needs it: opened when something is to be rolled out, with progress as notes of that resource. */
import type { Clients } from '../../client/clients.ts'
import type { LoadedStack } from '../../config/load.ts'
import type { KilnHome } from '../../host/home.ts'
import type { DeployResult } from '../../release/deploy.ts'
import type { Releases } from '../../release/releases.ts'
import type { RolloutParts } from '../kinds/release.ts'
import { callerOf } from './caller.ts'
import { coldMetadata, openReleases, pruneAfter, requireServing, strategyOf } from './context.ts'
import type { RolloutRequest } from './context.ts'

export interface SessionRollout extends RolloutParts {
  /** What was rolled out or mended in this session. */
  last(): DeployResult | undefined
  /** @throws KilnError E_NOT_FOUND when the config has no section `server` */
  releases(): Releases
}

interface RolloutOptions {
  readonly home: KilnHome
  readonly stack: LoadedStack
  readonly clients: Clients
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  readonly request: RolloutRequest
  readonly isRemote: boolean
}

export function createRollout({ home, stack, clients, signal, note, request, isRemote }: RolloutOptions): SessionRollout {
  let last: DeployResult | undefined
  const open = (tell: (text: string) => void): Releases => openReleases({ home, clients, serving: requireServing(stack.config), signal, note: tell, isRemote }, request)
  return {
    isForced: request.force === true,
    last: () => last,
    releases: () => open(note),
    async deploy({ progress }, props) {
      const serving = requireServing(stack.config)
      const releases = open(progress.note)
      const metadata = request.cold === true ? coldMetadata(props.shape.metadata) : props.shape.metadata
      last = await releases.deploy({
        image: props.image,
        shape: { ...props.shape, metadata },
        strategy: strategyOf(serving, request),
        who: request.who,
        why: request.why,
        ...(props.package === undefined ? {} : { package: props.package }),
        ...(request.commit === undefined ? {} : { commit: request.commit }),
        ...(request.force === undefined ? {} : { force: request.force }),
      })
      if (last.outcome === 'live') await pruneAfter(releases, { serving, note: progress.note }, request.who)
      return last
    },
    async mend({ progress }) {
      last = await open(progress.note).mend(request.who)
      return last
    },
  }
}

/** For verbs whose release has nobody else to speak for it. */
export function defaultRequest(why = 'kiln up'): RolloutRequest {
  return { ...callerOf(process.env), why }
}
