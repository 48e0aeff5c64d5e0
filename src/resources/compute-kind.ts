/**
 * What kinds of Compute Engine have in common: every change is an operation to wait for, "already exists" is a race, gone is deleted,
 * and an old fingerprint means to look again. A kind says which calls it makes and what differs.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { z } from 'zod'
import { KilnError } from '../base/errors.ts'
import type { Clients } from '../client/clients.ts'
import { call, isAbsent, isConflict, isGone, isPreconditionFailed } from '../client/errors.ts'
import { waitForCompute } from '../client/operations.ts'
import type { Difference, KindContext, ResourceKind } from '../engine/types.ts'
import { parseProps, part } from './resource.ts'
import type { Resource } from './resource.ts'

type Identity = Readonly<Record<string, string>>
type Compute = compute_v1.Compute

/** An operation that a call has started. */
export type Started = Promise<{ readonly data: compute_v1.Schema$Operation }>

/** What a call of Google's client takes as its second argument. */
export interface CallOptions {
  readonly signal: AbortSignal
}

/** What a step of a change works with. */
export interface ChangeTools {
  readonly compute: Compute
  readonly options: CallOptions
  /** Waits for one call's operation. `what` is a verb with its object: "set the labels". */
  readonly finish: (what: string, started: Started) => Promise<void>
}

export interface ComputeKindParts<Props extends { readonly projectId: string; readonly name: string }, Attributes extends Readonly<Record<string, unknown>>> {
  readonly resource: Resource<Props>
  readonly schema: z.ZodType<Props>
  /** For messages: `health check`. */
  readonly noun: string
  /** One or a few reads. @throws ApiError 404 when it is not there */
  read(compute: Compute, identity: Identity, options: CallOptions): Promise<Attributes>
  /** Pure. */
  diff(props: Props, observed: Attributes): readonly Difference[]
  insert(compute: Compute, props: Props, options: CallOptions): Started
  /** Sends what differs. Left out: every difference forces a replacement. @throws ApiError 412 when a fingerprint is old */
  change?(tools: ChangeTools, props: Props, observed: Attributes, differences: readonly Difference[]): Promise<void>
  remove(compute: Compute, identity: Identity, options: CallOptions): Started
  /** How long a deletion may take, in milliseconds. Default: that of all operations. */
  readonly removeTimeoutMs?: number
  readonly createBeforeDelete?: boolean
}

/** How often a change is tried when others change the same thing at the same time. */
const mostTries = 4

/** A kind from its calls. */
export function computeKind<Props extends { readonly projectId: string; readonly name: string }, Attributes extends Readonly<Record<string, unknown>>>(
  parts: ComputeKindParts<Props, Attributes>,
): ResourceKind<Props, Attributes, Clients> {
  const { resource, noun } = parts

  async function read(context: KindContext<Clients>, identity: Identity): Promise<Attributes> {
    return await parts.read(await context.clients.compute(), identity, { signal: context.signal })
  }

  async function update(context: KindContext<Clients>, props: Props, observed: Attributes, differences: readonly Difference[]): Promise<Attributes> {
    if (parts.change === undefined) throw new KilnError('E_PLAN', `the ${noun} ${props.name} cannot be changed in place`)
    const identity = resource.identity(props)
    const tools: ChangeTools = {
      compute: await context.clients.compute(),
      options: { signal: context.signal },
      async finish(what, started) {
        context.progress.note(what)
        await waitForCompute(context.clients, props.projectId, await call(started), { what: `${what} of the ${noun} ${props.name}`, signal: context.signal })
      },
    }
    let live = observed
    let changes = differences
    for (let count = 1; ; count += 1) {
      try {
        await parts.change(tools, props, live, changes)
        return await read(context, identity)
      } catch (error) {
        // somebody was faster: look again, and send only what differs from what they did
        if (!isPreconditionFailed(error) || count >= mostTries) throw error
        live = await read(context, identity)
        changes = parts.diff(props, live)
        if (changes.length === 0) return live
      }
    }
  }

  return {
    kind: resource.kind,
    identity: resource.identity,
    parse: (props) => parseProps(resource.kind, parts.schema, props),
    ...(parts.createBeforeDelete === undefined ? {} : { createBeforeDelete: parts.createBeforeDelete }),

    async observe(context, identity) {
      try {
        return await read(context, identity)
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
    },

    diff: (props, observed) => parts.diff(props, observed),

    async create(context, props) {
      const options = { signal: context.signal }
      try {
        const started = await call(parts.insert(await context.clients.compute(), props, options))
        await waitForCompute(context.clients, props.projectId, started, { what: `create the ${noun} ${props.name}`, ...options })
      } catch (error) {
        if (!isConflict(error)) throw error
      }
      // what an insert does not take over (labels), and what somebody else's thing of this name has otherwise
      const observed = await read(context, resource.identity(props))
      const differences = parts.diff(props, observed)
      if (differences.length === 0) return observed
      const fixed = differences.filter((difference) => difference.forcesReplacement === true).map((difference) => difference.path)
      if (fixed.length === 0) return await update(context, props, observed, differences)
      throw new KilnError('E_PLAN', `somebody made a ${noun} ${props.name} at the same time, and it differs in what cannot be changed: ${fixed.join(', ')}`, {
        hint: 'run the same command again to see what it would change',
      })
    },

    update,

    async remove(context, identity) {
      const options = { signal: context.signal }
      const what = `delete the ${noun} ${part(identity, 'name')}`
      const timeout = parts.removeTimeoutMs === undefined ? {} : { timeoutMs: parts.removeTimeoutMs }
      try {
        const started = await call(parts.remove(await context.clients.compute(), identity, options))
        await waitForCompute(context.clients, part(identity, 'projectId'), started, { what, ...options, ...timeout })
      } catch (error) {
        if (!isGone(error)) throw error
      }
    },
  }
}

/** The arguments that name a global thing in a call. */
export function projectOf(identity: Identity): { readonly project: string } {
  return { project: part(identity, 'projectId') }
}
