/** `kiln cloud exec | env | shell`: unmodified Google tools against the pocket cloud. */
import type { Command } from 'commander'
import { startCloud } from '../../app/cloud/control.ts'
import { startOfflineProxy } from '../../app/cloud/offline-proxy.ts'
import { runInForeground } from '../../app/cloud/run-tool.ts'
import { applyEnvironment, toolEnvironment } from '../../app/cloud/tools.ts'
import type { ToolEnvironment, ToolIdentity } from '../../app/cloud/tools.ts'
import { KilnError } from '../../base/errors.ts'
import { defineCommand } from '../define-command.ts'
import type { Invocation, OptionSpec } from '../define-command.ts'

const identityOptions: readonly OptionSpec[] = [
  { flags: '--as <email>', help: 'as this service account (a key of it is made once, and kept in KILN_HOME)' },
  { flags: '--credentials <file>', help: 'with this credential file: service account key, workload identity (external_account), authorized_user' },
  { flags: '--project <id>', help: 'the project that tools take when none is named (default: the only one there is)' },
]

const footer = `Examples:
  kiln cloud exec -- gcloud compute instances list
  kiln cloud exec -- terraform apply
  kiln cloud exec --as reader@my-project.iam.gserviceaccount.com -- python3 script.py
  eval "$(kiln cloud env)"`

/** Adds the verbs to `kiln cloud`. */
export function addCloudToolCommands(cloud: Command): void {
  defineCommand(cloud, {
    name: 'exec',
    summary: 'run a program that speaks Google Cloud against the pocket cloud, unmodified: `kiln cloud exec -- gcloud projects list`',
    options: [...identityOptions, { flags: '--offline', help: "let the program reach nothing but Google's hosts, which the pocket cloud serves" }],
    foreground: true,
    footer,
    async action(invocation) {
      const [program, ...args] = invocation.rest
      if (program === undefined) throw new KilnError('E_USAGE', 'there is no program to run', { hint: 'put it after two dashes: kiln cloud exec -- gcloud projects list' })
      const offline = invocation.options['offline'] === true
      const { daemon } = await startCloud({ home: invocation.home })
      const proxy = offline ? await startOfflineProxy(daemon.url) : undefined
      try {
        const tool = await environmentOf(invocation, daemon.url, proxy?.url)
        const exitCode = await runInForeground(program, args, {
          env: applyEnvironment(process.env, tool),
          signal: invocation.signal,
          stdout: invocation.json ? 'stderr' : 'inherit',
        })
        return { program, status: exitCode, exitCode }
      } finally {
        await proxy?.close()
      }
    },
  })

  defineCommand(cloud, {
    name: 'env',
    summary: 'print the variables that `exec` sets, for a shell: eval "$(kiln cloud env)"',
    options: identityOptions,
    footer,
    async action(invocation) {
      const { daemon } = await startCloud({ home: invocation.home })
      const { set, unset, project } = await environmentOf(invocation, daemon.url)
      return { set, unset, ...(project === undefined ? {} : { project }) }
    },
    render: (result) => shellLines(result as unknown as ToolEnvironment),
  })

  defineCommand(cloud, {
    name: 'shell',
    summary: 'open your shell with the variables that `exec` sets',
    options: identityOptions,
    foreground: true,
    async action(invocation) {
      const { daemon } = await startCloud({ home: invocation.home })
      const tool = await environmentOf(invocation, daemon.url)
      const shell = process.env['SHELL'] ?? '/bin/sh'
      invocation.note(`${shell}: Google's tools talk to the pocket cloud at ${daemon.url}${tool.project === undefined ? '' : `, project ${tool.project}`}. Leave with exit.`)
      const exitCode = await runInForeground(shell, [], { env: applyEnvironment(process.env, tool), signal: invocation.signal })
      return { shell, status: exitCode, exitCode }
    },
  })
}

async function environmentOf(invocation: Invocation, url: string, proxyUrl?: string): Promise<ToolEnvironment> {
  const project = invocation.options['project'] as string | undefined
  return toolEnvironment({
    home: invocation.home,
    url,
    identity: identityOf(invocation),
    env: process.env,
    ...(project === undefined ? {} : { project }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
  })
}

function identityOf({ options }: Invocation): ToolIdentity {
  const email = options['as'] as string | undefined
  const path = options['credentials'] as string | undefined
  if (email !== undefined && path !== undefined) throw new KilnError('E_USAGE', '--as and --credentials say who the program is twice', { hint: 'give one of them' })
  if (email !== undefined) return { kind: 'account', email }
  return path === undefined ? { kind: 'owner' } : { kind: 'file', path }
}

function shellLines({ set, unset }: ToolEnvironment): string {
  return [...unset.map((name) => `unset ${name}`), ...Object.entries(set).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`)].join('\n')
}
