/** `kiln synth`: the stack as Terraform, Packer, workflows and Makefile. */
import type { Command } from 'commander'
import type { SynthResult } from '../../app/synthesis/synth.ts'
import { defineCommand } from '../define-command.ts'

export function addSynthCommand(program: Command): void {
  defineCommand(program, {
    name: 'synth',
    summary: 'write ops/terraform, ops/packer, .github/workflows and the Makefile from the config',
    arguments: [{ form: '[dir]', help: 'folder of kiln.config.ts (default: the current one)' }],
    options: [
      { flags: '--check', help: 'write nothing; exit code 1, with the list, when a file is not as the config wants it' },
      { flags: '--adopt', help: 'replace files that people wrote; each stays beside it as NAME.before-kiln' },
      { flags: '--imports', help: 'write ops/terraform/imports.tf too: Terraform takes over what exists already' },
    ],
    stack: true,
    footer: 'Files without Kiln’s header are never overwritten without --adopt. Files of an earlier run that the config no longer wants are removed.',
    async action(invocation) {
      const { isInSync, synth } = await import('../../app/synthesis/synth.ts')
      const check = invocation.options['check'] === true
      const result = await synth({
        dir: invocation.stackDir(invocation.args[0]),
        signal: invocation.signal,
        check,
        adopt: invocation.options['adopt'] === true,
        imports: invocation.options['imports'] === true,
      })
      return { ...result, inSync: !check || isInSync(result), checked: check, ...(check && !isInSync(result) ? { exitCode: 1 } : {}) }
    },
    render(result) {
      const { created, updated, removed, adopted, unchanged } = result as unknown as SynthResult
      const lines = [
        ...created.map((path) => `create   ${path}`),
        ...updated.map((path) => `update   ${path}`),
        ...adopted.map((path) => `${result['checked'] === true ? 'foreign ' : 'adopt   '} ${path}`),
        ...removed.map((path) => `remove   ${path}`),
      ]
      if (lines.length === 0) return `${unchanged} files are as the config wants them`
      if (result['checked'] !== true) return [...lines, `${lines.length} written or removed, ${unchanged} unchanged`].join('\n')
      return [...lines, `${lines.length} not as the config wants them: run kiln synth`].join('\n')
    },
  })
}
