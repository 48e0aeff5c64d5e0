/** The type checker and the linter are tests, so that "the tests" is one thing. */
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../tools/imports.ts'

const execute = promisify(execFile)
/** The type checker alone takes more than a minute on a machine that is busy with other things. */
const LIMIT_MS = 300_000

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  try {
    await execute(join(root, 'node_modules/.bin', program), [...args], {
      cwd: root,
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` },
      maxBuffer: 16 * 1024 * 1024,
    })
    return ''
  } catch (error) {
    const failure = error as { stdout?: string; stderr?: string; message: string }
    return `${failure.stdout ?? ''}${failure.stderr ?? ''}` || failure.message
  }
}

test(
  'types',
  async () => {
    expect(await outputOf('tsc', ['-p', '.'])).toBe('')
  },
  LIMIT_MS,
)

test(
  'lint',
  async () => {
    expect(await outputOf('oxlint', ['--deny-warnings', 'src', 'tools', 'tests', 'bench'])).toBe('')
  },
  LIMIT_MS,
)

test(
  'format',
  async () => {
    expect(await outputOf('oxfmt', ['--check', 'src', 'tools', 'tests', 'bench', 'vitest.config.ts'])).toBe('')
  },
  LIMIT_MS,
)
