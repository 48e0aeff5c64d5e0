/** Verbs over deliveries: the git remote, the GitHub webhook, pipelines. */
import type { Command } from 'commander'
import type { Delivery, Pipeline } from '../../app/delivery/types.ts'
import { KilnError } from '../../base/errors.ts'
import { formatDuration } from '../../base/units.ts'
import { defineCommand, wholeNumber } from '../define-command.ts'

const numberArgument = { form: '[n]', help: 'number of the pipeline (default: the newest)' }
const limitOption = { flags: '--limit <n>', help: 'at most so many (default: 20)', parse: wholeNumber }

export function addDeliveryCommands(program: Command): void {
  addPipelineCommands(program)
  const remote = program.command('remote').description('the git remote of the pocket cloud: `git push kiln main` delivers')
  defineCommand(remote, {
    name: 'add',
    summary: 'set up the git remote of a stack and name it in this clone; safe to repeat',
    options: [{ flags: '--name <name>', help: 'name of the remote in the clone (default: kiln)' }],
    stack: true,
    footer: 'The remote is a bare repository in KILN_HOME, reached by its path. Commits of the branch `github.branch` (default: main) are delivered, others only stored.',
    async action(invocation) {
      const { addRemote } = await import('../../app/delivery/remote.ts')
      const { name } = invocation.options as { readonly name?: string }
      return addRemote({ home: invocation.home, dir: invocation.stackDir(), name: name ?? 'kiln' })
    },
    render: (result) =>
      [
        `${result['added'] === true ? 'added' : 'is there'}: ${String(result['name'])}  ${String(result['url'])}`,
        `git push ${String(result['name'])} ${String(result['branch'])}   delivers ${String(result['stack'])}${result['folder'] === '' ? '' : ` (${String(result['folder'])})`} and shows it`,
      ].join('\n'),
  })
  addWebhookCommands(program)
}

function addPipelineCommands(program: Command): void {
  const pipelines = defineCommand(program, {
    name: 'pipelines',
    summary: 'what was delivered, what runs, what waits',
    options: [limitOption],
    async action({ home, options }) {
      const { listPipelines } = await import('../../app/delivery/view.ts')
      return { pipelines: await listPipelines(home, (options['limit'] as number | undefined) ?? 20) }
    },
    render: (result) => (result['pipelines'] as readonly Pipeline[]).map(pipelineLine).join('\n') || 'no pipeline has run here yet',
  })
  pipelines.enablePositionalOptions()

  defineCommand(pipelines, {
    name: 'show',
    summary: 'one pipeline with its stages',
    arguments: [numberArgument],
    async action({ home, args }) {
      const { showPipeline } = await import('../../app/delivery/view.ts')
      return { ...(await showPipeline(home, pipelineNumber(args[0]))) }
    },
    render: (result) => renderPipeline(result as unknown as Pipeline),
  })

  defineCommand(pipelines, {
    name: 'logs',
    summary: 'what the stages of a pipeline wrote',
    arguments: [numberArgument],
    options: [{ flags: '-f, --follow', help: 'go on until the pipeline ends; the exit code is 1 when it did not pass' }],
    async action({ home, args, options, json, signal, note }) {
      const { pipelineLogs } = await import('../../app/delivery/view.ts')
      const onLine = json ? note : (line: string): void => void process.stdout.write(`${line}\n`)
      const follow = options['follow'] === true
      const { id, state, reason } = await pipelineLogs(home, { id: pipelineNumber(args[0]), follow, signal, onLine })
      return { id, state, ...(reason === undefined ? {} : { reason }), exitCode: follow && state !== 'passed' ? 1 : 0 }
    },
  })

  defineCommand(pipelines, {
    name: 'cancel',
    summary: 'end a pipeline: one that waits at once, one that runs at its next safe point',
    arguments: [{ form: '<n>', help: 'number of the pipeline' }],
    async action({ home, args }) {
      const { cancelPipeline } = await import('../../app/delivery/view.ts')
      return { ...(await cancelPipeline(home, requiredNumber(args[0]))) }
    },
    render: (result) =>
      result['state'] === 'cancelled'
        ? `pipeline ${String(result['id'])} is cancelled`
        : `pipeline ${String(result['id'])} was asked to end: kiln pipelines show ${String(result['id'])}`,
  })

  defineCommand(pipelines, {
    name: 'retry',
    summary: 'the same commit once more; stages whose inputs did not change are skipped',
    arguments: [{ form: '<n>', help: 'number of a pipeline that has ended' }],
    async action({ home, args }) {
      const { retryPipeline } = await import('../../app/delivery/view.ts')
      return { ...(await retryPipeline(home, requiredNumber(args[0]))) }
    },
    render: (result) => `pipeline ${String(result['id'])} waits: kiln pipelines logs ${String(result['id'])} --follow`,
  })
}

function addWebhookCommands(program: Command): void {
  const webhook = program.command('webhook').description('the GitHub webhook: pushes and merged pull requests of the branch deliver')
  defineCommand(webhook, {
    name: 'setup',
    summary: "make this stack's webhook known here and say what to enter at GitHub; safe to repeat",
    options: [
      { flags: '--token-file <file>', help: 'GitHub token to fetch a private repository and to report back with (- for standard input)' },
      { flags: '--fetch-url <url>', help: 'where commits are fetched from (default: https://github.com/OWNER/REPO.git)' },
      { flags: '--api-url <url>', help: "GitHub's REST API (default: https://api.github.com)" },
      { flags: '--rotate', help: 'make a new secret; the old one is good no more' },
    ],
    stack: true,
    async action(invocation) {
      const { setUpWebhook } = await import('../../app/delivery/webhook-setup.ts')
      const { tokenFile, fetchUrl, apiUrl, rotate } = invocation.options as { readonly [name in 'tokenFile' | 'fetchUrl' | 'apiUrl']?: string } & { readonly rotate?: boolean }
      return setUpWebhook({
        home: invocation.home,
        dir: invocation.stackDir(),
        rotate: rotate === true,
        ...(tokenFile === undefined ? {} : { tokenFile }),
        ...(fetchUrl === undefined ? {} : { fetchUrl }),
        ...(apiUrl === undefined ? {} : { apiUrl }),
      })
    },
    render: (result) =>
      [
        `at GitHub, ${String(result['repository'])}, Settings, Webhooks:`,
        `  Payload URL   https://YOUR-TUNNEL${String(result['path'])}`,
        '  Content type  application/json',
        '  Secret        kiln webhook secret',
        '  Events        pushes (or pull requests)',
        `the tunnel leads to ${String(result['localUrl'] ?? 'the daemon: kiln cloud start')}`,
        result['reports'] === true ? 'commits and deployments are reported back' : 'nothing is reported back: there is no token (--token-file FILE)',
      ].join('\n'),
  })

  defineCommand(webhook, {
    name: 'secret',
    summary: 'print the secret that GitHub signs with',
    stack: true,
    async action(invocation) {
      const { webhookSecret } = await import('../../app/delivery/webhook-setup.ts')
      return webhookSecret(invocation.home, invocation.stackDir())
    },
    render: (result) => String(result['secret']),
  })

  defineCommand(webhook, {
    name: 'deliveries',
    summary: 'what came in, and what became of it',
    options: [limitOption],
    async action({ home, options }) {
      const { webhookDeliveries } = await import('../../app/delivery/webhook-setup.ts')
      return { deliveries: await webhookDeliveries(home, (options['limit'] as number | undefined) ?? 20) }
    },
    render: (result) =>
      (result['deliveries'] as readonly Delivery[])
        .map((each) => `${each.receivedAt}  ${each.outcome.padEnd(8)} ${(each.event ?? '-').padEnd(13)} ${each.stack}  ${each.delivery ?? '-'}  ${each.reason}`)
        .join('\n') || 'nothing came in yet',
  })
}

function pipelineLine({ id, state, stack, commit, subject, trigger, createdAt, reason }: Pipeline): string {
  return `${String(id).padStart(4)}  ${state.padEnd(10)} ${stack}  ${commit.slice(0, 7)}  ${subject.slice(0, 50)}  (${trigger}, ${createdAt})${state === 'passed' || reason === undefined ? '' : `\n      ${reason}`}`
}

/** The head line, then one line for each stage. */
export function renderPipeline(pipeline: Pipeline): string {
  const stages = pipeline.stages.map((stage) => {
    const tookMs = stage.startedAt === undefined || stage.endedAt === undefined ? undefined : Date.parse(stage.endedAt) - Date.parse(stage.startedAt)
    return [
      `      ${stage.state.padEnd(10)} ${stage.name.padEnd(9)}${tookMs === undefined ? '' : ` ${formatDuration(tookMs)}`}${stage.attempts > 1 ? `, ${stage.attempts} attempts` : ''}`,
      ...(stage.error === undefined
        ? []
        : [`        ${stage.error.code} ${stage.error.message}`, ...(stage.error.hint === undefined ? [] : [`        next  ${stage.error.hint}`])]),
    ].join('\n')
  })
  return [pipelineLine(pipeline), ...stages].join('\n')
}

function pipelineNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new KilnError('E_USAGE', `${JSON.stringify(text)} is not the number of a pipeline`, { hint: '`kiln pipelines` lists them' })
}

function requiredNumber(text: string | undefined): number {
  const id = pipelineNumber(text)
  if (id === undefined) throw new KilnError('E_USAGE', 'which pipeline? no number is given', { hint: '`kiln pipelines` lists them' })
  return id
}
