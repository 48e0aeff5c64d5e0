import { expect, test } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { createHealth } from './health.ts'

test('a probe fails while its instance is unhealthy on purpose, whatever it answers', async () => {
  let strikes = false
  const health = createHealth(
    () => {},
    async () => ({ isSuccess: true, atMs: Date.now(), durationMs: 1 }),
    (id) => strikes && id === '7',
  )
  const plan = { checkIntervalSec: 0.01, timeoutSec: 1, healthyThreshold: 1, unhealthyThreshold: 2 }
  health.watch([{ instanceId: '7', check: 'c', port: 80, plan: plan as never, endpoint: { host: '127.0.0.1', port: 1 } }])
  const reported = (): string => health.report('7', 'c', 80).state
  const until = (state: string): Promise<void> =>
    waitFor({ what: state, timeoutMs: 5000, intervalMs: 5 }, async () => (reported() === state ? { done: true, value: undefined } : { done: false, status: reported() }))
  await until('HEALTHY')
  strikes = true
  await until('UNHEALTHY')
  expect(health.report('7', 'c', 80).last?.error).toContain('kiln cloud fault')
  strikes = false
  await until('HEALTHY')
  health.stop()
})
