/** The few fields of core metadata that the index needs. Unknown fields and newer versions pass. https://packaging.python.org/en/latest/specifications/core-metadata/ */

export interface CoreMetadata {
  readonly name: string | undefined
  readonly version: string | undefined
  readonly requiresPython: string | undefined
  readonly summary: string | undefined
}

/** Reads the header block of a METADATA file (e-mail headers, UTF-8). The first of a repeated field counts. */
export function parseMetadata(bytes: Uint8Array): CoreMetadata {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
  const head = text.split(/\r?\n\r?\n/, 1)[0] ?? ''
  const fields = new Map<string, string>()
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const key = line.slice(0, colon).toLowerCase()
    if (colon > 0 && !fields.has(key)) fields.set(key, line.slice(colon + 1).trim())
  }
  return { name: fields.get('name'), version: fields.get('version'), requiresPython: fields.get('requires-python') || undefined, summary: fields.get('summary') || undefined }
}
