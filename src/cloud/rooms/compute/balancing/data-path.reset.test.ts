import { expect, test, vi } from 'vitest'
import type { Compute } from '../service.ts'
import { createDataPath } from './data-path.ts'
import type { DataPathParts } from './data-path.ts'

test('what is asked for while all is emptied does not start the process again', async () => {
  const calls: string[] = []
  const held = Promise.withResolvers<undefined>()
  const parts = {
    renewCertificates: async () => {},
    desired: { read: () => ({ members: [], healing: [], ports: new Map() }), model: () => ({ frontends: [], backends: [] }), services: () => [], certificates: () => [] },
    health: { watch: () => calls.push('watch'), stop: () => calls.push('stop health') },
    haproxy: {
      running: async () => {
        calls.push('look')
        return held.promise
      },
      stop: async () => void calls.push('stop'),
    },
  }
  const path = createDataPath({ kernel: {} } as unknown as Compute, parts as unknown as DataPathParts)
  const first = path.apply()
  await vi.waitUntil(() => calls.includes('look'))
  const second = path.apply()
  const emptied = path.reset()
  held.resolve(undefined)
  await Promise.all([first, second, emptied])
  expect(calls).toEqual(['watch', 'look', 'stop health', 'stop'])
})
