/** Verbs that look inside a VM: dev, logs, serial, ssh. */
import { spawn } from 'node:child_process'
import type { Command } from 'commander'
import { KilnError } from '../../base/errors.ts'
import { defineCommand } from '../define-command.ts'
import type { Invocation } from '../define-command.ts'
import { devVerb, targetOf, targetOption } from '../target.ts'
import { withProgress } from '../with-progress.ts'

const vmArgument = { form: '[vm]', help: 'name of the VM (default: the dev VM of the config)' }
const followOption = { flags: '-f, --follow', help: 'go on until Ctrl-C' }

export function addVmCommands(program: Command): void {
  defineCommand(program, {
    name: 'dev',
    summary: 'the dev VM from the newest image of its family, healthy, with its logs',
    options: [
      { flags: '--no-follow', help: 'do not show the logs' },
      { flags: '--cold', help: 'a VM that has to be made boots, also where a memory snapshot of its image would be quicker' },
      targetOption,
    ],
    stack: true,
    asks: true,
    async action(invocation) {
      const dev = await devVerb(invocation)
      const result = await withProgress(invocation, invocation.stackDir(), 'Make these changes?', (options) => dev({ ...options, cold: invocation.options['cold'] === true }))
      if (invocation.json || invocation.options['follow'] === false) return { ...result }
      invocation.note(`${result.vm} answers at ${result.url ?? '(no health path)'}; logs follow, Ctrl-C ends them (the VM goes on). Another terminal: kiln ssh ${result.vm}`)
      await show(invocation, result.vm, true, 'logs')
      return { ...result }
    },
    render: (result) => `${String(result['vm'])}  ${String(result['url'] ?? '')}`,
  })

  for (const name of ['logs', 'serial'] as const) {
    defineCommand(program, {
      name,
      summary: name === 'logs' ? 'what the server in a VM writes' : 'everything on serial port 1 of a VM: firmware, kernel, services',
      arguments: [vmArgument],
      options: [followOption, targetOption],
      stack: true,
      async action(invocation) {
        const text = await show(invocation, invocation.args[0], invocation.options['follow'] === true, name)
        return invocation.json ? { vm: invocation.args[0], text } : {}
      },
    })
  }

  defineCommand(program, {
    name: 'ssh',
    summary: 'a shell in a VM, or a command: kiln ssh [vm] -- uname -a',
    arguments: [vmArgument],
    options: [targetOption],
    stack: true,
    footer: 'A command instead of a shell stands after two dashes: kiln ssh moshi-dev -- systemctl status',
    async action(invocation) {
      const { findVm, prepareSsh } = await import('../../app/vm-access.ts')
      const vm = await findVm({ home: invocation.home, target: targetOf(invocation), dir: invocation.stackDir(), name: invocation.args[0] })
      const args = await prepareSsh(vm, invocation.signal, invocation.note)
      return ssh([...args, ...invocation.rest])
    },
  })
}

/** Prints logs as they come; with --json collects them. */
async function show(invocation: Invocation, name: string | undefined, follow: boolean, what: 'logs' | 'serial'): Promise<string | undefined> {
  const { findVm, readLogs, readSerial } = await import('../../app/vm-access.ts')
  const vm = await findVm({ home: invocation.home, target: targetOf(invocation), dir: invocation.stackDir(), name })
  const chunks: string[] = []
  for await (const chunk of what === 'logs' ? readLogs(vm, follow, invocation.signal) : readSerial(vm, follow, invocation.signal)) {
    if (invocation.json) chunks.push(chunk)
    else process.stdout.write(chunk)
  }
  return invocation.json ? chunks.join('') : undefined
}

/** Hands the terminal to ssh. */
async function ssh(args: readonly string[]): Promise<Record<string, unknown>> {
  const exitCode = await new Promise<number>((resolve, reject) => {
    const child = spawn('ssh', [...args], { stdio: 'inherit' })
    child.once('error', (error) => reject(new KilnError('E_TOOL_MISSING', 'the program ssh is not installed', { hint: 'kiln doctor --install', cause: error })))
    child.once('exit', (code) => resolve(code ?? 255))
  })
  return { exitCode }
}
