import { expect, test } from 'vitest'
import { idleMs, idleOf } from './idle.ts'

test('idle time is that of all processors, in milliseconds', async () => {
  expect(idleOf('cpu  100 2 30 4000 50 0 7 0 0 0\ncpu0 50 1 15 2000 25 0 3 0 0 0\n')).toBe(40_500)
  const before = await idleMs()
  expect(before).toBeGreaterThan(0)
  expect(await idleMs()).toBeGreaterThanOrEqual(before)
})
