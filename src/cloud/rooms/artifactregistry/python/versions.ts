/** Versions of Python packages. https://packaging.python.org/en/latest/specifications/version-specifiers/ (PEP 440) */

const pattern =
  /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?<preNumber>\d*))?(?<post>-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?(?<dev>dev[-_.]?\d*))?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i

const preNames: Readonly<Record<string, string>> = { alpha: 'a', a: 'a', beta: 'b', b: 'b', c: 'rc', rc: 'rc', pre: 'rc', preview: 'rc' }

/** The normal form: `v1.0-Alpha.2` -> `1.0a2`. Undefined for what is no version. */
export function normalizeVersion(text: string): string | undefined {
  const trimmed = text.trim()
  const groups = trimmed.length > 256 ? undefined : pattern.exec(trimmed)?.groups
  if (groups === undefined) return undefined
  const release = (groups['release'] ?? '').split('.').map(plainNumber).join('.')
  const epoch = plainNumber(groups['epoch'] ?? '0')
  const pre = groups['pre'] === undefined ? '' : `${preNames[groups['pre'].toLowerCase()]}${plainNumber(groups['preNumber'] ?? '')}`
  const post = groups['post'] === undefined ? '' : `.post${plainNumber(groups['post'].replace(/\D/g, ''))}`
  const dev = groups['dev'] === undefined ? '' : `.dev${plainNumber(groups['dev'].replace(/\D/g, ''))}`
  const local =
    groups['local'] === undefined
      ? ''
      : `+${groups['local']
          .toLowerCase()
          .split(/[-_.]/)
          .map((part) => (/^\d+$/.test(part) ? plainNumber(part) : part))
          .join('.')}`
  return `${epoch === '0' ? '' : `${epoch}!`}${release}${pre}${post}${dev}${local}`
}

/** True when both are versions and PEP 440 calls them equal: `1.0` and `1.0.0`. */
export function sameVersion(left: string, right: string): boolean {
  const a = normalizeVersion(left)
  const b = normalizeVersion(right)
  return a !== undefined && b !== undefined && withoutTrailingZeros(a) === withoutTrailingZeros(b)
}

function withoutTrailingZeros(normal: string): string {
  return normal.replace(/^((?:\d+!)?\d+(?:\.\d+)*?)(?:\.0)+(?![.\d]*\d)/, '$1')
}

function plainNumber(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '') || '0'
}
