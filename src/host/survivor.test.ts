/** A program that ends in its own time, whatever happens to the process that started it. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../base/wait.ts'
import { exists } from './files.ts'
import { runSurvivor } from './survivor.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-survivor-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const there = (path: string): Promise<void> =>
  waitFor({ what: path, timeoutMs: 30_000, intervalMs: 20 }, async () => ((await exists(path)) ? { done: true, value: undefined } : { done: false, status: 'absent' }))

test('gives whole lines, the last one without its end too, and the exit code', async () => {
  const lines: string[] = []
  const result = await runSurvivor(
    { program: 'sh', args: ['-c', 'printf "one\\ntw"; sleep 0.2; printf "o\\nthrée" >&2; exit 3'] },
    { logFile: join(folder, 'log'), onLine: (line) => void lines.push(line) },
  )
  expect([lines, result]).toEqual([['one', 'two', 'thrée'], { exitCode: 3, endedBy: undefined, interrupted: false }])
})

test('a program that is not there is told', async () => {
  await expect(runSurvivor({ program: 'no-such-program', args: [] }, { logFile: join(folder, 'log') })).rejects.toMatchObject({ code: 'E_TOOL_MISSING' })
})

test('goes on to its end when the process that started it is killed', async () => {
  const script = join(folder, 'starter.ts')
  const survivor = fileURLToPath(new URL('survivor.ts', import.meta.url))
  const program = `echo begun; : >${folder}/begun; until [ -e ${folder}/go ]; do sleep 0.05; done; echo more && echo more && : >${folder}/finished`
  await writeFile(
    script,
    `import { runSurvivor } from ${JSON.stringify(survivor)}\nawait runSurvivor({ program: 'sh', args: ['-c', ${JSON.stringify(program)}] }, { logFile: ${JSON.stringify(join(folder, 'log'))} })\n`,
  )
  const starter = spawn(process.execPath, [script], { stdio: 'ignore' })
  await there(join(folder, 'begun'))
  const gone = new Promise((resolve) => starter.once('exit', resolve))
  starter.kill('SIGKILL')
  await gone
  await writeFile(join(folder, 'go'), '')
  await there(join(folder, 'finished'))
  expect(await readFile(join(folder, 'log'), 'utf8')).toBe('begun\nmore\nmore\n')
})
