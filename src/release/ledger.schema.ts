/** What the ledger keeps of a release. It is read by later Kilns: fields are only added, and `format` grows when an older Kiln must not write. */
import { z } from 'zod'

/** Records of a newer format are reported, never rewritten. */
export const ledgerFormat = 1

/**
 * `pending`: has its number, nothing was changed yet. `rolling`: instances are being made. `baking`: all are there and are watched. `live`: serves.
 * `failed`: a gate failed (`restore` says what became of the group). `rolled-back`: gave way to an older release. `superseded`: gave way to a newer one.
 */
export const ReleaseState = z.enum(['pending', 'rolling', 'baking', 'live', 'failed', 'rolled-back', 'superseded'])
export type ReleaseState = z.infer<typeof ReleaseState>

/** An image, pinned: a name may be given to another image later, an id never is. */
export const PinnedImage = z.object({ name: z.string().min(1), selfLink: z.string().min(1), id: z.string().min(1), digest: z.string().optional() })
export type PinnedImage = z.infer<typeof PinnedImage>

/** What the machines of a release are like, beside their image. */
export const Shape = z.object({
  machineType: z.string(),
  /** A path or link of the network. */
  network: z.string(),
  /** Whether the machines get an address that the internet reaches. */
  externalAddress: z.boolean(),
  tags: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
  metadata: z.record(z.string(), z.string()),
  serviceAccount: z.string().optional(),
  scopes: z.array(z.string()),
  diskSizeGb: z.number().int().positive().optional(),
})
export type Shape = z.infer<typeof Shape>

export const Strategy = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('rolling') }),
  z.object({ kind: z.literal('canary'), count: z.number().int().positive().optional(), percent: z.number().int().min(1).max(99).optional(), bakeMs: z.number().min(0) }),
  z.object({ kind: z.literal('blue-green') }),
])
export type Strategy = z.infer<typeof Strategy>

export const GateName = z.enum(['start', 'canary', 'canary-bake', 'converge', 'switch', 'bake', 'restore'])
export type GateName = z.infer<typeof GateName>

/** One gate that was passed or not. */
export const Gate = z.object({
  gate: GateName,
  passed: z.boolean(),
  at: z.string(),
  durationMs: z.number(),
  /** What was seen: counts when it passed, the reason when it did not. */
  seen: z.string(),
  counts: z.record(z.string(), z.number()).optional(),
})
export type Gate = z.infer<typeof Gate>

/** Where the group goes back to when the release fails. */
export const Before = z.object({ template: z.string(), group: z.string(), number: z.number().int().optional() })
export type Before = z.infer<typeof Before>

export const Release = z.object({
  format: z.number().int().min(1),
  number: z.number().int().positive(),
  /** Tells the attempt that took this number from all others. */
  attempt: z.string(),
  stack: z.string(),
  state: ReleaseState,
  commit: z.string().optional(),
  package: z.object({ name: z.string(), version: z.string(), wheelSha256: z.string().optional() }).optional(),
  image: PinnedImage,
  /** Of shape and image: the same digest means that nothing would change. */
  configDigest: z.string(),
  shape: Shape,
  /** Name of the instance template. */
  template: z.string(),
  /** Name of the managed instance group that serves it. */
  group: z.string(),
  strategy: Strategy,
  who: z.string(),
  why: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** When it first passed all gates. */
  liveAt: z.string().optional(),
  endedAt: z.string().optional(),
  evidence: z.array(Gate),
  failure: z.object({ gate: GateName, reason: z.string(), at: z.string() }).optional(),
  before: Before.optional(),
  restore: z.enum(['pending', 'done', 'failed', 'impossible', 'dropped']).optional(),
  /** `gs://` links of the failure capsule. */
  capsule: z.array(z.string()).optional(),
  /** Link of the disk of one of its sick instances that was kept. */
  disk: z.string().optional(),
  /** The release whose image and configuration this one brings back. */
  rollbackOf: z.number().int().optional(),
  /** The release that serves in its place. */
  replacedBy: z.number().int().optional(),
})
export type Release = z.infer<typeof Release>
