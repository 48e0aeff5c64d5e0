import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { isSignedBy, signBody } from './signature.ts'

/** From GitHub's page on validating deliveries. */
const secret = "It's a Secret to Everybody"
const body = Buffer.from('Hello, World!')
const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'

test("GitHub's own vector", () => {
  expect(signBody(secret, body)).toBe(signature)
  expect(isSignedBy(secret, body, signature)).toBe(true)
  expect(isSignedBy(secret, body, signature.toUpperCase().replace('SHA256', 'sha256'))).toBe(true)
})

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['one of other bytes', signBody(secret, 'Hello, World?')],
  ['one with another secret', signBody('other', body)],
  ['the old kind', `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`],
  ['one without its kind', signature.slice('sha256='.length)],
  ['one that is cut', signature.slice(0, -2)],
  ['one that is too long', `${signature}00`],
  ['no hex', `sha256=${'z'.repeat(64)}`],
])('refused: %s', (_title, header) => {
  expect(isSignedBy(secret, body, header)).toBe(false)
})

test('nobody signs with an empty secret', () => {
  expect(isSignedBy('', body, signBody('', body))).toBe(false)
})
