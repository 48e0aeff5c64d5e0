/** `kiln cloud fault …`: faults on purpose, to see how programs take them. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { addFault, listFaults, removeFaults } from '../../app/cloud/faults.ts'
import type { SetFault } from '../../app/cloud/faults.ts'
import { KilnError } from '../../base/errors.ts'
import { defineCommand, wholeNumber } from '../define-command.ts'

const KINDS = `Kinds, each with what it needs:
  api           calls answer with --status (a Google status or an HTTP code), also --retry-after, --message, --reason
  latency       calls wait --ms, and up to --jitter more
  operation     operations that calls start end in an error: --status, --reason (the code that Compute Engine shows), --message
  quota         --quota NAME is used up after --limit calls (default 0) of a creating method, or of --method
  rate          more than --per-minute calls of one project get 429 until the minute is over
  slow-boot     VMs start --seconds later; --instance says which
  unhealthy     health probes of VMs fail, whatever these answer; --instance says which
  token-expiry  new tokens live --seconds (--silent: while answers promise an hour); --now ends those that exist

Examples:
  kiln cloud fault add api --status 503 --retry-after 2 --method 'compute.*' --probability 0.3 --seed 7
  kiln cloud fault add api --status RESOURCE_EXHAUSTED --service storage --count 5
  kiln cloud fault add latency --ms 200 --jitter 300 --host '*.googleapis.com'
  kiln cloud fault add operation --method compute.instances.insert --reason ZONE_RESOURCE_POOL_EXHAUSTED --status UNAVAILABLE
  kiln cloud fault add quota --quota CPUS --limit 4 --method compute.instances.insert --project moshi-3
  kiln cloud fault add rate --per-minute 60 --service artifactregistry
  kiln cloud fault add slow-boot --seconds 60 --instance 'moshi-srv-*'
  kiln cloud fault add unhealthy --instance moshi-srv-x4k2
  kiln cloud fault add token-expiry --seconds 20 --principal '*@moshi-3.iam.gserviceaccount.com'
  kiln cloud fault add token-expiry --now --principal 'serviceAccount:*'

In matchers * is any text; all that are given must match; none: every call. Faults outlive a restart, and go with fault remove, fault clear or cloud reset.
An answer that a fault made has the header x-kiln-fault; a call with the header "x-kiln-faults: off" is spared.`

/** Command line option -> field of the fault. */
const fields: Readonly<Record<string, string>> = {
  status: 'status',
  retryAfter: 'retryAfterSeconds',
  message: 'message',
  reason: 'reason',
  ms: 'ms',
  jitter: 'jitterMs',
  quota: 'quota',
  limit: 'limit',
  perMinute: 'perMinute',
  seconds: 'seconds',
  silent: 'silent',
  now: 'now',
  host: 'host',
  service: 'service',
  method: 'method',
  project: 'project',
  principal: 'principal',
  instance: 'instance',
  probability: 'probability',
  seed: 'seed',
  count: 'count',
}

export function addFaultCommands(cloud: Command): void {
  const fault = cloud.command('fault').description('make the pocket cloud fail on purpose: errors, latency, quotas, slow boots, short-lived tokens')

  defineCommand(fault, {
    name: 'add',
    summary: 'set a fault; it strikes from the next call on',
    arguments: [{ form: '<kind>', help: 'api, latency, operation, quota, rate, slow-boot, unhealthy or token-expiry' }],
    options: [
      { flags: '--host <glob>', help: 'only calls to this Google host' },
      { flags: '--service <glob>', help: 'only calls of this service: storage, storage.googleapis.com' },
      { flags: '--method <glob>', help: "only calls of this method, by Google's id: compute.instances.insert, storage.objects.*" },
      { flags: '--project <glob>', help: 'only calls in this project (its id)' },
      { flags: '--principal <glob>', help: 'only calls by this account: an e-mail, or as in IAM policies' },
      { flags: '--instance <glob>', help: 'only VMs of this name' },
      { flags: '--status <status>', help: 'UNAVAILABLE, RESOURCE_EXHAUSTED … or 503, 429 …' },
      { flags: '--retry-after <s>', help: 'the Retry-After header, in seconds', parse: wholeNumber },
      { flags: '--message <text>', help: 'the text of the error' },
      { flags: '--reason <word>', help: 'the reason in the error, or the code of a Compute Engine operation' },
      { flags: '--ms <n>', help: 'milliseconds to wait', parse: wholeNumber },
      { flags: '--jitter <n>', help: 'up to so many milliseconds more', parse: wholeNumber },
      { flags: '--quota <name>', help: 'name of the quota: CPUS, IMAGES' },
      { flags: '--limit <n>', help: 'calls that the quota lets pass', parse: wholeNumber },
      { flags: '--per-minute <n>', help: 'calls a minute', parse: wholeNumber },
      { flags: '--seconds <n>', help: 'seconds of delay or of life', parse: wholeNumber },
      { flags: '--silent', help: 'answers go on promising the usual lifetime' },
      { flags: '--now', help: 'end tokens that exist' },
      { flags: '--probability <p>', help: 'strike each matching call with this probability (0 to 1)', parse: fraction },
      { flags: '--seed <n>', help: 'fixes which calls --probability strikes', parse: wholeNumber },
      { flags: '--count <n>', help: 'strike at most so often', parse: wholeNumber },
    ],
    footer: KINDS,
    async action({ home, args, options }) {
      const given = Object.entries(options).flatMap(([option, value]) => (fields[option] === undefined || value === undefined ? [] : [[fields[option], value] as const]))
      return { ...(await addFault(home, { kind: args[0], ...Object.fromEntries(given) })) }
    },
    render(result) {
      const ended = typeof result['endedTokens'] === 'number' ? [`ended tokens: ${result['endedTokens']}`] : []
      const added = result['fault'] === undefined ? [] : [describeFault(result['fault'] as SetFault)]
      return [...added, ...ended].join('\n')
    },
  })

  defineCommand(fault, {
    name: 'list',
    summary: 'what is set, and how often it struck',
    async action({ home }) {
      return { faults: await listFaults(home) }
    },
    render: (result) => renderFaults(result['faults'] as readonly SetFault[]) || 'no fault is set',
  })

  defineCommand(fault, {
    name: 'remove',
    summary: 'remove one fault',
    arguments: [{ form: '<id>', help: 'as `fault list` shows it: f1' }],
    async action({ home, args }) {
      if (args[0] === undefined || args[0] === '') throw new KilnError('E_USAGE', 'a fault has an id', { hint: '`kiln cloud fault list` shows what is set' })
      return { ...(await removeFaults(home, args[0])), id: args[0] }
    },
    render: (result) => `removed ${String(result['id'])}`,
  })

  defineCommand(fault, {
    name: 'clear',
    summary: 'remove all faults',
    async action({ home }) {
      return { ...(await removeFaults(home)) }
    },
    render: (result) => (result['removed'] === 0 ? 'none was set' : `removed: ${String(result['removed'])}`),
  })
}

/** One line for each fault. */
export function renderFaults(faults: readonly SetFault[]): string {
  return faults.map(describeFault).join('\n')
}

/** `f1  api  status=UNAVAILABLE method=compute.*  struck 3 of 9 calls`. */
function describeFault(fault: SetFault): string {
  const { id, kind, createTime: _createTime, seen, struck, ...told } = fault
  const words = Object.entries(told).map(([field, value]) => `${field}=${typeof value === 'string' && /\s/.test(value) ? JSON.stringify(value) : String(value)}`)
  const spent = typeof told['count'] === 'number' && struck >= told['count'] ? ', spent' : ''
  return `${id}  ${kind}  ${words.join(' ')}  struck ${struck} of ${seen} matching${spent}`
}

function fraction(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 1)) throw new InvalidArgumentError('It is not a number over 0 and up to 1.')
  return value
}
