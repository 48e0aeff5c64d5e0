import { Command, CommanderError } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { defineCommand, splitAtDashes, wholeNumber } from './define-command.ts'
import type { CommandSpec, Invocation } from './define-command.ts'

test('only what stands before the first two dashes is ours', () => {
  expect(splitAtDashes(['node', 'kiln', 'ssh', 'dev', '--', 'systemctl', '--', '--json'])).toEqual({ before: ['node', 'kiln', 'ssh', 'dev'], after: ['systemctl', '--', '--json'] })
  expect(splitAtDashes(['node', 'kiln', 'ssh', '--'])).toEqual({ before: ['node', 'kiln', 'ssh'], after: [] })
  expect(splitAtDashes(['node', 'kiln', 'up', '--yes'])).toEqual({ before: ['node', 'kiln', 'up', '--yes'], after: [] })
})

describe('a verb', () => {
  /** Only named: these verbs touch no folder. */
  const home = '/nonexistent/kiln'
  let out = ''
  let err = ''

  beforeEach(() => {
    out = err = ''
    vi.stubEnv('KILN_HOME', home)
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text)
      return true
    })
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text)
      return true
    })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    process.exitCode = undefined
  })

  /** Runs `kiln probe ARGS`; gives the exit code that the process would have. */
  async function kiln(args: readonly string[], spec: Partial<CommandSpec>): Promise<number> {
    const program = new Command('kiln').exitOverride().configureOutput({ writeErr: (text) => void (err += text), writeOut: (text) => void (out += text) })
    defineCommand(program, { name: 'probe', summary: 'looks', action: async () => ({}), ...spec })
    await program.parseAsync(['node', 'kiln', 'probe', ...args])
    return Number(process.exitCode ?? 0)
  }

  test('gives its action the arguments, options and folder, and shows the result to a person', async () => {
    let seen: Invocation | undefined
    const spec: Partial<CommandSpec> = {
      arguments: [{ form: '[dir]', help: 'a folder' }],
      options: [{ flags: '--port <n>', help: 'a port', parse: wholeNumber }],
      stack: true,
      asks: true,
      async action(invocation) {
        seen = invocation
        invocation.note('looking')
        return { answer: 42 }
      },
      render: (result) => `the answer is ${String(result['answer'])}`,
    }
    expect(await kiln(['--port', '0', '-y', '--stack', '/some/stack'], spec)).toBe(0)
    expect(seen).toMatchObject({ args: [undefined], options: { port: 0 }, yes: true, json: false, home: { root: home } })
    expect([seen?.stackDir(), seen?.stackDir('/named')]).toEqual(['/some/stack', '/named'])
    expect([out, err]).toEqual(['the answer is 42\n', 'looking\n'])
    await kiln([], spec)
    expect(seen?.stackDir()).toBe(process.cwd())
  })

  test('--json: one object on the last line of stdout, without the exit code', async () => {
    expect(await kiln(['--json'], { action: async () => ({ ok: false, exitCode: 1 }), render: () => 'not this' })).toBe(1)
    expect(out).toBe('{"ok":false}\n')
  })

  test('an error goes to stderr and, with --json, to stdout too', async () => {
    const action = async (): Promise<never> => {
      throw new KilnError('E_BAKE', 'the image cannot be baked', { hint: 'try again', detail: 'line', cause: new Error('disk on fire') })
    }
    expect(await kiln(['--json'], { action })).toBe(1)
    expect(JSON.parse(out)).toEqual({ error: { code: 'E_BAKE', message: 'the image cannot be baked: disk on fire', hint: 'try again', detail: 'line' } })
    expect(err).toContain('the image cannot be baked: disk on fire')
  })

  test('Ctrl-C reaches the action, and what failed for it is told as cancelled', async () => {
    const action = ({ signal }: Invocation): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('the socket was closed')))
        process.emit('SIGINT', 'SIGINT')
      })
    const before = process.listenerCount('SIGINT')
    expect(await kiln(['--json'], { action })).toBe(130)
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'E_CANCELLED', message: 'probe was cancelled' } })
    expect(process.listenerCount('SIGINT')).toBe(before)
  })

  test.each(['abc', '-1', '1.5', '', ' ', '1e3', '0x10'])('%j is no whole number, which the message says with the name of the option', async (text) => {
    const failed = kiln(['--port', text], { options: [{ flags: '--port <n>', help: 'a port', parse: wholeNumber }] })
    await expect(failed).rejects.toBeInstanceOf(CommanderError)
    expect(err).toContain('--port <n>')
    expect(err).toContain('not a whole number')
  })
})
