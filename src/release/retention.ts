/** What of old releases may go. The plan is a pure function; applying it only deletes, and may be repeated. */
import type { Fleet, GroupFacts, ImageFacts, KeptDisk, MachineFacts, TemplateFacts } from './fleet.ts'
import { capsuleFolder, currentRelease, previousGood } from './ledger.ts'
import type { LedgerProblem } from './ledger.ts'
import type { Release } from './ledger.schema.ts'
import type { ObjectStore } from './objects.ts'
import { templatePrefix } from './template.ts'

export interface RetentionFacts {
  readonly stack: string
  readonly releases: readonly Release[]
  /** A record that cannot be read may name anything: then nothing goes. */
  readonly problems: readonly LedgerProblem[]
  readonly templates: readonly TemplateFacts[]
  readonly images: readonly ImageFacts[]
  readonly groups: readonly GroupFacts[]
  readonly machines: readonly MachineFacts[]
  readonly disks: readonly KeptDisk[]
  /** Disks go also while their release keeps its capsule. */
  readonly allDisks: boolean
  /** How many releases that once served can still be brought back; at least the current and the previous one are. */
  readonly keep: number
}

export interface RetentionPlan {
  /** Names of templates. */
  readonly templates: readonly string[]
  /** Names of images, each only while it has the id that the ledger knows. */
  readonly images: readonly { readonly name: string; readonly id: string }[]
  /** Numbers of releases whose failure capsule goes. */
  readonly capsules: readonly number[]
  /** Names of disks that were kept of failed releases. */
  readonly disks: readonly string[]
  /** Why nothing goes, if so. */
  readonly blocked?: string
}

/** Keeps whatever the current, the previous, the newest `keep` served releases, an unfinished one, any group or any machine uses, and what is the newest of its family. */
export function planRetention(facts: RetentionFacts): RetentionPlan {
  const torn = facts.problems.filter(({ object }) => /^releases\/\d+\.json$/.test(object))
  if (torn.length > 0)
    return { templates: [], images: [], capsules: [], disks: [], blocked: `${torn.map(({ object }) => object).join(', ')} cannot be read, and may name what is needed` }
  const kept = keptReleases(facts)
  const templates = new Set([
    ...kept.flatMap((release) => [release.template, ...(isUnfinished(release) && release.before !== undefined ? [release.before.template] : [])]),
    ...facts.groups.flatMap((group) => group.versions.map(({ template }) => template)),
    ...facts.machines.flatMap(({ template }) => template ?? []),
  ])
  const prefix = templatePrefix(facts.stack)
  const known = new Set(facts.releases.map(({ template }) => template))
  const goingTemplates = facts.templates.filter(({ name }) => name.startsWith(prefix) && known.has(name) && !templates.has(name))
  const staying = facts.templates.filter((template) => !goingTemplates.includes(template))

  const neededIds = new Set([...kept.map(({ image }) => image.id), ...facts.machines.flatMap(({ imageIds }) => imageIds)])
  const neededLinks = new Set(staying.map(({ image }) => image))
  const knownIds = new Set(facts.releases.map(({ image }) => image.id))
  const goingImages = facts.images.filter(
    (image) => knownIds.has(image.id) && !neededIds.has(image.id) && !neededLinks.has(image.selfLink) && !(image.family !== undefined && image.deprecation === 'ACTIVE'),
  )
  const keptNumbers = new Set(kept.map(({ number }) => number))
  const newestFailures = newest(facts.releases.filter(({ capsule }) => capsule !== undefined)).slice(0, Math.max(1, facts.keep))
  const capsules = facts.releases
    .filter((release) => release.capsule !== undefined && !keptNumbers.has(release.number) && !newestFailures.includes(release))
    .map(({ number }) => number)
  // A disk goes with its capsule, or when nothing is known of its release; never while a machine has it.
  const withCapsule = new Set(facts.releases.flatMap(({ number, capsule }) => (capsule === undefined || capsules.includes(number) ? [] : [number])))
  const disks = facts.disks.filter(({ release, isUsed }) => !isUsed && (facts.allDisks || !withCapsule.has(release)))
  return {
    templates: goingTemplates.map(({ name }) => name),
    images: goingImages.map(({ name, id }) => ({ name, id })),
    capsules,
    disks: disks.map(({ name }) => name),
  }
}

function keptReleases(facts: RetentionFacts): readonly Release[] {
  const unfinished = facts.releases.filter(isUnfinished)
  const served = newest(facts.releases.filter(({ liveAt, state }) => liveAt !== undefined && state !== 'rolled-back')).slice(0, Math.max(2, facts.keep))
  const named = [currentRelease(facts.releases), previousGood(facts.releases)].filter((release) => release !== undefined)
  const wanted = new Set([...unfinished, ...served, ...named])
  // What a rollback brought back is of the release that it was first.
  const origins = facts.releases.filter(({ number }) => [...wanted].some((release) => release.rollbackOf === number))
  return [...wanted, ...origins]
}

/** It may still go back to what was before it. */
function isUnfinished({ state, restore }: Release): boolean {
  return ['pending', 'rolling', 'baking'].includes(state) || (state === 'failed' && (restore === undefined || restore === 'pending'))
}

function newest(releases: readonly Release[]): readonly Release[] {
  return releases.toSorted((left, right) => right.number - left.number)
}

/** Deletes what the plan names: templates before the images in them. Gone is success; what came into use meanwhile stays. `guard` is called before every change. */
export async function applyRetention(fleet: Fleet, store: ObjectStore, plan: RetentionPlan, guard: () => Promise<void>): Promise<RetentionPlan> {
  const templates: string[] = []
  for (const name of plan.templates) {
    await guard()
    if (await fleet.deleteTemplate(name)) templates.push(name)
  }
  const left = new Set(plan.templates.filter((name) => !templates.includes(name)))
  const images: { readonly name: string; readonly id: string }[] = []
  for (const image of plan.images) {
    const there = await fleet.image(image.name)
    const usedBy = await Promise.all([...left].map((name) => fleet.template(name)))
    if (there?.id !== image.id || usedBy.some((template) => template?.image === there.selfLink)) continue
    await guard()
    await fleet.deleteImage(image.name)
    images.push(image)
  }
  for (const number of plan.capsules) {
    for (const object of await store.list(capsuleFolder(number), true)) {
      await guard()
      await store.remove(object)
    }
  }
  for (const name of plan.disks) {
    await guard()
    await fleet.deleteDisk(name)
  }
  return { templates, images, capsules: plan.capsules, disks: plan.disks }
}
