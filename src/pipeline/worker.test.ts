import { execFile } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { removeAll } from '../host/files.ts'
import { readLog } from './log.ts'
import type { Pipelines } from './pipelines.ts'
import { dyingAt, openIn, readTrace, request, stageNames, tracedStages, workerOptions } from './testing.ts'
import { SupersededError } from './types.ts'
import type { Pipeline } from './types.ts'
import { runQueue } from './worker.ts'
import type { Stage } from './worker.ts'

let folder: string
let pipelines: Pipelines
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-worker-'))
  pipelines = openIn(folder)
})
afterEach(async () => {
  pipelines.close()
  await removeAll(folder)
})

const states = ({ stages }: Pipeline): readonly string[] => stages.map((stage) => stage.state)

test('stages run in order, each recorded with what it made, and the queue is worked to its end', async () => {
  const first = pipelines.enqueue(request())
  expect(await runQueue(workerOptions(folder, pipelines))).toBe(1)
  expect(await readTrace(folder)).toEqual(stageNames.map((name) => `${first.id} ${name}`))
  const ended = pipelines.require(first.id)
  expect(ended.state).toBe('passed')
  expect(ended.stages.at(-1)).toMatchObject({ name: 'verify', state: 'passed', attempts: 1, result: { after: ['checkout', 'publish', 'bake', 'deploy'] } })
  const log = await readFile(join(folder, `${first.id}.log`), 'utf8')
  expect(log).toContain('[bake] bake works')
  expect(log.trimEnd().split('\n').at(-1)).toMatch(/^\[kiln\] passed \(/)
})

test('a failed stage ends the pipeline with its error, what follows does not run, and the next pipeline does', async () => {
  const stages = tracedStages(folder, (name) => {
    if (name === 'bake' && failing) throw new KilnError('E_BOOT_TEST', 'it never became healthy', { hint: 'look', detail: 'serial' })
  })
  let failing = true
  const first = pipelines.enqueue(request())
  await runQueue(workerOptions(folder, pipelines, { stages }))
  expect(pipelines.require(first.id)).toMatchObject({ state: 'failed', reason: 'bake: it never became healthy' })
  expect(states(pipelines.require(first.id))).toEqual(['passed', 'passed', 'failed', 'cancelled', 'cancelled'])
  expect(pipelines.require(first.id).stages[2]?.error).toEqual({ code: 'E_BOOT_TEST', message: 'it never became healthy', hint: 'look', detail: 'serial' })
  failing = false
  const again = pipelines.retry(first.id, 'me')
  await runQueue(workerOptions(folder, pipelines, { stages }))
  expect(pipelines.require(again.id).state).toBe('passed')
})

test('cancelled while it runs: the stage is told, the pipeline ends, the queue goes on', async () => {
  const first = pipelines.enqueue(request())
  const stages: readonly Stage[] = tracedStages(folder).map((stage) =>
    stage.name === 'bake'
      ? {
          ...stage,
          run: ({ pipeline, signal }) =>
            new Promise((resolve, reject) => {
              if (pipeline.id !== first.id) return resolve({})
              signal.addEventListener('abort', () => reject(signal.reason as Error))
              pipelines.cancel(first.id)
              pipelines.enqueue(request())
            }),
        }
      : stage,
  )
  expect(await runQueue(workerOptions(folder, pipelines, { stages }))).toBe(2)
  expect(states(pipelines.require(first.id))).toEqual(['passed', 'passed', 'cancelled', 'cancelled', 'cancelled'])
  expect(pipelines.require(first.id).state).toBe('cancelled')
  expect(pipelines.require(first.id + 1).state).toBe('passed')
})

test('a stage is skipped when its key is known and what was made is still there', async () => {
  let holds = true
  const stages: readonly Stage[] = tracedStages(folder).map((stage) =>
    stage.name === 'bake'
      ? { ...stage, key: async ({ pipeline }) => `tree of ${pipeline.subject}`, holds: async (_context, made) => holds && made['made'] === 'bake of aaaaaaa' }
      : stage,
  )
  const run = async (subject: string, commit: string): Promise<Pipeline> => {
    const { id } = pipelines.enqueue(request({ subject, commit: commit.repeat(40) }))
    await runQueue(workerOptions(folder, pipelines, { stages }))
    return pipelines.require(id)
  }
  expect(states(await run('one', 'a'))[2]).toBe('passed')
  const second = await run('one', 'b')
  expect(second.stages[2]).toMatchObject({ state: 'skipped', result: { made: 'bake of aaaaaaa' }, key: 'tree of one' })
  expect(states(await run('two', 'c'))[2]).toBe('passed')
  holds = false
  expect(states(await run('one', 'd'))[2]).toBe('passed')
  expect((await readTrace(folder)).filter((line) => line.endsWith(' bake'))).toHaveLength(3)
})

test('a failure that is to be repeated runs the stage again; one that never ends is given up', async () => {
  let left = 2
  const stages = tracedStages(folder, (name) => {
    if (name === 'deploy' && left > 0) {
      left -= 1
      throw new Error('the cloud went away')
    }
  })
  const first = pipelines.enqueue(request())
  await runQueue(workerOptions(folder, pipelines, { stages, repeat: async () => 'the cloud is back' }))
  expect(pipelines.require(first.id).stages[3]).toMatchObject({ state: 'passed', attempts: 3 })
  left = 1000
  const second = pipelines.enqueue(request())
  await runQueue(workerOptions(folder, pipelines, { stages, repeat: async () => 'the cloud is back' }))
  expect(pipelines.require(second.id)).toMatchObject({ state: 'failed', reason: expect.stringContaining('never came to an end') })
})

test('a commit that is older than what was delivered ends as superseded, and nobody who listens can break the work', async () => {
  const stages = tracedStages(folder, (name) => {
    if (name === 'checkout') throw new SupersededError('an ancestor of what pipeline 1 delivered')
  })
  const first = pipelines.enqueue(request())
  const heard: string[] = []
  const listener = {
    started: async () => {
      throw new Error('GitHub is down')
    },
    ended: async ({ state }: Pipeline) => void heard.push(state),
  }
  await runQueue(workerOptions(folder, pipelines, { stages, listener }))
  expect(pipelines.require(first.id)).toMatchObject({ state: 'superseded', reason: expect.stringContaining('pipeline 1') })
  expect(heard).toEqual(['superseded'])
  expect(await readFile(join(folder, `${first.id}.log`), 'utf8')).toContain('could not be reported: GitHub is down')
})

test('a log is followed to its end, while it grows', async () => {
  const { id } = pipelines.enqueue(request())
  const path = join(folder, `${id}.log`)
  const seen: string[] = []
  const following = (async () => {
    for await (const line of readLog(path, { isDone: async () => pipelines.require(id).state === 'passed' })) seen.push(line)
  })()
  await runQueue(workerOptions(folder, pipelines, { stages: tracedStages(folder, async () => void (await new Promise((resolve) => setImmediate(resolve)))) }))
  await following
  expect(`${seen.join('\n')}\n`).toBe(await readFile(path, 'utf8'))
  expect(seen.length).toBeGreaterThan(10)
})

describe('a worker that dies', () => {
  /** Whatever died where: the next worker brings it to the same end, and no stage that had passed runs again. */
  async function expectSameEnd(id: number): Promise<void> {
    const next = openIn(folder)
    try {
      await runQueue(workerOptions(folder, next))
      const ended = next.require(id)
      expect(ended.state).toBe('passed')
      expect(states(ended)).toEqual(stageNames.map(() => 'passed'))
      const trace = await readTrace(folder)
      expect([...new Set(trace)]).toEqual(stageNames.map((name) => `${id} ${name}`))
      // At most the stage in which it died ran twice.
      expect(trace.length).toBeLessThanOrEqual(stageNames.length + 1)
      expect(await runQueue(workerOptions(folder, next))).toBe(0)
    } finally {
      next.close()
    }
  }

  test('at any call of the database', async () => {
    const { id } = pipelines.enqueue(request())
    const probe = dyingAt(pipelines, Infinity, 'before')
    await runQueue(workerOptions(folder, probe.pipelines, { pollMs: 60_000 }))
    const calls = probe.calls()
    expect(calls).toBeGreaterThan(20)
    await removeAll(join(folder, 'trace'))
    expect(pipelines.require(id).state).toBe('passed')
    for (let call = 1; call <= calls; call += 1) {
      for (const when of ['before', 'after'] as const) {
        const { id: next } = pipelines.enqueue(request())
        const dying = dyingAt(pipelines, call, when)
        await expect(runQueue(workerOptions(folder, dying.pipelines, { pollMs: 60_000 })), `call ${call} ${when}`).rejects.toThrow('the process died')
        await expectSameEnd(next)
        await removeAll(join(folder, 'trace'))
      }
    }
  })

  test.each(stageNames.flatMap((stage) => [[stage, 'begin'] as const, [stage, 'end'] as const]))('by SIGKILL in %s, at its %s', async (stage, when) => {
    const { id } = pipelines.enqueue(request())
    const script = fileURLToPath(new URL('killed-worker.ts', import.meta.url))
    const signal = await new Promise((resolve) => {
      execFile(process.execPath, ['--disable-warning=ExperimentalWarning', script, folder, stage, when], (error) => resolve(error?.signal))
    })
    expect(signal).toBe('SIGKILL')
    expect(pipelines.require(id)).toMatchObject({ state: 'running', worker: { pid: expect.any(Number) } })
    expect(pipelines.require(id).stages.find((each) => each.name === stage)?.state).toBe('running')
    await expectSameEnd(id)
    expect(await readFile(join(folder, `${id}.log`), 'utf8')).toContain(`the worker before died in ${stage}; going on there`)
  })
})
