/** The elements of a JSON array as they arrive: server-streaming methods answer one over REST. */
import { StringDecoder } from 'node:string_decoder'
import type { Json } from './json-value.ts'

/**
 * Yields each element as soon as its last byte is there. A body that is no array is its only element; an empty one has none.
 * @throws SyntaxError when the bytes are not JSON, RangeError when one element is longer than `maxElementChars`.
 */
export async function* readElements(source: AsyncIterable<Uint8Array>, maxElementChars: number): AsyncGenerator<Json> {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  let scanned = 0
  let depth = 0
  let inString = false
  let isEscaped = false
  let isArray: boolean | undefined
  let isDone = false
  for await (const chunk of source) {
    // What follows the array is read to its end, so that the connection below can be used again.
    if (isDone) continue
    pending += decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (isArray === undefined) {
      pending = pending.trimStart()
      if (pending === '') continue
      isArray = pending.startsWith('[')
      if (isArray) pending = pending.slice(1)
    }
    if (!isArray) {
      if (pending.length > maxElementChars) throw new RangeError('the answer is too long')
      continue
    }
    for (; scanned < pending.length; scanned += 1) {
      const character = pending[scanned]
      if (inString) {
        if (isEscaped) isEscaped = false
        else if (character === '\\') isEscaped = true
        else if (character === '"') inString = false
      } else if (character === '"') inString = true
      else if (character === '{' || character === '[') depth += 1
      else if (character === '}' || character === ']') depth -= 1
      const isEnd = !inString && ((depth === 0 && character === ',') || depth === -1)
      if (!isEnd) continue
      const text = pending.slice(0, scanned).trim()
      pending = pending.slice(scanned + 1)
      // The loop's step brings it to 0.
      scanned = -1
      if (text !== '' || depth === 0) yield JSON.parse(text) as Json
      isDone = depth === -1
      if (isDone) break
    }
    if (pending.length > maxElementChars) throw new RangeError('one element of the answer is too long')
  }
  pending += decoder.end()
  if (isDone) return
  if (isArray === true) throw new SyntaxError('the array ended too early')
  if (pending.trim() !== '') yield JSON.parse(pending) as Json
}
