/** Verbs over a whole stack: up, plan, status, destroy. */
import type { Command } from 'commander'
import type { Plan } from '../../app/plan-types.ts'
import type { StatusResult } from '../../app/status.ts'
import type { UpResult } from '../../app/up.ts'
import { formatDuration } from '../../base/units.ts'
import { defineCommand } from '../define-command.ts'
import { renderServing } from '../render/releases.ts'
import { planSummary, renderPlan } from '../render/plan.ts'
import { stackVerbs, targetOption } from '../target.ts'
import { verbOptions, withProgress } from '../with-progress.ts'

const dirArgument = { form: '[dir]', help: 'folder of kiln.config.ts (default: the current one)' }

export function addStackCommands(program: Command): void {
  defineCommand(program, {
    name: 'up',
    summary: 'plan, ask, then run the whole runbook in order; safe to repeat, resumes where it stopped',
    arguments: [dirArgument],
    options: [targetOption],
    stack: true,
    asks: true,
    footer: `Runs on the pocket cloud of this KILN_HOME, which is started when it does not run. A stack of another folder: kiln up examples/moshi
On Google Cloud: kiln up --target gcp. First see what is missing: kiln doctor --target gcp`,
    async action(invocation) {
      const { up } = await stackVerbs(invocation)
      return withProgress(invocation, invocation.stackDir(invocation.args[0]), 'Make these changes?', up)
    },
    render(result) {
      const done = result as UpResult
      const lines = [`${done.changes === 0 ? 'nothing to change' : `${done.changes} changes`} in ${formatDuration(done.durationMs)}`]
      if (done.package !== undefined) lines.push(`package  ${done.package} ${done.version ?? ''}`, `index    ${done.indexUrl ?? ''}`)
      if (done.image !== undefined) lines.push(`image    ${done.image}`, `digest   ${done.imageDigest ?? ''}`)
      if (done.release !== undefined) lines.push(`release  ${done.release}`)
      if (done.github !== undefined) lines.push(`github   ${done.github.provider} as ${done.github.serviceAccount}`)
      if (done.url !== undefined) lines.push(`url      ${done.url}`)
      return lines.join('\n')
    },
  })

  defineCommand(program, {
    name: 'plan',
    summary: 'what `up` would change, and why; drift included',
    arguments: [dirArgument],
    options: [targetOption],
    stack: true,
    async action(invocation) {
      const { plan } = await stackVerbs(invocation)
      const made = await plan(verbOptions(invocation, invocation.stackDir(invocation.args[0])))
      return { stack: made.stack, summary: planSummary(made), nodes: made.nodes }
    },
    render: (result) => renderPlan({ stack: String(result['stack']), nodes: result['nodes'] as Plan['nodes'] }, process.stdout),
  })

  defineCommand(program, {
    name: 'status',
    summary: 'what is there, compared with the config',
    arguments: [dirArgument],
    options: [{ flags: '--healthy', help: 'look at the server alone; exit code 1 unless it answers its health path' }, targetOption],
    stack: true,
    async action(invocation) {
      const options = verbOptions(invocation, invocation.stackDir(invocation.args[0]))
      if (invocation.options['healthy'] !== true) return (await stackVerbs(invocation)).status(options)
      const { serverStatus } = await import('../../app/status.ts')
      const seen = await serverStatus(options)
      return { ...seen, ...(seen.healthy === true ? {} : { exitCode: 1 }) }
    },
    render(result) {
      const seen = result as StatusResult
      const rows = (seen.resources ?? []).map((row) => `${row.state.padEnd(8)} ${row.address}${row.reasons.length === 0 ? '' : `  ${row.reasons.join('; ')}`}`)
      const server = seen.server === undefined ? [] : renderServing(seen.server)
      const health = seen.url === undefined ? [] : [`${seen.healthy === true ? 'healthy ' : 'NOT WELL'} ${seen.url}`]
      const github = seen.github === undefined ? [] : [`github   ${seen.github.provider} as ${seen.github.serviceAccount}`]
      return [`stack ${seen.stack} on ${seen.cloud}`, ...rows, ...github, ...server, ...health].join('\n')
    },
  })

  defineCommand(program, {
    name: 'destroy',
    summary: 'remove everything that Kiln made for the stack, and nothing else',
    arguments: [dirArgument],
    options: [targetOption],
    stack: true,
    asks: true,
    async action(invocation) {
      const { destroy } = await stackVerbs(invocation)
      const { removed } = await withProgress(invocation, invocation.stackDir(invocation.args[0]), 'Remove all this?', destroy)
      return { removed }
    },
    render: (result) => `${String(result['removed'])} removed`,
  })
}
