/** Identifiers in the forms that Google uses. */
import { createHash, randomBytes, randomInt } from 'node:crypto'

/** A random string of lower-case letters and digits. Not secret. */
export function shortId(length = 8): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'
  let text = ''
  while (text.length < length) text += alphabet[randomInt(alphabet.length)]
  return text
}

/** A positive 63-bit id as a decimal string, as Compute Engine gives to every resource. */
export function numericId(): string {
  const value = randomBytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn
  return String(value === 0n ? 1n : value)
}

/**
 * A fresh etag or fingerprint: eight random bytes in base64, since clients decode it. Without + and /, since gcloud sends it back in the
 * URL-safe alphabet, where those are other characters.
 */
export function newEtag(): string {
  for (;;) {
    const etag = randomBytes(8).toString('base64')
    if (!/[+/]/.test(etag)) return etag
  }
}

/** A secret with 256 bits, url-safe. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The SHA-256 of a text or of bytes, in hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
