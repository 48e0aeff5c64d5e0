/** Bad input through the real command line: a clear error with a code and the concrete place, exit code 1, and nothing started or lost. */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../src/base/wait.ts'
import { exists } from '../src/host/files.ts'
import { createWorkplace } from './support/kiln.ts'
import type { KilnResult, Workplace } from './support/kiln.ts'

let place: Workplace
beforeEach(async () => {
  place = await createWorkplace()
})
afterEach(() => place.remove())

const whole = `import { defineStack } from 'kiln'
export default defineStack({
  project: { id: 'moshi-3' },
  location: { region: 'us-central1' },
  images: {
    base: { debian: 'bookworm' },
    srv: { from: 'base', python: ['moshi-server'], files: { './entrypoint.sh': '/opt/entrypoint.sh' } },
  },
})
`

/** Pids of processes that have this data folder in their environment. */
async function processesOf(home: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const environments = await Promise.all(pids.map(async (pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
  return pids.filter((_pid, index) => environments[index]?.split('\0').includes(`KILN_HOME=${home}`) === true)
}

async function upWith(text: string): Promise<KilnResult> {
  await writeFile(join(place.stack, 'kiln.config.ts'), text)
  return place.kiln(['up', '--yes', '--json'])
}

async function expectRefused(result: KilnResult, code: string, ...words: readonly string[]): Promise<void> {
  expect(result.json.error?.code, result.stderr).toBe(code)
  for (const word of words) expect(result.stderr).toContain(word)
  expect(result.exitCode).toBe(1)
  expect(result.stderr, 'the next action is said').toMatch(/^next {2}/m)
  expect(await exists(join(place.home, 'cloud')), 'nothing was started').toBe(false)
}

describe('the config', () => {
  test('that is not there', async () => {
    await rm(join(place.stack, 'kiln.config.ts'))
    await expectRefused(await place.kiln(['up', '--yes', '--json']), 'E_CONFIG_NOT_FOUND', place.stack)
  })

  const cases: readonly [name: string, change: (text: string) => string, code: string, words: readonly string[]][] = [
    ['with a syntax error', (text) => text.replace("region: 'us-central1' }", 'region: '), 'E_CONFIG_SYNTAX', ['kiln.config.ts:']],
    ['with an unknown key', (text) => text.replace("debian: 'bookworm'", "debian: 'bookworm', pakages: []"), 'E_CONFIG_INVALID', ['images.base.pakages', 'packages']],
    [
      'with a wrong type',
      (text) => text.replace("python: ['moshi-server']", "python: ['moshi-server'], health: { port: 'x' }"),
      'E_CONFIG_INVALID',
      ['images.srv.health.port', '"x"'],
    ],
    ['with an unknown region', (text) => text.replace('us-central1', 'us-centrall'), 'E_CONFIG_INVALID', ['location.region', 'us-central1']],
    [
      'with images in a circle',
      (text) => text.replace("base: { debian: 'bookworm' }", "base: { from: 'srv', files: { './entrypoint.sh': '/opt/entrypoint.sh' } }"),
      'E_CONFIG_CYCLE',
      ['base', 'srv'],
    ],
    ['with a path that is not there', (text) => text.replace('./entrypoint.sh', './nowhere.sh'), 'E_CONFIG_INVALID', ['nowhere.sh']],
  ]
  test.each(cases)('%s', async (_name, change, code, words) => {
    await expectRefused(await upWith(change(whole)), code, ...words)
  })
})

describe('the package', () => {
  test('without pyproject.toml', async () => {
    await rm(join(place.stack, 'server/pyproject.toml'))
    await expectRefused(await place.kiln(['publish', '--yes', '--json']), 'E_PACKAGE_INVALID', 'pyproject.toml')
  })

  test('with a name that is not valid', async () => {
    await writeFile(join(place.stack, 'server/pyproject.toml'), '[project]\nname = "-moshi-"\nversion = "1"\n')
    await expectRefused(await place.kiln(['publish', '--yes', '--json']), 'E_PACKAGE_INVALID', '-moshi-')
  })
})

describe('the machine and its state', () => {
  test('a data folder of a newer Kiln is refused and left as it is', async () => {
    expect((await place.kiln(['cloud', 'start', '--json'])).exitCode).toBe(0)
    await place.kiln(['cloud', 'stop'])
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(join(place.home, 'cloud/cloud.db'))
    database.exec('UPDATE kiln_migrations SET version = version + 1000')
    database.close()
    const result = await place.kiln(['cloud', 'start', '--json'])
    expect(result.json.error.code).toBe('E_DATA_NEWER')
    const again = new DatabaseSync(join(place.home, 'cloud/cloud.db'))
    again.exec('UPDATE kiln_migrations SET version = version - 1000')
    again.close()
    expect((await place.kiln(['cloud', 'start', '--json'])).exitCode).toBe(0)
  })

  test('a port that is taken', async () => {
    const first = (await place.kiln(['cloud', 'start', '--json'])).json
    const other = await createWorkplace()
    const result = await other.kiln(['cloud', 'start', '--port', String(first.port), '--json'])
    expect(result.json.error).toMatchObject({ code: 'E_PORT_TAKEN', hint: expect.stringContaining('--port') })
    await waitFor({ what: 'the end of the daemon that could not begin', timeoutMs: 30_000 }, async () => {
      const left = await processesOf(other.home)
      return left.length === 0 ? { done: true, value: undefined } : { done: false, status: `process ${left.join()}` }
    })
    await other.remove()
  })

  test('two starts at once give one daemon', async () => {
    const [one, two] = await Promise.all([place.kiln(['cloud', 'start', '--json']), place.kiln(['cloud', 'start', '--json'])])
    expect(one.json.pid, one.stderr + two.stderr).toBe(two.json.pid)
  })

  test('a daemon that was killed is replaced, and tokens and projects are still there', async () => {
    const { pid } = (await place.kiln(['cloud', 'start', '--json'])).json
    const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
    process.kill(pid, 'SIGKILL')
    const again = (await place.kiln(['cloud', 'start', '--json'])).json
    expect(again.pid).not.toBe(pid)
    const answer = await fetch(`${again.url}/cloudresourcemanager.googleapis.com/v1/projects`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(200)
  })

  test('without a terminal and without --yes nothing is changed', async () => {
    const result = await place.kiln(['cloud', 'reset', '--json'])
    expect(result.json.error.code).toBe('E_NOT_CONFIRMED')
  })

  test('tools that are missing are named with the package that has them', async () => {
    const empty = join(place.home, '..', 'empty')
    await mkdir(empty)
    const path = process.env['PATH']
    try {
      process.env['PATH'] = empty
      const result = await place.kiln(['doctor', '--json'])
      expect(result.json.findings.length).toBeGreaterThan(10)
      for (const finding of result.json.findings) expect(finding).toMatchObject({ name: expect.any(String), package: expect.any(String), neededBy: expect.any(String) })
    } finally {
      process.env['PATH'] = path
    }
  })

  test('a wrong command line ends with exit code 2 and says what is wrong', async () => {
    const result = await place.kiln(['frobnicate'])
    expect(result.exitCode).toBe(2)
    expect(result.stderr).toContain('frobnicate')
  })
})
