/** `kiln publish`, `kiln bake`, `kiln dev`: one part of the stack and what it stands on. */
import { KilnError } from '../base/errors.ts'
import { applyPlan } from '../engine/apply.ts'
import { acquireLease } from '../engine/lease.ts'
import type { Address, DesiredResource } from '../engine/types.ts'
import { loadStack } from '../config/load.ts'
import type { VerbOptions } from './up.ts'
import { vmName } from './stack/dev-vm.ts'
import { waitHealthy } from './stack/health.ts'
import { planPart } from './stack/part.ts'
import { openSession } from './stack/session.ts'
import type { StackSession } from './stack/session.ts'

type Attributes = Readonly<Record<string, unknown>>

interface PartResult {
  readonly session: StackSession
  readonly attributes: Attributes
  readonly changes: number
  /** The part itself was already as it should be. */
  readonly unchanged: boolean
  readonly reasons: readonly string[]
}

/** Plans and applies one part with what it stands on, under the lease, and gives the session to `use` before it closes. */
async function withPart<T>(options: VerbOptions, verb: string, addressOf: (session: StackSession) => Address, use: (result: PartResult) => Promise<T>): Promise<T> {
  const { config } = await loadStack(options.dir)
  const lease = await acquireLease(options.home, config.project.id, verb)
  try {
    const session = await openSession(options)
    try {
      const address = addressOf(session)
      const planned = await planPart(session, [address], (each) => (options.cold === true && each.address === address ? bootsCold(each) : each))
      await options.onPlan?.(planned.plan)
      const result = await applyPlan(session.engine, planned)
      const node = planned.plan.nodes.find((each) => each.address === address)
      return await use({ session, attributes: result.attributes.get(address) ?? {}, changes: result.changes, unchanged: node?.action === 'noop', reasons: node?.reasons ?? [] })
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

/** Builds the wheel and publishes it. @throws KilnError E_PACKAGE_*, E_NOT_FOUND when no image has Python packages */
export async function publish(options: VerbOptions): Promise<Record<string, unknown>> {
  return withPart(
    options,
    'publish',
    (session) => {
      if (session.packageName !== undefined) return `python-package/${session.packageName}`
      throw new KilnError('E_NOT_FOUND', 'no image of the config has Python packages, so there is nothing to publish', { hint: 'name the package in `python` of an image' })
    },
    async ({ attributes, changes, unchanged }) => ({
      package: attributes['name'],
      version: attributes['version'],
      file: attributes['fileName'],
      sha256: attributes['sha256'],
      indexUrl: attributes['indexUrl'],
      published: !unchanged,
      changes,
    }),
  )
}

export interface BakeVerbOptions extends VerbOptions {
  /** Default: every image of the config, bases first. */
  readonly image: string | undefined
}

/** Bakes, imports, tests and promotes images. @throws KilnError E_BAKE, E_LOCK_STALE, E_BOOT_TEST … */
export async function bake(options: BakeVerbOptions): Promise<Record<string, unknown>> {
  const { config } = await loadStack(options.dir)
  const families = options.image === undefined ? Object.keys(config.images) : [options.image]
  const images: Record<string, unknown>[] = []
  // The first one forgets all pins; what it resolves, the others stand on.
  for (const [index, family] of families.entries()) images.push(await bakeOne(index === 0 ? options : { ...options, updateLock: false }, family))
  return families.length === 1 ? { ...images[0] } : { images }
}

async function bakeOne(options: BakeVerbOptions, family: string): Promise<Record<string, unknown>> {
  return withPart(
    options,
    'bake',
    (session) => {
      if (session.specs.families.includes(family)) {
        if (options.noCache === true) requireBaked(session, family)
        return `image/${family}`
      }
      throw new KilnError('E_NOT_FOUND', `there is no image ${family} in the config`, { hint: `it has: ${session.specs.families.join(', ')}` })
    },
    async (part) => {
      const result = {
        family,
        image: part.attributes['name'],
        key: part.attributes['key'],
        digest: part.attributes['digest'],
        selfLink: part.attributes['selfLink'],
        cached: part.unchanged,
        changes: part.reasons,
      }
      if (options.noCache !== true || !part.unchanged) return result
      return { ...result, cached: false, ...(await bakeAgain(options, part.session, family, String(part.attributes['digest']))) }
    },
  )
}

/** Baking anew is for images with layers and bytes of this machine. @throws KilnError E_USAGE for one that Packer makes */
export function requireBaked({ target, stack }: Pick<StackSession, 'target'> & { readonly stack: Pick<StackSession['stack'], 'config'> }, family: string): void {
  if (target !== 'gcp' || stack.config.images[family]?.engine !== 'packer') return
  throw new KilnError('E_USAGE', `Packer makes ${family} on Google Cloud: there are no layers to make anew, and no bytes to compare`, {
    hint: 'without --no-cache it is made again when the config, a file or a wheel has changed',
  })
}

/** The image is there already: bake it once more from nothing, and compare. */
async function bakeAgain(options: VerbOptions, session: StackSession, family: string, digest: string): Promise<Record<string, unknown>> {
  const again = await session.rebake(family, { note: options.note })
  if (again.digest !== digest) {
    throw new KilnError('E_BAKE', `baking ${family} again from the same inputs gave other bytes: ${again.digest} instead of ${digest}`, {
      hint: 'please report it with the manifest.json beside the disk; the image of the family was left as it is',
    })
  }
  return { reproduced: true, durations: again.durations }
}

/** The pocket cloud reads this when it makes the VM; Google does not know it. */
export function bootsCold(instance: DesiredResource): DesiredResource {
  const metadata = instance.props['metadata'] as Readonly<Record<string, unknown>> | undefined
  return { ...instance, props: { ...instance.props, metadata: { ...metadata, 'kiln-warm-start': 'never' } } }
}

export interface DevResult extends Record<string, unknown> {
  readonly vm: string
  readonly url: string | undefined
  readonly image: unknown
  readonly changes: number
}

/** The dev VM from the newest image of its family, running and healthy. */
export async function dev(options: VerbOptions): Promise<DevResult> {
  return withPart(
    options,
    'dev',
    (session) => `instance/${vmName(undefined, session.stack.config)}`,
    async ({ session, attributes, changes }) => {
      const { dev: config } = session.stack.config
      const url = config === undefined ? undefined : await waitHealthy(session, config, String(attributes['externalIp'] ?? ''), options.note)
      return { vm: vmName(undefined, session.stack.config), url, image: attributes['image'], changes }
    },
  )
}
