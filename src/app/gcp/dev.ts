/** `kiln dev` on Google Cloud: the VM is Terraform's, the image in it is Kiln's own. */
import { loadStack } from '../../config/load.ts'
import { acquireLease } from '../../engine/lease.ts'
import type { DevResult } from '../parts.ts'
import { waitHealthy } from '../stack/health.ts'
import type { VerbOptions } from '../up.ts'
import { carryOut } from './carry-out.ts'
import { planGoogle } from './plan.ts'
import { developmentVm } from './scope.ts'
import { openGoogleSession } from './session.ts'

/** The dev VM from the newest image of its family, running and healthy. @throws KilnError as `up` */
export async function dev(options: VerbOptions): Promise<DevResult> {
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'dev')
  try {
    const session = await openGoogleSession(options)
    try {
      const scope = developmentVm(session)
      const planned = await planGoogle(session, scope)
      await options.onPlan?.(planned.plan)
      const { changes, result } = await carryOut(session, scope, planned, options)
      const instance = result.attributes.get(scope.address)
      const { dev: config } = stack.config
      const url = config === undefined ? undefined : await waitHealthy(session.base, config, String(instance?.['externalIp'] ?? ''), options.note)
      return { vm: scope.address.slice('instance/'.length), url, image: instance?.['image'], changes }
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}
