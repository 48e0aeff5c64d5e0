/** The kinds of faults and what each is told by, as schemas: what the owner may set with `kiln cloud fault add` or POST /kiln/faults. */
import { z } from 'zod'
import { invalidArgument } from './api-error.ts'
import { API_STATUSES, statusOfHttpCode } from './api-error.ts'
import type { ApiStatus } from './api-error.ts'

const Glob = z.string().min(1).max(500)

/** A Google status by name (UNAVAILABLE) or by the HTTP code that it has (503). */
const Status = z.union([z.string(), z.number()]).transform((given, context): ApiStatus => {
  const name = String(given).toUpperCase()
  const status = API_STATUSES.find((each) => each === name) ?? statusOfHttpCode(Number(given))
  if (status !== undefined) return status
  context.addIssue({ code: 'custom', message: `${JSON.stringify(given)} is no status of Google's APIs: use one of ${API_STATUSES.join(', ')}, or an HTTP code such as 429 or 503` })
  return z.NEVER
})

/** Which calls: all that are given must match. `*` stands for any text. */
const calls = {
  /** The Google host: `compute.googleapis.com`, `*-python.pkg.dev`. */
  host: Glob.optional(),
  /** The service or the room's name: `storage.googleapis.com`, `storage`. */
  service: Glob.optional(),
  /** Google's method id: `compute.instances.insert`, `storage.objects.*`. */
  method: Glob.optional(),
  /** Project id. */
  project: Glob.optional(),
  /** The caller, as an e-mail or in the form of IAM policies: `owner@kiln.local`, `serviceAccount:*`. */
  principal: Glob.optional(),
}
/** How often: each matching call with this probability, drawn from a row that the seed fixes; at most `count` times. */
const dice = {
  probability: z.number().gt(0).max(1).optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  count: z.number().int().min(1).max(1_000_000_000).optional(),
}
const machines = {
  /** Names of instances. */
  instance: Glob.optional(),
  project: Glob.optional(),
}
const wording = { message: z.string().max(2000).optional(), reason: z.string().max(200).optional() }

const kinds = {
  api: z.strictObject({ kind: z.literal('api'), status: Status, retryAfterSeconds: z.number().int().min(0).max(86_400).optional(), ...wording, ...calls, ...dice }),
  latency: z.strictObject({ kind: z.literal('latency'), ms: z.number().min(0).max(600_000), jitterMs: z.number().min(0).max(600_000).optional(), ...calls, ...dice }),
  operation: z.strictObject({ kind: z.literal('operation'), status: Status.optional(), ...wording, ...calls, ...dice }),
  quota: z.strictObject({ kind: z.literal('quota'), quota: z.string().min(1).max(200), limit: z.number().int().min(0).max(1_000_000_000).optional(), ...calls }),
  rate: z.strictObject({
    kind: z.literal('rate'),
    perMinute: z.number().int().min(1).max(10_000_000),
    retryAfterSeconds: z.number().int().min(0).max(86_400).optional(),
    ...calls,
  }),
  'slow-boot': z.strictObject({ kind: z.literal('slow-boot'), seconds: z.number().gt(0).max(3600), ...machines, ...dice }),
  unhealthy: z.strictObject({ kind: z.literal('unhealthy'), ...machines }),
  'token-expiry': z.strictObject({
    kind: z.literal('token-expiry'),
    /** How long tokens that are issued from now on live. */
    seconds: z.number().int().min(1).max(43_200).optional(),
    /** Answers of the token endpoints go on promising the usual hour. */
    silent: z.boolean().optional(),
    /** Ends the tokens that exist, once. */
    now: z.boolean().optional(),
    principal: Glob.optional(),
  }),
}

export type FaultKind = keyof typeof kinds
type Specs = { readonly [Kind in FaultKind]: z.output<(typeof kinds)[Kind]> }
export type FaultSpec<Kind extends FaultKind = FaultKind> = Specs[Kind]
export const FAULT_KINDS = Object.keys(kinds) as readonly FaultKind[]

/** @throws ApiError 400 that names the kind, the field, and what would do */
export function parseFaultSpec(given: unknown): FaultSpec {
  const kind = typeof given === 'object' && given !== null && 'kind' in given ? String(given.kind) : ''
  if (!Object.hasOwn(kinds, kind)) throw invalidArgument(`There is no fault of kind ${JSON.stringify(kind)}. Kinds: ${FAULT_KINDS.join(', ')}.`)
  const schema = kinds[kind as FaultKind]
  const result = schema.safeParse(given)
  if (!result.success) throw invalidArgument(result.error.issues.map((issue) => explain(kind, Object.keys(schema.shape), issue)).join(' '))
  const spec: FaultSpec = result.data
  if (spec.kind === 'token-expiry' && spec.seconds === undefined && spec.now !== true)
    throw invalidArgument("A fault of kind token-expiry needs 'seconds' (how long new tokens live), 'now' (end those that exist), or both.")
  return spec
}

function explain(kind: string, fields: readonly string[], issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const known = fields.filter((field) => field !== 'kind').join(', ')
    return `A fault of kind ${kind} takes no ${issue.keys.map((key) => `'${key}'`).join(', ')}; it takes: ${known}.`
  }
  const field = issue.path.join('.')
  if (issue.code === 'invalid_type' && issue.input === undefined) return `A fault of kind ${kind} needs '${field}' (a ${issue.expected}).`
  return `'${field}' of a fault of kind ${kind}: ${issue.message}.`
}

/** True when the whole text matches a pattern in which `*` is any text. Letters in either case. */
export function globMatches(glob: string | undefined, ...texts: readonly (string | undefined)[]): boolean {
  if (glob === undefined) return true
  const expression = new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^]*')}$`, 'i')
  return texts.some((text) => text !== undefined && expression.test(text))
}
