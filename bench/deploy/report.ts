/** The result of the deploy benchmark as Markdown. */
import { formatRatio, formatSeconds } from '../statistics.ts'
import { loads, upstreams, ways } from './balancer.ts'
import type { LoadName, UpstreamName } from './balancer.ts'
import type { DeployBenchResult } from './deploy.ts'

/** The whole text, with a line end. */
export function deployReport(result: DeployBenchResult): string {
  const { machine, versions, settings, balancer } = result
  return [
    `deploy: the pocket cloud's load balancer (HAProxy ${versions.haproxy}) and nginx ${versions.nginx} before the same upstream; ${settings.rounds} times ${settings.seconds} s for each way by turns`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryMib} MiB, ${machine.system}, qemu ${machine.qemu}, node ${machine.node}`,
    `load average ${result.loadAtStart} (start), ${Object.entries(balancer.load)
      .map(([name, value]) => `${value} (${name})`)
      .join(', ')}`,
    '',
    ...balancerTable(result),
    '',
    ...ratioTable(result),
    '',
    ...releaseTable(result),
    '',
    ...balancer.checks.map((check) => `same: ${check}`),
    '',
  ].join('\n')
}

const titles: Readonly<Record<UpstreamName, string>> = { 'stand-in': 'stand-in', machine: 'one VM' }

function title(upstream: UpstreamName, load: LoadName, connections: number): string {
  return `${titles[upstream]}, ${load === 'one' ? 'one connection' : `${connections} connections`}`
}

/** Requests a second, latency, and the proxy's processor time. */
function balancerTable({ balancer, settings }: DeployBenchResult): string[] {
  const rows = upstreams.flatMap((upstream) =>
    loads.map((load) => {
      const of = balancer.results[upstream][load]
      return [
        title(upstream, load, settings.connections),
        ...ways.map(
          (way) => `${count(of[way].perSecond)}; ${of[way].p50Ms.toFixed(3)} / ${of[way].p99Ms.toFixed(2)}${way === 'direct' ? '' : `; ${of[way].cpuMsPerRequest.toFixed(3)}`}`,
        ),
      ]
    }),
  )
  return table(['requests a second; ms: p50 / p99; processor of the proxy', ...ways], rows)
}

/** What the comparison is about: throughput, added latency, processor time. */
function ratioTable({ balancer, settings }: DeployBenchResult): string[] {
  const rows = upstreams.flatMap((upstream) =>
    loads.map((load) => {
      const { direct, nginx, Kiln } = balancer.results[upstream][load]
      const added = { nginx: nginx.p50Ms - direct.p50Ms, kiln: Kiln.p50Ms - direct.p50Ms }
      return [
        title(upstream, load, settings.connections),
        formatRatio(Kiln.perSecond / nginx.perSecond),
        `${added.kiln.toFixed(3)} ms`,
        `${added.nginx.toFixed(3)} ms`,
        nginx.cpuMsPerRequest === 0 ? '–' : formatRatio(Kiln.cpuMsPerRequest / nginx.cpuMsPerRequest),
      ]
    }),
  )
  return table(['', 'requests a second, Kiln / nginx', 'added to p50 by Kiln', 'added to p50 by nginx', 'processor time, Kiln / nginx'], rows)
}

function releaseTable({ releases }: DeployBenchResult): string[] {
  if ('skipped' in releases) return [`Deliveries are left out: ${releases.skipped}.`]
  const rows = releases.map((one) => [
    one.what,
    formatSeconds(one.firstNewMs),
    formatSeconds(one.lastOldMs),
    one.rolloutMs === undefined ? '–' : formatSeconds(one.rolloutMs),
    formatSeconds(one.verbMs),
    `${one.failed} of ${one.requests}`,
    String(one.load),
  ])
  return table(['two instances', 'first answer of the new version', 'last answer of the old one', 'of it the rollout', 'end of the verb', 'failed requests', 'load average'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)]
}

function count(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')
}
