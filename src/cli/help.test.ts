/** Every verb with plain Node, as a user starts it: what vitest accepts and Node refuses shows here. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

async function kiln(args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [main, ...args], { env: { ...process.env, COLUMNS: '100', KILN_HOME: '/nonexistent' } })) }
  } catch (error) {
    const failed = error as { readonly code: number; readonly stdout: string; readonly stderr: string }
    return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr }
  }
}

test('--help lists every verb, and each has a sentence', async () => {
  const { code, stdout } = await kiln(['--help'])
  expect(code).toBe(0)
  const verbs = [...stdout.matchAll(/^ {2}([a-z]+)(?: \[\w+\])* {2,}\S/gm)].map(([, verb]) => verb)
  expect(verbs).toEqual(expect.arrayContaining(['up', 'plan', 'status', 'destroy', 'publish', 'bake', 'dev', 'logs', 'serial', 'ssh', 'cloud', 'doctor', 'synth']))
})

test('verbs that change a stack say how to answer yes and how to get JSON', async () => {
  const { stdout } = await kiln(['up', '--help'])
  expect(stdout).toContain('--yes')
  expect(stdout).toContain('--json')
  expect(stdout).toContain('--stack <dir>')
  expect(stdout).toContain('kiln up examples/moshi')
})

test('a wrong command line ends with 2 and says what is wrong', async () => {
  for (const [args, message] of [
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['up', 'a', 'b'], 'too many arguments'],
    [['cloud', 'start', '--port', 'abc'], '--port <n>'],
    [['plan', '--yes'], "unknown option '--yes'"],
  ] as const) {
    const { code, stderr } = await kiln(args)
    expect([args, code]).toEqual([args, 2])
    expect(stderr).toContain(message)
  }
})

test('--json behind a verb that has one above it is heard', async () => {
  for (const args of [
    ['pipelines', 'show', '1', '--json'],
    ['pipelines', 'cancel', '1', '--json'],
    ['doctor', 'github', '--json'],
  ]) {
    const { code, stdout } = await kiln(args)
    expect([args, code]).toEqual([args, 1])
    expect(JSON.parse(stdout), args.join(' ')).toHaveProperty('error.code')
  }
})
