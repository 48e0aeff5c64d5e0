import { afterEach, expect, test, vi } from 'vitest'
import { KilnError } from '../../base/errors.ts'
import { renderError } from './error.ts'

afterEach(() => vi.unstubAllEnvs())

function plain(error: unknown): string {
  vi.stubEnv('NO_COLOR', '1')
  return renderError(error)
}

test('cause, evidence, next action', () => {
  const error = new KilnError('E_BOOT_TEST', 'moshi-srv did not become healthy within 10 min', {
    detail: '[    9.1] Kernel panic\n503 {"status":"starting"}\n\n',
    hint: 'look at the serial log above',
    cause: new Error('connection refused'),
  })
  expect(plain(error)).toBe(`error E_BOOT_TEST moshi-srv did not become healthy within 10 min: connection refused
  | [    9.1] Kernel panic
  | 503 {"status":"starting"}
next  look at the serial log above
`)
})

test('an error without evidence or hint is one line', () => {
  expect(plain(new KilnError('E_CANCELLED', 'nothing was changed'))).toBe('error E_CANCELLED nothing was changed\n')
  expect(plain(new KilnError('E_CANCELLED', 'nothing was changed', { detail: '' }))).toBe('error E_CANCELLED nothing was changed\n')
})

test('what Kiln did not throw on purpose is shown as a defect, with its stack', () => {
  const text = plain(new TypeError('x is undefined'))
  expect(text).toMatch(/^unexpected error \(please report it\)\n {2}\| TypeError: x is undefined\n {2}\| +at .*error\.test\.ts/)
  expect(plain('a string')).toBe('unexpected error (please report it)\n  | a string\n')
})
