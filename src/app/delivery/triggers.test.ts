/** Pushes and webhooks from end to end, with git, hooks, worker processes and the real stages; only publishing, baking and deploying take no time. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { endProcess } from '../../host/process.ts'
import { deliveryPaths } from './paths.ts'
import { addRemote } from './remote.ts'
import { createPlace, fakeWorkerScript } from './testing/place.ts'
import type { Place } from './testing/place.ts'
import { hasWorker, reviveWorkers } from './wake.ts'

let place: Place
beforeEach(async () => {
  place = await createPlace()
  await place.setUpRemote()
})
afterEach(() => place.close())

async function holding(stage: string): Promise<void> {
  const path = join(place.home.root, 'holding')
  await waitFor({ what: `the pipeline in ${stage}`, timeoutMs: 60_000, intervalMs: 20 }, async () =>
    existsSync(path) ? { done: true, value: undefined } : { done: false, status: 'not yet' },
  )
}

async function trace(): Promise<readonly string[]> {
  return (await readFile(join(place.home.root, 'trace'), 'utf8')).trim().split('\n')
}

// Each push is several processes: on a busy machine that takes its time.
describe('git push', { timeout: 300_000 }, () => {
  test('delivers the branch, and shows stages and result to the pusher', async () => {
    const { code, text } = await place.push('main')
    expect(code, text).toBe(0)
    const remote = text.split('\n').filter((line) => line.startsWith('remote: '))
    const commit = await place.git('rev-parse', '--short=7', 'HEAD')
    expect(remote[0]).toContain(`remote: kiln: pipeline 1 of moshi-3 delivers ${commit} "Version 0.2.0"`)
    for (const stage of ['checkout', 'publish', 'bake', 'deploy', 'verify']) expect(remote.join('\n')).toMatch(new RegExp(`remote: \\[${stage}\\] passed in`))
    expect(remote.join('\n')).toContain(`remote: [verify] ${place.serverUrl}/version answers 0.2.0`)
    expect(remote.at(-1)).toContain(`remote: kiln: pipeline 1 (${commit}) passed: ${place.serverUrl} serves 0.2.0`)
    expect(await place.served()).toContain('0.2.0')
    expect(place.deploys).toEqual([{ version: '0.2.0', image: 'moshi-srv-0.2.0', commit: await place.git('rev-parse', 'HEAD'), why: 'Version 0.2.0' }])
    expect(place.pipelines().require(1)).toMatchObject({ state: 'passed', trigger: 'push', who: 'Ada <ada@example.com>', branch: 'main' })
  })

  test('stores other branches and tags, and says so', async () => {
    const { text } = await place.push('HEAD:refs/heads/dev')
    expect(text).toContain('remote: kiln: dev is stored; only main is delivered')
    expect((await place.push(':dev')).text).toContain('remote: kiln: dev is removed; only main is delivered')
    expect(place.pipelines().list()).toEqual([])
  })

  test('a failed stage is shown with its cause and the next action; the commit stays, and a retry skips what is done', async () => {
    await place.commit('Broken', { FAIL: 'deploy' })
    const { code, text } = await place.push('main')
    expect(code).toBe(0)
    expect(text).toContain('remote: [deploy] failed: deploy fails as it was told to')
    expect(text).toContain('remote: kiln: next: kiln pipelines logs 1; when the cause is gone: kiln pipelines retry 1')
    expect(place.pipelines().require(1)).toMatchObject({ state: 'failed' })
    await place.commit('Mended', { FAIL: undefined })
    expect((await place.push('main')).text).toContain('remote: [bake] skipped: nothing that it depends on has changed')
    expect(
      place
        .pipelines()
        .require(2)
        .stages.map((stage) => stage.state),
    ).toEqual(['passed', 'skipped', 'skipped', 'passed', 'passed'])
    expect(place.pipelines().require(2).state).toBe('passed')
  })

  test('what was made and is lost is made again, although its key is known', async () => {
    await place.push('main')
    await writeFile(join(place.home.root, 'lost'), '')
    await place.commit('Same inputs', { NOTES: 'changed' })
    await place.push('main')
    expect(
      place
        .pipelines()
        .require(2)
        .stages.map((stage) => stage.state),
    ).toEqual(['passed', 'passed', 'passed', 'passed', 'passed'])
  })

  test('Ctrl-C ends the watching, not the pipeline', async () => {
    await place.commit('Slow', { HOLD: 'bake' })
    let pid = 0
    const pushing = place.push('main', (started) => (pid = started))
    await holding('bake')
    process.kill(-pid, 'SIGINT')
    const { code } = await pushing
    expect(code).not.toBe(0)
    expect(place.pipelines().require(1).state).toBe('running')
    await writeFile(join(place.home.root, 'go'), '')
    expect(await place.ended(1)).toMatchObject({ state: 'passed' })
    expect(await place.served()).toContain('0.2.0')
  })

  test('newer commits take the place of the one that waits, never of the one that runs', async () => {
    await place.commit('Slow', { HOLD: 'bake' })
    const first = place.push('main')
    await holding('bake')
    await place.version('0.3.0')
    const second = place.push('main')
    await waitFor({ what: 'the second in the queue', timeoutMs: 30_000, intervalMs: 20 }, async () =>
      place.pipelines().get(2) === undefined ? { done: false, status: 'no' } : { done: true, value: undefined },
    )
    await place.version('0.4.0')
    const third = place.push('main')
    const { text } = await second
    expect(text).toContain('remote: kiln: it waits for pipeline 1')
    expect(text).toContain('superseded: pipeline 3 came with a newer commit')
    expect(place.pipelines().require(1).state).toBe('running')
    await writeFile(join(place.home.root, 'go'), '')
    await Promise.all([first, third])
    expect(
      place
        .pipelines()
        .list()
        .map(({ id, state }) => [id, state]),
    ).toEqual([
      [3, 'passed'],
      [2, 'superseded'],
      [1, 'passed'],
    ])
    expect(await place.served()).toContain('0.4.0')
  })

  test('a running pipeline is cancelled, and the pusher hears of it', async () => {
    await place.commit('Slow', { HOLD: 'bake' })
    const pushing = place.push('main')
    await holding('bake')
    place.pipelines().cancel(1)
    expect((await pushing).text).toContain('cancelled')
    expect(
      place
        .pipelines()
        .require(1)
        .stages.map((stage) => stage.state),
    ).toEqual(['passed', 'passed', 'cancelled', 'cancelled', 'cancelled'])
    expect(place.deploys).toEqual([])
  })

  test('a lock file that an earlier pipeline made is taken when the repository has none, else the repository’s', async () => {
    await place.push('main')
    expect(await readFile(deliveryPaths(place.home).stack('moshi-3').lock, 'utf8')).toBe('resolved for 0.2.0\n')
    await place.version('0.3.0')
    const { text } = await place.push('main')
    expect(text).toContain('kiln.lock of earlier pipelines is taken')
    expect(await readFile(deliveryPaths(place.home).stack('moshi-3').lock, 'utf8')).toBe('resolved for 0.2.0\n')
    await place.commit('Pinned', { 'kiln.lock': 'of the repository\n' })
    expect((await place.push('main')).text).not.toContain('kiln.lock of earlier')
    expect(await readFile(join(deliveryPaths(place.home).stack('moshi-3').checkout(3), 'deploy/moshi/kiln.lock'), 'utf8')).toBe('of the repository\n')
  })

  test('a config of another project is refused, and one that does not load is shown', async () => {
    const config = await readFile(join(place.stack, 'kiln.config.ts'), 'utf8')
    await place.commit('Other', { 'kiln.config.ts': config.replace('moshi-3', 'other-1') })
    expect((await place.push('main')).text).toContain('is of the project other-1')
    await place.commit('Broken', { 'kiln.config.ts': 'export default {' })
    expect((await place.push('main')).text).toContain('checkout: ')
    expect(
      place
        .pipelines()
        .list()
        .map((each) => each.state),
    ).toEqual(['failed', 'failed'])
  })
})

describe('a worker that dies', { timeout: 300_000 }, () => {
  test.each(['publish', 'bake', 'deploy'])('in %s is replaced by whoever watches, and the next goes on there', async (stage) => {
    await place.commit('Deadly', { DIE: stage })
    const { text } = await place.push('main')
    expect(text).toContain(`the worker before died in ${stage}; going on there`)
    expect(place.pipelines().require(1)).toMatchObject({ state: 'passed' })
    const stages = await trace()
    expect(stages).toEqual(['publish', 'bake', 'deploy'].flatMap((each) => (each === stage ? [each, each] : [each])))
  })

  test('while nobody watches is found by the next look at the queue', async () => {
    await place.commit('Deadly', { DIE: 'bake' })
    let pid = 0
    const pushing = place.push('main', (started) => (pid = started))
    const died = join(place.home.root, 'died-in-bake')
    await waitFor({ what: 'its death', timeoutMs: 60_000, intervalMs: 10 }, async () => (existsSync(died) ? { done: true, value: undefined } : { done: false, status: 'alive' }))
    process.kill(-pid, 'SIGKILL')
    await pushing
    await waitFor({ what: 'its end', timeoutMs: 10_000, intervalMs: 10 }, async () =>
      (await hasWorker(place.home, 'moshi-3')) ? { done: false, status: 'alive' } : { done: true, value: undefined },
    )
    await reviveWorkers(place.home, place.pipelines(), fakeWorkerScript)
    expect(await place.ended(1)).toMatchObject({ state: 'passed' })
  })

  test('by SIGTERM leaves the pipeline to the next, too', async () => {
    await place.commit('Slow', { HOLD: 'deploy' })
    const pushing = place.push('main')
    await holding('deploy')
    const { worker } = place.pipelines().require(1)
    if (worker === undefined) throw new Error('no worker')
    await endProcess(worker)
    expect(place.pipelines().require(1).state).toBe('running')
    await writeFile(join(place.home.root, 'go'), '')
    expect((await pushing).text).toContain('going on there')
    expect(place.pipelines().require(1)).toMatchObject({ state: 'passed' })
  })
})

describe('kiln remote add', () => {
  test('may be repeated, and never takes the place of another remote', async () => {
    expect(await addRemote({ home: place.home, dir: place.stack, name: 'kiln' })).toMatchObject({ added: false, stack: 'moshi-3', branch: 'main', folder: 'deploy/moshi' })
    await place.git('remote', 'add', 'origin', 'https://example.com/moshi.git')
    await expect(addRemote({ home: place.home, dir: place.stack, name: 'origin' })).rejects.toMatchObject({ code: 'E_REMOTE', hint: expect.stringContaining('--name') })
  })

  test('a folder in no repository is refused', async () => {
    const dir = deliveryPaths(place.home).stack('moshi-3').checkout(99)
    await place.git('worktree', 'add', '-q', dir, 'HEAD')
    await writeFile(join(dir, '.git'), 'gitdir: /nowhere\n')
    await expect(addRemote({ home: place.home, dir: join(dir, 'deploy/moshi'), name: 'kiln' })).rejects.toMatchObject({ code: 'E_REMOTE' })
  })
})
