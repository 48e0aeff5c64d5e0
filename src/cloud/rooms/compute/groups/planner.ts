/**
 * What a managed group does next to come to its target: a pure decision over what is there now. It is asked again after every change, so it only
 * has to be safe, never complete: no decision takes the group below `targetSize - maxUnavailable` available instances, or above `targetSize + maxSurge`.
 */
import type { UpdateAction, VersionWish } from './policy.ts'

/**
 * `available`: runs, was proven, and is healthy as far as anything tells. `sick`: was proven and is unhealthy now. `unknown`: was proven, and nothing tells yet
 * (a new daemon has not probed). `starting`: never proven since its machine began, or it has none.
 */
export type Availability = 'available' | 'sick' | 'unknown' | 'starting'

export interface InstanceView {
  readonly name: string
  /** Key of the version that it has, or is being made to have. */
  readonly version: string
  readonly availability: Availability
  /** Being deleted: it counts for the total until it is gone. */
  readonly isLeaving: boolean
  /** Being recreated, restarted or refreshed now. */
  readonly isBusy: boolean
  /** What bringing it to this version takes; `blocked`: more than the policy allows. */
  updateTo(version: string): UpdateAction | 'blocked'
}

export interface GroupWish {
  readonly targetSize: number
  readonly versions: readonly VersionWish[]
  readonly isProactive: boolean
  readonly maxSurge: number
  readonly maxUnavailable: number
  readonly method: 'SUBSTITUTE' | 'RECREATE'
}

export type Decision =
  | { readonly kind: 'create'; readonly version: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'update'; readonly name: string; readonly version: string; readonly action: 'RECREATING' | 'RESTARTING' | 'REFRESHING' }

/** Taken away first. */
const worstFirst: readonly Availability[] = ['starting', 'sick', 'unknown', 'available']

function byWorst(left: InstanceView, right: InstanceView): number {
  return worstFirst.indexOf(left.availability) - worstFirst.indexOf(right.availability) || (left.name < right.name ? -1 : 1)
}

/** Which instances already are what their version wants, and which are too many or outdated. */
export function sortOut(
  wish: GroupWish,
  views: readonly InstanceView[],
): { readonly kept: readonly InstanceView[]; readonly surplus: readonly InstanceView[]; readonly missing: readonly string[] } {
  const staying = views.filter((view) => !view.isLeaving)
  const kept: InstanceView[] = []
  const missing: string[] = []
  for (const { key, want } of wish.versions) {
    const own = staying
      .filter((view) => view.version === key)
      .toSorted((left, right) => byWorst(right, left))
      .slice(0, want)
    kept.push(...own)
    missing.push(...Array.from({ length: want - own.length }, () => key))
  }
  const surplus = staying.filter((view) => !kept.includes(view)).toSorted(byWorst)
  return { kept, surplus, missing }
}

/** The next changes; none when the group is as it should be, or must wait. */
export function decide(wish: GroupWish, views: readonly InstanceView[]): readonly Decision[] {
  return wish.isProactive ? decideProactive(wish, views) : decideOpportunistic(wish, views)
}

function decideOpportunistic(wish: GroupWish, views: readonly InstanceView[]): readonly Decision[] {
  const { surplus, missing } = sortOut(wish, views)
  const tooMany = surplus.length - missing.length
  if (tooMany > 0) return surplus.slice(0, tooMany).map(({ name }) => ({ kind: 'remove', name }))
  // Outdated instances stay and hold places; the others are made with the versions that lack most.
  const places = Math.max(0, Math.min(-tooMany, wish.targetSize - views.length))
  return missing.slice(surplus.length, surplus.length + places).map((version) => ({ kind: 'create', version }))
}

function decideProactive(wish: GroupWish, views: readonly InstanceView[]): readonly Decision[] {
  const { kept, surplus, missing } = sortOut(wish, views)
  const budget = openBudget(wish, views, kept, surplus)
  const decisions: Decision[] = []
  const { inPlace, places, substitutes } = matchPlaces(wish, surplus, missing)
  for (const { view, version, action } of inPlace) {
    if (action === 'blocked' || view.isBusy) continue
    if (action === 'REFRESH' || action === 'NONE') decisions.push({ kind: 'update', name: view.name, version, action: 'REFRESHING' })
    else if (budget.take(view)) decisions.push({ kind: 'update', name: view.name, version, action: action === 'RESTART' ? 'RESTARTING' : 'RECREATING' })
  }

  const room = wish.targetSize + (substitutes.length > 0 ? wish.maxSurge : 0) - views.length
  for (const version of places.slice(0, Math.max(0, room))) decisions.push({ kind: 'create', version })

  // Nothing is missing and all that stays was proven: what is too many has no more use.
  const isComplete = missing.length === 0 && kept.every((view) => view.availability === 'available' || view.availability === 'unknown')
  for (const view of substitutes) if (isComplete || budget.take(view)) decisions.push({ kind: 'remove', name: view.name })
  return decisions
}

/** Counts what may still be taken away: `take` says whether this instance may, and then counts it as taken. */
function openBudget(wish: GroupWish, views: readonly InstanceView[], kept: readonly InstanceView[], surplus: readonly InstanceView[]): { take(view: InstanceView): boolean } {
  const floor = wish.targetSize - wish.maxUnavailable
  let available = views.filter((view) => !view.isLeaving && !view.isBusy && view.availability === 'available').length
  // As Google counts it, an instance that was healthy once is available. A current one that fell sick is not counted, so that a bad new version stops the update.
  let proven = [...kept.filter((view) => view.availability !== 'sick'), ...surplus].filter((view) => view.availability !== 'starting' && !view.isBusy).length
  return {
    take(view) {
      if (view.availability === 'starting' || view.isBusy) return true
      const isAvailable = Number(view.availability === 'available')
      if (available - isAvailable < floor && !(view.availability === 'sick' && proven > floor)) return false
      available -= isAvailable
      proven -= 1
      return true
    },
  }
}

interface InPlace {
  readonly view: InstanceView
  readonly version: string
  readonly action: UpdateAction | 'blocked'
}

/**
 * Instances that keep their name hold a place of a version until their turn comes, each the one that takes least; for the other places new instances are made,
 * and the other instances go.
 */
function matchPlaces(
  wish: GroupWish,
  surplus: readonly InstanceView[],
  missing: readonly string[],
): { readonly inPlace: readonly InPlace[]; readonly places: readonly string[]; readonly substitutes: readonly InstanceView[] } {
  const places = [...missing]
  const inPlace: InPlace[] = []
  const left = new Set(surplus)
  for (const action of ['NONE', 'REFRESH', 'RESTART', 'REPLACE', 'blocked'] as const) {
    if (action !== 'blocked' && !isInPlace(wish, action)) continue
    for (const view of left) {
      const index = places.findIndex((version) => view.updateTo(version) === action)
      const version = places[index]
      if (version === undefined) continue
      places.splice(index, 1)
      left.delete(view)
      inPlace.push({ view, version, action })
    }
  }
  return { inPlace, places, substitutes: [...left] }
}

function isInPlace(wish: GroupWish, action: UpdateAction): boolean {
  if (action === 'REFRESH' || action === 'NONE') return true
  if (action === 'RESTART') return wish.maxUnavailable > 0 || wish.maxSurge === 0
  return wish.method === 'RECREATE'
}
