/** The key of an image: a hash over named inputs, so that two keys can be compared and the difference told in words. */
import { sha256Hex } from '../base/ids.ts'
import { canonicalJson } from '../base/json.ts'
import { earlyModules, initScript, kernelCommandLine } from './recipe/disk-layout.ts'
import { baseGuestFiles, baseGuestLinks, machineLeftovers } from './recipe/guest-files.ts'
import { RECIPE_VERSION, basePackages } from './recipe/packages.ts'
import { serverUnit } from './recipe/server-unit.ts'
import type { ImageKey, ImageSpec, KeyChanges, KeyInputs, LockFile, LockedImage, ServerImageSpec } from './types.ts'

const UNRESOLVED = 'not resolved yet'

/** The digest of what is asked of the archive for an image; a lock entry with another one is not used. */
export function requestDigest(spec: ImageSpec): string {
  if (spec.type === 'base') return sha256Hex(canonicalJson({ suite: spec.suite, packages: basePackages(spec.suite, spec.packages) })).slice(0, 32)
  return sha256Hex(canonicalJson({ from: requestDigest(spec.from), packages: [...spec.packages].sort() })).slice(0, 32)
}

/** The lock's entry for an image, if it was made for the same request. */
export function lockedImage(spec: ImageSpec, lock: LockFile | undefined): LockedImage | undefined {
  const entry = lock?.images[spec.name]
  return entry?.request === requestDigest(spec) ? entry : undefined
}

/** True when every Debian package of the image and of what it stands on is pinned. Only then a key says everything. */
export function isResolved(inputs: KeyInputs): boolean {
  return !Object.values(inputs).includes(UNRESOLVED)
}

/**
 * The key of an image. Without lock entries for its Debian packages the key is preliminary (`isResolved` tells); a bake resolves them
 * and gives the final one.
 * Example: `imageKey(spec, await readLock('kiln.lock')).key`
 */
export function imageKey(spec: ImageSpec, lock: LockFile | undefined, recipeVersion: string = RECIPE_VERSION): ImageKey {
  const inputs = keyInputs(spec, lock, recipeVersion)
  return { key: hashInputs(inputs), inputs }
}

/** SHA-256 over the canonical JSON of the inputs, hex. */
export function hashInputs(inputs: KeyInputs): string {
  return sha256Hex(canonicalJson(inputs))
}

function keyInputs(spec: ImageSpec, lock: LockFile | undefined, recipeVersion: string): KeyInputs {
  const entry = lockedImage(spec, lock)
  const debian: Record<string, string> = {}
  for (const item of entry?.debian ?? []) debian[`Debian package ${item.name}`] = `${item.version} ${item.sha256}`
  if (spec.type === 'base') {
    const boot = sha256Hex(canonicalJson([kernelCommandLine, earlyModules, initScript]))
    const system = sha256Hex(canonicalJson([baseGuestFiles(spec.suite), baseGuestLinks(), machineLeftovers]))
    return {
      recipe: recipeVersion,
      boot,
      'system files': system,
      suite: spec.suite,
      packages: basePackages(spec.suite, spec.packages).join(' '),
      ...(entry === undefined ? { 'Debian packages': UNRESOLVED } : debian),
    }
  }
  const inputs: Record<string, string> = {}
  for (const [name, value] of Object.entries(keyInputs(spec.from, lock, recipeVersion))) inputs[`${spec.from.name}: ${name}`] = value
  Object.assign(inputs, spec.packages.length > 0 && entry === undefined ? { 'Debian packages': UNRESOLVED } : debian)
  Object.assign(inputs, contentInputs(spec))
  for (const [name, value] of Object.entries(spec.environment)) inputs[`environment ${name}`] = value
  return {
    ...inputs,
    recipe: recipeVersion,
    name: spec.name,
    packages: [...spec.packages].sort().join(' '),
    user: spec.user,
    entrypoint: spec.entrypoint,
    port: String(spec.port),
    'system unit': sha256Hex(serverUnit(spec)),
  }
}

/** The user's own bytes in an image: wheels and files, whoever makes it. */
export function contentInputs({ wheels, files }: ServerImageSpec): KeyInputs {
  return Object.fromEntries([
    ...wheels.map((wheel) => [`wheel ${wheel.name}`, `${wheel.version} ${wheel.sha256}`]),
    ...files.map((file) => [`file ${file.path}`, `${file.sha256} ${file.mode.toString(8)}`]),
  ])
}

/** Why one key is not the other, one line per input; empty when they are the same. */
export function explainKeyChange(previous: KeyInputs, next: KeyInputs): KeyChanges {
  const lines: string[] = []
  for (const name of [...new Set([...Object.keys(previous), ...Object.keys(next)])].sort()) {
    const before = previous[name]
    const after = next[name]
    if (before === after) continue
    if (before === undefined) lines.push(`${name} added${shown(after)}`)
    else if (after === undefined) lines.push(`${name} removed`)
    else lines.push(change(name, before, after))
  }
  return lines
}

function change(name: string, before: string, after: string): string {
  const [oldHead, newHead] = [head(before), head(after)]
  if (oldHead !== '' && newHead !== '' && oldHead !== newHead) return `${name} ${oldHead} -> ${newHead}`
  return /(^|: )(file|boot|system)\b/.test(name) || isHash(before) ? `${name} changed` : `${name} ${oldHead === newHead ? 'has other bytes' : `${before} -> ${after}`}`
}

/** The readable part of an input's value: its text without hashes. */
function head(value: string): string {
  return value
    .split(' ')
    .filter((part) => !isHash(part))
    .join(' ')
}

function isHash(text: string): boolean {
  return /^[0-9a-f]{64}( |$)/.test(text)
}

function shown(value: string | undefined): string {
  const text = head(value ?? '')
  return text === '' || text.length > 60 ? '' : ` (${text})`
}
