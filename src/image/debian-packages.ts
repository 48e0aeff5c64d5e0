/** Debian packages as facts: what a root has installed, what the archive's signed index says of it, and pins for apt. */
import { KilnError } from '../base/errors.ts'
import type { LockedDebianPackage } from './types.ts'

/** `dpkg-query -W -f` format that `parseInstalled` reads. */
export const installedFormat = '${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n'

export interface InstalledPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
}

/** Installed packages, sorted by name. */
export function parseInstalled(text: string): InstalledPackage[] {
  const packages: InstalledPackage[] = []
  for (const line of text.split('\n')) {
    const [name, version, architecture, status] = line.split('\t')
    if (name !== undefined && version !== undefined && architecture !== undefined && status === 'installed') packages.push({ name, version, architecture })
  }
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Joins what is installed with `apt-cache show` output (paragraphs of the signed index), which gives each package its SHA-256.
 * @throws KilnError E_BAKE for a package that the index does not have.
 */
export function withHashes(installed: readonly InstalledPackage[], index: string): LockedDebianPackage[] {
  const hashes = new Map<string, string>()
  for (const paragraph of index.split('\n\n')) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(paragraph)?.[1]
    const sha256 = field('SHA256')
    if (sha256 !== undefined) hashes.set(`${field('Package')} ${field('Version')}`, sha256)
  }
  return installed.map((item) => {
    const sha256 = hashes.get(`${item.name} ${item.version}`)
    if (sha256 === undefined) throw new KilnError('E_BAKE', `the archive's index has no package ${item.name} ${item.version}`)
    return { ...item, sha256 }
  })
}

/** apt preferences that allow exactly the locked versions. */
export function pinPreferences(locked: readonly LockedDebianPackage[]): string {
  return locked.map(({ name, version }) => `Package: ${name}\nPin: version ${version}\nPin-Priority: 1001\n`).join('\n')
}

/** Differences between what the lock says and what a root got, as lines; empty when there are none. */
export function lockDifferences(locked: readonly LockedDebianPackage[], actual: readonly LockedDebianPackage[]): string[] {
  const wanted = new Map(locked.map((item) => [item.name, item]))
  const lines: string[] = []
  for (const item of actual) {
    const pin = wanted.get(item.name)
    wanted.delete(item.name)
    if (pin === undefined) lines.push(`${item.name} ${item.version} is not in the lock`)
    else if (pin.version !== item.version) lines.push(`${item.name} ${pin.version} (the archive has ${item.version})`)
    else if (pin.sha256 !== item.sha256) lines.push(`${item.name} ${item.version} has other bytes than the lock says`)
  }
  for (const item of wanted.values()) lines.push(`${item.name} ${item.version} was not installed`)
  return lines
}

/** The error for a lock that the archive no longer serves. */
export function staleLock(image: string, differences: readonly string[]): KilnError {
  return new KilnError(
    'E_LOCK_STALE',
    `kiln.lock pins versions for image ${image} that cannot be had any more: ${differences.slice(0, 5).join(', ')}${differences.length > 5 ? ` and ${differences.length - 5} more` : ''}`,
    {
      hint: 'run `kiln bake --update-lock` to pin what the archive has now',
      detail: differences.join('\n'),
    },
  )
}
