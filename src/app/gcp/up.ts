/** `kiln up`, `plan` and `status` on Google Cloud. */
import { acquireLease } from '../../engine/lease.ts'
import type { Plan } from '../../engine/types.ts'
import { loadStack } from '../../config/load.ts'
import { statusOf } from '../status.ts'
import type { StatusResult } from '../status.ts'
import { finishUp } from '../up.ts'
import type { UpResult, VerbOptions } from '../up.ts'
import { carryOut } from './carry-out.ts'
import { repositorySettings, setUpRepository } from './github.ts'
import { planGoogle } from './plan.ts'
import { wholeStack } from './scope.ts'
import { openGoogleSession } from './session.ts'

/**
 * Brings the stack to what its config says, on Google Cloud. Safe to repeat; goes on where it stopped.
 * @throws KilnError E_PREFLIGHT before anything is changed; E_LOCKED, E_STATE_LOCKED; E_PLAN_STALE; E_APPLY; E_NOT_HEALTHY; of config and package
 */
export async function up(options: VerbOptions): Promise<UpResult> {
  const startedAt = performance.now()
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'up')
  try {
    const session = await openGoogleSession(options)
    try {
      const scope = await wholeStack(session)
      const planned = await planGoogle(session, scope)
      await options.onPlan?.(planned.plan)
      const { changes, result } = await carryOut(session, scope, planned, options)
      const settings = repositorySettings(stack.config, result.attributes, process.env)
      if (settings !== undefined) await setUpRepository(settings, process.env, options.note)
      return await finishUp(session.base, { ...result, changes }, startedAt, options)
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

/** What `up` would do. Writes the files of `ops/`, changes nothing on Google. */
export async function plan(options: VerbOptions): Promise<Plan> {
  const session = await openGoogleSession(options)
  try {
    return (await planGoogle(session, await wholeStack(session))).plan
  } finally {
    session.close()
  }
}

/** What is there, compared with the config. */
export async function status(options: VerbOptions): Promise<StatusResult> {
  const session = await openGoogleSession(options)
  try {
    const planned = await planGoogle(session, await wholeStack(session))
    return await statusOf(session.base, planned.plan.nodes, planned.direct.observed, options)
  } finally {
    session.close()
  }
}
