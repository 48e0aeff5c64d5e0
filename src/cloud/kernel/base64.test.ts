import { expect, test } from 'vitest'
import { decodeBase64 } from './base64.ts'

test('both alphabets, with and without padding; anything else is refused and named', () => {
  for (const text of ['+/8=', '-_8=', '+/8', '-_8']) expect(decodeBase64(text, 'data'), text).toEqual(Buffer.from([0xfb, 0xff]))
  expect(decodeBase64('', 'data')).toHaveLength(0)
  for (const text of ['no base64!', 'AAAA\n', 'A===', '=AAA', 'ä', 'AA AA']) expect(() => decodeBase64(text, 'payload.data'), text).toThrow("Invalid value at 'payload.data'")
})
