import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeAll } from '../host/files.ts'
import type { Pipelines } from './pipelines.ts'
import { identity, openIn, request, stageNames } from './testing.ts'

let folder: string
let pipelines: Pipelines
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-pipelines-'))
  pipelines = openIn(folder)
})
afterEach(async () => {
  pipelines.close()
  await removeAll(folder)
})

test('a newer commit takes the place of those that wait, never of the one that runs, and not of another stack', () => {
  const first = pipelines.enqueue(request({ commit: '1'.repeat(40) }))
  expect(pipelines.claim('moshi', identity, stageNames)?.id).toBe(first.id)
  const second = pipelines.enqueue(request({ commit: '2'.repeat(40) }))
  const other = pipelines.enqueue(request({ stack: 'other' }))
  const third = pipelines.enqueue(request({ commit: '3'.repeat(40) }))
  expect(pipelines.require(first.id).state).toBe('running')
  expect(pipelines.require(second.id)).toMatchObject({ state: 'superseded', reason: expect.stringContaining(`pipeline ${third.id} came with a newer commit (3333333)`) })
  expect(pipelines.require(other.id).state).toBe('queued')
  expect(pipelines.require(third.id).state).toBe('queued')
  expect(pipelines.stacksWithWork()).toEqual(['moshi', 'other'])
  expect(pipelines.list({ stack: 'moshi' }).map((each) => each.id)).toEqual([third.id, second.id, first.id])
})

test('a claim gives the one that a dead worker left before any that waits, then the one that waits, then none', () => {
  const first = pipelines.enqueue(request())
  pipelines.claim('moshi', identity, stageNames)
  const second = pipelines.enqueue(request())
  const next = { pid: 1, startTime: 'another worker' }
  expect(pipelines.claim('moshi', next, stageNames)).toMatchObject({ id: first.id, worker: next, stages: stageNames.map((name) => ({ name, state: 'queued' })) })
  pipelines.end(first.id, 'passed', undefined)
  expect(pipelines.claim('moshi', next, stageNames)?.id).toBe(second.id)
  pipelines.end(second.id, 'failed', 'why')
  expect(pipelines.claim('moshi', next, stageNames)).toBeUndefined()
  expect(pipelines.stacksWithWork()).toEqual([])
})

test('cancel: at once while it waits, as a request while it runs, not after its end', () => {
  const first = pipelines.enqueue(request())
  pipelines.claim('moshi', identity, stageNames)
  const second = pipelines.enqueue(request())
  expect(pipelines.cancel(second.id)).toMatchObject({ state: 'cancelled' })
  expect(pipelines.cancel(first.id)).toMatchObject({ state: 'running', cancelRequested: true })
  expect(() => pipelines.cancel(second.id)).toThrow(/has ended: cancelled/)
  expect(() => pipelines.cancel(99)).toThrow(/no pipeline 99/)
})

test('retry: the same commit again, only after its end, and never in the place of a newer one', () => {
  const first = pipelines.enqueue(request({ commit: '1'.repeat(40), trigger: 'webhook' }))
  expect(() => pipelines.retry(first.id, 'me')).toThrow(/has not ended/)
  pipelines.cancel(first.id)
  const again = pipelines.retry(first.id, 'me')
  expect(again).toMatchObject({ commit: '1'.repeat(40), trigger: 'webhook', who: 'me', retryOf: first.id, state: 'queued', cancelRequested: false })
  expect(() => pipelines.retry(first.id, 'me')).toThrow(new RegExp(`pipeline ${again.id} waits`))
})

test('what ended long ago is forgotten, what has not ended never', () => {
  for (let count = 0; count < 5; count += 1) pipelines.cancel(pipelines.enqueue(request()).id)
  const waiting = pipelines.enqueue(request())
  expect(pipelines.prune('moshi', 2)).toEqual([3, 2, 1])
  expect(pipelines.list().map((each) => each.id)).toEqual([waiting.id, 5, 4])
})

test('the inbox: an id is used up by a good signature alone, and refused ones are bounded', () => {
  const { inbox } = pipelines
  const delivery = { stack: 'moshi', delivery: 'd1', event: 'push', outcome: 'refused', reason: 'bad signature', sizeBytes: 10 } as const
  inbox.record({ ...delivery, verified: false })
  inbox.record({ ...delivery, verified: false })
  expect(inbox.seen('moshi', 'd1')).toBe(false)
  inbox.record({ ...delivery, verified: true, outcome: 'queued', reason: 'pipeline 1', pipeline: 1 })
  expect(inbox.seen('moshi', 'd1')).toBe(true)
  expect(inbox.seen('other', 'd1')).toBe(false)
  expect(() => inbox.record({ ...delivery, verified: true })).toThrow(/UNIQUE/)
  pipelines.transaction(() => {
    for (let count = 0; count < 1100; count += 1) inbox.record({ ...delivery, verified: false })
  })
  expect(inbox.list({ limit: 5000 })).toHaveLength(1001)
  expect(inbox.list({ limit: 5000 }).at(-1)).toMatchObject({ outcome: 'queued', pipeline: 1 })
})
