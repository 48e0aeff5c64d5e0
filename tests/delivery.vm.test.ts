/**
 * Releases of the example's group on real machines, with load at the load balancer all the time: out, back, sick, turning bad, and with the daemon killed.
 * One story, in order. KILN_CHAOS_SEED repeats the choice of moments for the kills.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../src/base/wait.ts'
import { startLoad, stopAllLoads } from './support/load.ts'
import type { LoadResult } from './support/load.ts'
import { createWorkplace } from './support/kiln.ts'
import type { KilnResult, Workplace } from './support/kiln.ts'

const seed = Number(process.env['KILN_CHAOS_SEED'] ?? Date.now() % 1_000_000)

let place: Workplace
let url: string
let first: string
let next: string

/** The example's server, with a health that follows the metadata item `mood`, so that one image makes good releases and bad ones. */
const moods = `
import time
import urllib.error
import urllib.request

_TURNED = {}
_MOOD = {}


def _mood_is_bad():
    """sick: never well; turning: well for a minute, then not."""
    if "is" not in _MOOD:
        url = "http://169.254.169.254/computeMetadata/v1/instance/attributes/mood"
        try:
            # Asked until there is an answer, and not again: the metadata server is away while the daemon is, and health must not hang on that.
            _MOOD["is"] = urllib.request.urlopen(urllib.request.Request(url, headers={"Metadata-Flavor": "Google"}), timeout=5).read().decode()
        except urllib.error.HTTPError:
            _MOOD["is"] = "none"
        except OSError:
            return False
    mood = _MOOD["is"]
    return mood == "sick" or (mood == "turning" and time.monotonic() - _TURNED.setdefault("at", time.monotonic()) > 20)

`

async function edit(name: string, change: (text: string) => string): Promise<void> {
  const path = join(place.stack, name)
  const before = await readFile(path, 'utf8')
  const after = change(before)
  expect(after, name).not.toBe(before)
  await writeFile(path, after)
}

/** The metadata of the group's machines: another one is another release of the same image. */
async function setMood(mood: string): Promise<void> {
  await edit('kiln.config.ts', (text) => text.replace(/\n {4}metadata: \{ mood: '\w+' \},|(?=\n {4}strategy: 'rolling',)/, `\n    metadata: { mood: '${mood}' },`))
}

async function versionNow(): Promise<string> {
  const response = await fetch(`${url}/version`, { headers: { connection: 'close' } })
  return ((await response.json()) as { version: string }).version
}

async function live(): Promise<readonly number[]> {
  const { releases } = (await place.kiln(['releases', '--json'])).json as { releases: { number: number; state: string }[] }
  return releases.filter(({ state }) => state === 'live').map(({ number }) => number)
}

function deploy(...args: readonly string[]): Promise<KilnResult> {
  return place.kiln(['deploy', '--yes', '--json', ...args])
}

beforeAll(async () => {
  place = await createWorkplace({ group: true, sharedCache: true })
  await edit('kiln.config.ts', (text) => text.replace("health: { path: '/healthz', port: 8080 }", "health: { path: '/healthz', port: 8080, timeoutSeconds: 240 }"))
  await edit('server/src/moshi_server/app.py', (text) =>
    text
      .replace('import json\n', `import json\n${moods}`)
      .replace(
        '        return (200, {"status": "ok"}) if lessons.ready()',
        '        if _mood_is_bad():\n            return 500, {"status": "not in the mood"}\n        return (200, {"status": "ok"}) if lessons.ready()',
      ),
  )
})
afterAll(async () => {
  await stopAllLoads()
  await place.remove()
})

test('kiln up ends with a group of two behind the load balancer, and release 1', async () => {
  const result = await place.kiln(['up', '--yes', '--json'])
  expect(result.exitCode, result.stderr).toBe(0)
  ;({ url, version: first } = result.json as { url: string; version: string })
  expect(result.json).toMatchObject({ release: 1, url: expect.stringMatching(/^http:\/\/127\./) })
  expect(await versionNow()).toBe(first)
  expect(await place.instances(), 'two, and no dev VM').toHaveLength(2)
  expect((await place.kiln(['up', '--yes', '--json'])).json).toMatchObject({ changes: 0, release: 1, url })
  expect((await place.kiln(['status', '--json'])).json).toMatchObject({ healthy: true, server: { release: 1, instances: [{ isHealthy: true }, { isHealthy: true }] } })
})

test('deploy of a new version and rollback, under load: no request fails, both versions are seen, then only the new one', async () => {
  next = first.replace(/\d+$/, (last) => String(Number(last) + 1))
  await edit('server/pyproject.toml', (text) => text.replace(`version = "${first}"`, `version = "${next}"`))
  const during = startLoad(url)
  const out = await deploy('--why', 'the next version')
  expect(out.exitCode, out.stderr).toBe(0)
  expect(out.json).toMatchObject({ outcome: 'live', release: 2, version: next })
  expect(await during.stop()).toMatchObject({ failed: 0, seen: [first, next] })
  const after = startLoad(url)
  await waitFor({ what: 'some requests', timeoutMs: 60_000 }, async () => (after.seen().length > 0 ? { done: true, value: undefined } : { done: false, status: 'none' }))
  const back = await place.kiln(['rollback', '--yes', '--json'])
  expect(back.exitCode, back.stderr).toBe(0)
  expect(back.json).toMatchObject({ outcome: 'live', release: 3, rollbackOf: 1, version: first })
  expect(await after.stop()).toMatchObject({ failed: 0, seen: [next, first] })
  expect(await versionNow()).toBe(first)
  process.stdout.write(
    `deploy: served by all after ${out.json.servingMs} ms; rollback: served by all after ${back.json.servingMs} ms, the command took ${back.json.durationMs} ms\n`,
  )
})

async function expectItGoesBack(mood: string, args: readonly string[]): Promise<LoadResult> {
  const load = startLoad(url)
  await setMood(mood)
  const [current] = await live()
  const result = await deploy(...args)
  expect(result.exitCode, result.stderr).toBe(1)
  expect(result.json.error).toMatchObject({ code: 'E_RELEASE_FAILED', message: expect.stringContaining(`is back on release ${current}`) })
  const failed = (current ?? 0) + 1
  const { release, capsule } = (await place.kiln(['releases', 'show', String(failed), '--capsule', '--json'])).json
  expect(release).toMatchObject({ state: 'rolled-back', restore: 'done' })
  const texts = new Map((capsule as { object: string; text: string }[]).map(({ object, text }) => [object.split('/').at(-1) ?? '', text]))
  expect(texts.get('group.json')).toContain('not in the mood')
  const named = (start: string): readonly string[] => [...texts].flatMap(([name, text]) => (name.startsWith(start) ? [text] : []))
  expect(named('serial-').filter((text) => text.length > 0)).not.toEqual([])
  // What the sick machine itself answers, and its whole journal: the server's words and systemd's.
  expect(named('health-').join('\n')).toMatch(/\/healthz\n500 [\s\S]*\n\n\{.*not in the mood.*\}\n/)
  expect(named('journal-').join('\n')).toMatch(/\] moshi-srv\[\d+\]: /)
  expect(named('journal-').join('\n')).toMatch(/\] systemd\[1\]: /)
  expect(await live()).toEqual([current])
  expect(await versionNow()).toBe(next)
  return load.stop()
}

test('a release that answers 500 never gets a request; one that turns bad in its watch goes back too', async () => {
  // The folder is on the version that was rolled back: it goes out again, as release 4, so that the image stays the same from here on.
  expect((await deploy('--bake', '2')).json).toMatchObject({ outcome: 'live', release: 4, version: next })
  await edit('kiln.config.ts', (text) => text.replace('timeoutSeconds: 240', 'timeoutSeconds: 90'))
  expect(await expectItGoesBack('sick', ['--bake', '2', '--keep-disk'])).toMatchObject({ failed: 0, seen: [next] })
  const kept = (await place.kiln(['releases', 'show', '5', '--json'])).json.release.disk as string
  expect(kept).toMatch(/\/disks\/serve-moshi-3-/)
  expect((await place.kiln(['releases', 'prune', '--disks', '--keep', '9', '--json'])).json.disks).toEqual([kept.split('/').at(-1)])
  // Here every machine turns bad at nearly the same time: between that and the way back nobody is left to ask, and the load balancer says so.
  const { seen } = await expectItGoesBack('turning', ['--bake', '120'])
  expect(seen.filter((answer) => answer !== next && answer !== 'status 503')).toEqual([])
})

test(`the daemon killed in the middle of a rollout, twice: the next deploy goes on, and every request is answered (seed ${seed})`, async () => {
  const load = startLoad(url)
  await setMood('calm')
  for (const [index, share] of [seed % 97, seed % 89].entries()) {
    const { pid } = (await place.kiln(['cloud', 'start', '--json'])).json as { pid: number }
    let timer: NodeJS.Timeout | undefined
    const run = await place.kiln(['deploy', '--yes', '--json', '--bake', '2', ...(index === 0 ? [] : ['--force'])], {
      onLine(line) {
        if (line.includes(' is rolling')) timer ??= setTimeout(() => process.kill(pid, 'SIGKILL'), share * 100)
      },
    })
    clearTimeout(timer)
    const context = `seed ${seed}, kill ${index + 1}\n${run.stderr}`
    if (run.exitCode !== 0) {
      const again = await deploy('--bake', '2')
      expect(again.exitCode, `${context}\n${again.stderr}`).toBe(0)
    }
    expect(await live(), context).toHaveLength(1)
    expect((await place.kiln(['status', '--json'])).json, context).toMatchObject({ healthy: true, server: { size: 2 } })
  }
  expect(await load.stop(), `seed ${seed}`).toMatchObject({ failed: 0, seen: [next], troubles: [] })
})

test('kiln destroy takes all that releases made', async () => {
  const result = await place.kiln(['destroy', '--yes', '--json'])
  expect(result.exitCode, result.stderr).toBe(0)
  expect(await place.machines()).toEqual([])
  expect((await place.kiln(['destroy', '--yes', '--json'])).json.removed).toBe(0)
})
