/**
 * The daemon killed with SIGKILL at ten random points of a rollout, and the deployer at ten others: after each, the same deploy goes on, exactly one release is
 * live in the end, and the load balancer answered every request meanwhile. KILN_CHAOS_SEED repeats the choice of points.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import { describeError } from '../../base/errors.ts'
import { sleep } from '../../base/wait.ts'
import { cloudStatus, ownerToken } from '../cloud/control.ts'
import { openReleases, shapeOf, strategyOf } from './context.ts'
import { servingStatus } from './live.ts'
import { createStage } from './testing.ts'
import type { Stage } from './testing.ts'

const KILLS = 10
const seed = Number(process.env['KILN_CHAOS_SEED'] ?? 20_261_127)
const limitMs = 1_800_000
let stage: Stage

beforeAll(async () => {
  stage = await createStage()
  await stage.addImage('app-one', '1.0.0')
  await stage.addImage('app-two', '2.0.0')
  await stage.up('app-one')
}, limitMs)
afterAll(() => stage.close(), limitMs)

/** mulberry32 */
function random(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Requests one after the other, some forty a second, until it is told to stop; what they were answered, with how often. */
function load(url: string): { stop(): Promise<Readonly<Record<string, number>>> } {
  const seen: Record<string, number> = {}
  const state = { isOver: false }
  const running = (async () => {
    while (!state.isOver) {
      const answer = await fetch(`${url}/page`, { headers: { connection: 'close' } }).then(
        async (response) => {
          await response.text()
          return `${response.status} ${response.headers.get('x-version')}`
        },
        (error: unknown) => describeError(error),
      )
      seen[answer] = (seen[answer] ?? 0) + 1
      // The rollout needs the processor too.
      await sleep(20)
    }
  })()
  return {
    async stop() {
      state.isOver = true
      await running
      return seen
    },
  }
}

const images = ['app-two', 'app-one']
const versionOf = (image: string): string => (image === 'app-one' ? '1.0.0' : '2.0.0')

/** One release is live, of this image, none is half done, and two machines of it run. */
async function expectWhole(image: string, context: string): Promise<void> {
  const serving = await stage.serving()
  const { releases } = await openReleases({ ...stage.options(), clients: stage.clients(), serving }).list()
  expect(
    releases.filter(({ state }) => state === 'live').map((release) => release.image.name),
    context,
  ).toEqual([image])
  expect(
    releases.filter(({ state }) => ['pending', 'rolling', 'baking', 'failed'].includes(state)),
    context,
  ).toEqual([])
  expect(await stage.machines(), context).toEqual([`${serving.name} ${image} RUNNING`, `${serving.name} ${image} RUNNING`])
}

/** Gives whether the daemon was killed, at that call of the deployer. */
async function deployOnce(image: string, killAt?: number): Promise<boolean> {
  const serving = await stage.serving()
  let calls = 0
  let isKilled = false
  const { url: root = '' } = await cloudStatus(stage.home)
  const token = (await ownerToken(stage.home, root)).accessToken
  const counting: typeof fetch = async (input, init) => {
    calls += 1
    if (calls === killAt) {
      isKilled = true
      stage.daemon().kill('SIGKILL')
      await once(stage.daemon(), 'exit')
    }
    return fetch(input, init)
  }
  const clients = createClients({ rootUrl: root, accessToken: async () => token, retry: { attempts: 1 }, fetch: counting })
  const releases = openReleases({ ...stage.options(), clients, serving })
  try {
    const wanted = { package: { name: 'app', version: versionOf(image) }, who: 'ann', why: 'test' }
    await releases.deploy({ image, shape: shapeOf(serving), strategy: strategyOf(serving, {}), ...wanted })
  } catch (error) {
    if (!isKilled) throw error
  }
  return isKilled
}

/** A deploy by a process of its own. Gives whether it ended by its own SIGKILL. */
async function deployAndDie(image: string, killAt: number, moment: 'before' | 'after'): Promise<boolean> {
  const script = fileURLToPath(new URL('../testing/fake-deployer.ts', import.meta.url))
  const args = ['--disable-warning=ExperimentalWarning', script, stage.dir, image, versionOf(image), String(killAt), moment]
  const child = spawn(process.execPath, args, { env: { ...process.env, KILN_HOME: stage.home.root }, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the deployer ended with ${code ?? signal}`)
  return signal === 'SIGKILL'
}

/** Rounds until so many kills happened, whose number it gives; `attempt` deploys one image, and kills somebody at this call, if the deploy comes so far. */
async function killAgainAndAgain(seedOfThis: number, attempt: (image: string, killAt: number, next: () => number) => Promise<boolean>): Promise<number> {
  const next = random(seedOfThis)
  const serving = await stage.serving()
  const { url = '' } = (await servingStatus({ ...stage.options(), clients: stage.clients(), serving })) ?? {}
  const traffic = load(url)
  const story: string[] = []
  let kills = 0
  for (let round = 0; kills < KILLS && round < 4 * KILLS; round += 1) {
    const image = images[kills % 2] ?? ''
    const killAt = 5 + Math.floor(next() * 150)
    const isKilled = await attempt(image, killAt, next)
    story.push(`${image}: call ${killAt}${isKilled ? '' : ' (not reached)'}`)
    if (isKilled) {
      kills += 1
      await deployOnce(image)
    }
    await expectWhole(image, `seed ${seedOfThis}\n${story.join('\n')}`)
    if (!isKilled) await deployOnce(images[(kills + 1) % 2] ?? '')
  }
  const seen = await traffic.stop()
  const context = `seed ${seedOfThis}\n${story.join('\n')}`
  expect(Object.keys(seen).toSorted(), context).toEqual(['200 1.0.0', '200 2.0.0'])
  return kills
}

test(`${KILLS} kills of the daemon (seed ${seed})`, { timeout: limitMs }, async () => {
  const kills = await killAgainAndAgain(seed, async (image, killAt) => {
    const isKilled = await deployOnce(image, killAt)
    if (isKilled) await stage.startDaemon()
    return isKilled
  })
  expect(kills).toBe(KILLS)
})

test(`${KILLS} kills of the deployer (seed ${seed})`, { timeout: limitMs }, async () => {
  const kills = await killAgainAndAgain(seed + 1, (image, killAt, next) => deployAndDie(image, killAt, next() < 0.5 ? 'before' : 'after'))
  expect(kills).toBe(KILLS)
})
