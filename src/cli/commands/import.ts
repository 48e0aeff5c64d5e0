/** `kiln import`: an existing project as the draft of a config. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { ImportVerbResult } from '../../app/import/verb.ts'
import { defineCommand } from '../define-command.ts'

export function addImportCommand(program: Command): void {
  defineCommand(program, {
    name: 'import',
    summary: 'read an existing project into a draft of kiln.config.ts, and say what it does not understand',
    arguments: [{ form: '<project>', help: 'id of the project' }],
    options: [
      { flags: '--out <dir>', help: 'write the draft and its files into this folder; nothing is written over (default: show it)' },
      { flags: '--target <where>', help: 'pocket: the pocket cloud of this KILN_HOME (default); gcp: Google Cloud, with the credentials of gcloud', parse: parseTarget },
    ],
    footer: 'Only reads. What an image contains and the values of secrets are not in the cloud: the draft says where a person has to look.',
    async action(invocation) {
      const { importVerb } = await import('../../app/import/verb.ts')
      const { home, signal, note, options } = invocation
      return importVerb({
        home,
        signal,
        note,
        projectId: invocation.args[0] ?? '',
        target: options['target'] === 'gcp' ? 'gcp' : 'pocket',
        out: typeof options['out'] === 'string' ? options['out'] : undefined,
      })
    },
    render(result) {
      const { config, files, foreign, written } = result as ImportVerbResult
      const texts = written.length > 0 ? written.map((path) => `wrote ${path}`) : [config, ...Object.entries(files).map(([name, text]) => `// ${name}\n${text}`)]
      const others = foreign.map(({ what, why }) => `  ${what}: ${why}`)
      return [...texts, ...(others.length === 0 ? ['everything that was found is in the draft'] : [`not in the draft (${others.length}):`, ...others])].join('\n')
    },
  })
}

function parseTarget(text: string): string {
  if (text === 'pocket' || text === 'gcp') return text
  throw new InvalidArgumentError('expected pocket or gcp')
}
