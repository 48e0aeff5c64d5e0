/**
 * kill -9 at twenty points: `kiln up` and the daemon in turn, each time when a random number of progress lines has been seen. After every kill
 * the next run goes on, and in the end everything is there once and whole. KILN_CHAOS_SEED repeats a run; the seed is in every message.
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
  for (let kill = 0; kill < KILLS; kill += 1) {
    const victim = kill % 2 === 0 ? 'up' : 'daemon'
    // Mostly early lines: what is done already prints nothing, so each run meets new work.
    const atLine = 1 + Math.floor(next() * 14)
    const daemon = (await place.kiln(['cloud', 'start', '--json'])).json.pid as number
    let lines = 0
    let killed = false
    const run = await place.kiln(['up', '--yes', '--json'], {
      onLine(_line, pid) {
        lines += 1
        if (lines !== atLine || killed) return
        killed = true
        process.kill(victim === 'up' ? pid : daemon, 'SIGKILL')
      },
    })
    story.push(`${victim} at line ${atLine}${killed ? '' : ' (not reached)'}: exit ${run.exitCode}`)
    // A run that was complete before its kill point starts the next from scratch, so that there is something to kill again.
    if (run.exitCode === 0 && kill < KILLS - 4) await place.kiln(['destroy', '--yes', '--json'])
  }

  const last = await place.kiln(['up', '--yes', '--json'])
  const context = `seed ${seed}\n${story.join('\n')}\n${last.stderr}`
  expect(last.exitCode, context).toBe(0)
  expect((await fetch(`${last.json.url}/healthz`)).status, context).toBe(200)
  expect((await place.kiln(['up', '--yes', '--json'])).json.changes, context).toBe(0)

  const machines = await place.machines()
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
  expect(await readdir(join(place.home, 'cache/archives')).catch(() => []), context).toEqual([])

  expect((await place.kiln(['destroy', '--yes', '--json'])).exitCode, context).toBe(0)
  expect(await place.machines(), context).toEqual([])
})
