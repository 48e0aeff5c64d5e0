/** JSON Web Tokens in compact form (RFC 7515), taken apart; who checks the signature decides about keys and algorithms. */

export interface Jwt {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** What the signature is over. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/** Tokens of real issuers have a few kilobytes. */
const MAX_LENGTH = 64 * 1024

/** Undefined for what is not three base64url parts of which the first two are JSON objects. The signature may be empty. */
export function parseJwt(text: string): Jwt | undefined {
  const [, header, claims, signature] = (text.length <= MAX_LENGTH ? /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(text) : null) ?? []
  if (header === undefined || claims === undefined || signature === undefined) return undefined
  const parsed = { header: parsePart(header), claims: parsePart(claims) }
  if (parsed.header === undefined || parsed.claims === undefined) return undefined
  return { header: parsed.header, claims: parsed.claims, signed: Buffer.from(`${header}.${claims}`), signature: Buffer.from(signature, 'base64url') }
}

function parsePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
