/**
 * The engine's vocabulary. The engine knows resources only through `ResourceKind`; kinds live in `src/resources/<kind>` and,
 * where they need the baker or the package builder, in `src/app/kinds`.
 *
 * Doctrine: the live cloud is the truth. A kind observes the live thing, makes sure that it exists, and changes what differs.
 * Every method may be repeated at any point: creating what exists is a race to resolve, deleting what is gone is success.
 */
import type { Progress } from '../base/progress.ts'

/** `KIND/NAME`, unique in a stack, for example `storage.bucket/moshi-storage`. */
export type Address = `${string}/${string}`

/** Stands in props for an attribute of another resource; the engine puts the real value in before it calls the kind. */
export interface Ref {
  readonly $ref: Address
  readonly attribute: string
}

export interface DesiredResource {
  readonly address: Address
  readonly kind: string
  /** What the kind's schema describes, with `Ref`s where a value comes from another resource. */
  readonly props: Readonly<Record<string, unknown>>
  /** Must be there before this one, beside those that `props` refer to. */
  readonly dependsOn: readonly Address[]
}

/** One difference between what is and what should be. `path` is a key path such as `labels.env`. */
export interface Difference {
  readonly path: string
  readonly from: unknown
  readonly to: unknown
  /** This difference cannot be changed in place. */
  readonly forcesReplacement?: boolean
}

export interface KindContext<Clients> {
  readonly clients: Clients
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * How one kind of resource lives. `Props` has only plain values by the time a method sees it (refs are resolved);
 * `Attributes` is what others may refer to, and must be JSON.
 */
export interface ResourceKind<Props, Attributes extends Readonly<Record<string, unknown>>, Clients> {
  readonly kind: string
  /** Checks and completes props. @throws KilnError E_PLAN that names the key path. */
  parse(props: unknown): Props
  /**
   * Props that alone say which live thing this is (project, name, location …). Kept in the inventory for deletion,
   * compared to find out that the identity itself changed (which means replace).
   */
  identity(props: Props): Readonly<Record<string, string>>
  /** The live thing's attributes, or undefined when it is not there. One or a few reads, no writes. */
  observe(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): Promise<Attributes | undefined>
  /** What differs; empty when nothing has to be done. Pure. */
  diff(props: Props, observed: Attributes): readonly Difference[]
  /** Makes it, and returns fresh attributes. "Already exists" is not an error. */
  create(context: KindContext<Clients>, props: Props): Promise<Attributes>
  /** Changes in place what `differences` name, against what was observed. */
  update(context: KindContext<Clients>, props: Props, observed: Attributes, differences: readonly Difference[]): Promise<Attributes>
  /** Deletes it; gone is success. */
  remove(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): Promise<void>
  /**
   * Optional: a kind whose "observe" cannot see everything before others are applied (a baked image: its key depends on files here).
   * Replaces are done create-first when true (a new image beside the old one), else delete-first.
   */
  readonly createBeforeDelete?: boolean
  /** Optional: kinds that the user would not want deleted by `destroy` (a project). They are only forgotten. */
  readonly keepOnDestroy?: boolean
  /** Optional: a plan never deletes a thing of this kind to make it anew; the reason, which completes "…, and ". Only `remove` deletes it. */
  readonly neverReplaced?: string
}

// oxlint-disable-next-line typescript/no-explicit-any -- kinds of different shapes live in one list; the engine only passes their own values back to them
export type AnyKind<Clients> = ResourceKind<any, any, Clients>

export type Action = 'create' | 'update' | 'replace' | 'delete' | 'noop' | 'forget'

/** One node of a plan: plain data that renderer and executor both read. */
export interface PlanNode {
  readonly address: Address
  readonly kind: string
  readonly action: Action
  /** Why, one line each: "does not exist", "labels.env: dev -> prod", "no longer in the config", "image changes (known after apply)". */
  readonly reasons: readonly string[]
  readonly differences: readonly Difference[]
  /** The live thing was changed behind our back since the last apply. */
  readonly drifted: boolean
  /** Addresses that must be done before this one. */
  readonly after: readonly Address[]
}

export interface Plan {
  readonly stack: string
  readonly nodes: readonly PlanNode[]
}

/** What happens during plan and apply, for whoever renders it. */
export type EngineEvent =
  | { readonly type: 'start'; readonly address: Address; readonly action: Action }
  | { readonly type: 'note'; readonly address: Address; readonly text: string }
  | { readonly type: 'done'; readonly address: Address; readonly action: Action; readonly durationMs: number }
  | { readonly type: 'failed'; readonly address: Address; readonly action: Action; readonly error: unknown }
  | { readonly type: 'skipped'; readonly address: Address; readonly because: Address }
