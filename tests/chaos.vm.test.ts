/**
 * kill -9 at twenty points: `kiln up` and the daemon in turn, each time a random moment after a random number of steps began, told something or
 * ended. After every kill the next run goes on, and in the end everything is there once and whole. KILN_CHAOS_SEED repeats the choice of
 * points (moments differ with the machine's speed); the seed is in every message.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorkplace } from './support/kiln.ts'
import type { Workplace } from './support/kiln.ts'

const KILLS = 20
const seed = Number(process.env['KILN_CHAOS_SEED'] ?? 20_261_122)

let place: Workplace
beforeAll(async () => {
  place = await createWorkplace()
})
afterAll(() => place.remove())

function kill9(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    // It ended by itself a moment before.
    return false
  }
}

/** mulberry32: small, good enough to choose kill points, the same everywhere. */
function random(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

test(`${KILLS} kills, then everything is there once and whole (seed ${seed})`, { timeout: 3_600_000 }, async () => {
  const next = random(seed)
  const story: string[] = []
  let kills = 0
  for (let round = 0; kills < KILLS && round < 3 * KILLS; round += 1) {
    const victim = kills % 2 === 0 ? 'up' : 'daemon'
    // What is done already tells nothing any more, so small numbers reach ever later steps.
    const atStep = 1 + Math.floor(next() * 10)
    const delayMs = Math.floor(next() * 2500)
    const daemon = (await place.kiln(['cloud', 'start', '--json'])).json.pid as number
    let steps = 0
    let timer: NodeJS.Timeout | undefined
    let killed = false
    const run = await place.kiln(['up', '--yes', '--json'], {
      onLine(line, pid) {
        if (!/^ {2}(\.\.\.|ok | {4}\S)/.test(line)) return
        steps += 1
        if (steps !== atStep) return
        timer = setTimeout(() => (killed = kill9(victim === 'up' ? pid : daemon)), delayMs)
      },
    })
    clearTimeout(timer)
    if (killed) kills += 1
    story.push(`${victim} ${delayMs} ms after step ${atStep}${killed ? '' : ' (not reached)'}: exit ${run.exitCode} ${String(run.json.error?.message ?? '').slice(0, 300)}`)
    if (!killed) expect(run.exitCode, `a run that nothing disturbed must converge\n${story.join('\n')}\n${run.stderr}`).toBe(0)
    // A run that was complete before its kill point starts the next from scratch, so that there is something to kill again.
    if (run.exitCode === 0) await place.kiln(['destroy', '--yes', '--json'])
  }

  const last = await place.kiln(['up', '--yes', '--json'])
  const context = `seed ${seed}\n${story.join('\n')}\n${last.stderr}`
  expect(last.exitCode, context).toBe(0)
  expect(kills, context).toBe(KILLS)
  expect((await fetch(`${last.json.url}/healthz`)).status, context).toBe(200)
  expect((await place.kiln(['up', '--yes', '--json'])).json.changes, context).toBe(0)

  const machines = await place.instances()
  expect(
    machines.map((machine) => machine.commandLine),
    context,
  ).toHaveLength(1)

  const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
  const { url } = (await place.kiln(['cloud', 'status', '--json'])).json
  const api = async (path: string): Promise<Record<string, never>> =>
    (await (await fetch(`${url}/${path}`, { headers: { authorization: `Bearer ${token}` } })).json()) as Record<string, never>

  const images = (await api('compute.googleapis.com/compute/v1/projects/moshi-3/global/images')) as unknown as { items: { name: string; status: string; family?: string }[] }
  expect(images.items.map((image) => [image.family, image.status]).sort(), context).toEqual([
    ['moshi-srv', 'READY'],
    ['python3', 'READY'],
  ])
  const files = (await api('artifactregistry.googleapis.com/v1/projects/moshi-3/locations/us-central1/repositories/pypi/files')) as unknown as { files: { name: string }[] }
  expect(
    files.files.filter((file) => file.name.endsWith('.whl')),
    context,
  ).toHaveLength(1)
  const left = (await api('storage.googleapis.com/storage/v1/b/moshi-3-kiln-images/o')) as unknown as { items?: unknown[] }
  expect(left.items ?? [], context).toEqual([])
  expect(await readdir(join(place.home, 'cloud/blobs/tmp')).catch(() => []), context).toEqual([])
  expect(await readdir(join(place.home, 'cache/tmp')).catch(() => []), context).toEqual([])

  expect((await place.kiln(['destroy', '--yes', '--json'])).exitCode, context).toBe(0)
  expect(await place.machines(), context).toEqual([])
})
