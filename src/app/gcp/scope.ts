/** What a run on Google Cloud is about: the whole stack, or the development VM alone. */
import { devAddresses } from '../../compile/compile.ts'
import { KilnError } from '../../base/errors.ts'
import { silentProgress } from '../../base/progress.ts'
import type { Address, DesiredResource } from '../../engine/types.ts'
import { instanceKind } from '../../resources/instance/provider.ts'
import type { PlanOptions } from '../../terraform/driver.ts'
import { closureOf } from '../stack/part.ts'
import type { GoogleSession } from './session.ts'

export interface Scope {
  readonly desired: readonly DesiredResource[]
  /** Terraform's modules, as `-target` takes them; undefined: everything. */
  readonly targets: readonly string[] | undefined
  /** Whether the development VM is there, where a group serves and the files ask; its image: undefined is the newest of its family. */
  readonly dev: { readonly isThere: boolean; readonly image: string | undefined }
}

/** As Terraform's driver takes them. */
export function targetsOf({ targets }: Scope): PlanOptions {
  return targets === undefined ? {} : { targets }
}

/**
 * The whole stack. Where a group serves, the development VM is `kiln dev`'s, as on the pocket cloud: one that is there stays, with the image that it has.
 */
export async function wholeStack({ base, clients, findings }: GoogleSession): Promise<Scope> {
  const { dev } = base.stack.config
  if (base.serving === undefined || dev === undefined) return { desired: base.desired, targets: undefined, dev: { isThere: dev !== undefined, image: undefined } }
  const ofDev = devAddresses(dev)
  const identity = { projectId: base.name, zone: base.stack.config.location.zone, name: dev.name }
  // what cannot be read must not be taken for absent: then the VM would go
  const hasProject = findings.some(({ check, state }) => check === 'project' && state === 'ok')
  const live = hasProject ? await instanceKind.observe({ clients, signal: base.engine.signal, progress: silentProgress }, identity) : undefined
  return {
    desired: base.desired.filter((resource) => !ofDev.includes(resource.address)),
    targets: undefined,
    dev: { isThere: live !== undefined, image: live?.image },
  }
}

/** The development VM and what it stands on. @throws KilnError E_NOT_FOUND when the config has none */
export function developmentVm({ base }: GoogleSession): Scope & { readonly address: Address } {
  const { dev } = base.stack.config
  if (dev === undefined) throw new KilnError('E_NOT_FOUND', 'the config has no dev VM', { hint: 'add a `dev` section to kiln.config.ts' })
  const address: Address = `instance/${dev.name}`
  return { desired: closureOf(base.desired, [address]), targets: ['module.dev'], dev: { isThere: true, image: undefined }, address }
}
