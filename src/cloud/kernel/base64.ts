/** Fields that hold bytes. Node's decoder takes anything; Google's refuses what is no base64. */
import { invalidArgument } from './api-error.ts'

/** Bytes of standard or URL-safe base64. `field` names it in the message: `payload.data`. @throws ApiError 400 */
export function decodeBase64(text: string, field: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw invalidArgument(`Invalid value at '${field}' (TYPE_BYTES), Base64 decoding failed for "${text.slice(0, 40)}"`)
  return Buffer.from(text.replaceAll('-', '+').replaceAll('_', '/'), 'base64')
}
