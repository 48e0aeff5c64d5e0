/** What Kiln writes on an image: labels to find it by, and a description that a person and a program can read. */

export interface ImageFacts {
  readonly family: string
  readonly key: string
  /** `sha256:HEX` of the raw disk; empty for an image that Packer made. */
  readonly digest: string
  /** The Python packages in it, each as `NAME VERSION`. */
  readonly packages: readonly string[]
  /** It passed its boot test. */
  readonly tested: boolean
}

/** Label values have at most 63 characters, one less than a SHA-256 in hex: the description has the whole. */
export function imageLabels(family: string, key: string): Record<string, string> {
  return { 'kiln-family': family, 'kiln-key': key.slice(0, 32) }
}

/** `Kiln image of family F; key HEX; disk sha256:HEX; packages moshi-server 0.1.0; boot test passed`; of Packer's: `… key HEX; made by Packer; …`. */
export function describeImage(facts: ImageFacts): string {
  const packages = facts.packages.length === 0 ? '' : ` packages ${facts.packages.join(', ')};`
  const origin = facts.digest === '' ? 'made by Packer' : `disk ${facts.digest}`
  return `Kiln image of family ${facts.family}; key ${facts.key}; ${origin};${packages} boot test ${facts.tested ? 'passed' : 'not yet passed'}`
}

/** Reads a description back; empty fields for images that Kiln did not make. */
export function readImageFacts(image: { readonly description?: string | null }): ImageFacts {
  const text = image.description ?? ''
  return {
    family: /family ([a-z0-9-]+);/.exec(text)?.[1] ?? '',
    key: /key ([0-9a-f]{64});/.exec(text)?.[1] ?? '',
    digest: /disk (sha256:[0-9a-f]{64});/.exec(text)?.[1] ?? '',
    packages: /packages ([^;]+);/.exec(text)?.[1]?.split(', ') ?? [],
    tested: text.endsWith('boot test passed'),
  }
}
