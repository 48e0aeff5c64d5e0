/** The load balancer's own cost: the same upstream asked directly, through nginx, and through the pocket cloud's load balancer, by turns. */
import { join } from 'node:path'
import type { Progress } from '../../src/base/progress.ts'
import { kilnHome } from '../../src/host/home.ts'
import { removeAll } from '../../src/host/files.ts'
import { measure } from '../cloud/load.ts'
import type { LoadOptions, Measurement } from '../cloud/load.ts'
import type { ServerProcess } from '../cloud/server-process.ts'
import type { Tools } from '../cloud/tools.ts'
import { loadNow } from '../machine.ts'
import { median } from '../statistics.ts'
import type { Front } from './front.ts'
import { essence, measured, openHaproxy, openNginxProxy, openStandIn } from './proxies.ts'
import type { Upstream } from './proxies.ts'

export const ways = ['direct', 'nginx', 'Kiln'] as const
export type Way = (typeof ways)[number]
export const upstreams = ['stand-in', 'machine'] as const
export type UpstreamName = (typeof upstreams)[number]
/** `one`: a single connection, for latency; `many`: for throughput. */
export const loads = ['one', 'many'] as const
export type LoadName = (typeof loads)[number]

export interface BalancerResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the proxy alone; for `direct`, 0. */
  readonly cpuMsPerRequest: number
  readonly runs: readonly Measurement[]
}

export interface BalancerResults {
  readonly results: Readonly<Record<UpstreamName, Readonly<Record<LoadName, Readonly<Record<Way, BalancerResult>>>>>>
  readonly load: Readonly<Record<string, number>>
  readonly checks: readonly string[]
}

export interface BalancerOptions {
  readonly tools: Pick<Tools, 'wrk' | 'nginx'>
  readonly folder: string
  /** The machine's address and port, as everybody reaches it. */
  readonly machine: Upstream
  /** The load balancer in front of it. */
  readonly front: Front
  readonly path: string
  readonly healthPath: string
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** @throws Error when the ways do not answer the same, or when a request fails */
export async function measureBalancer(options: BalancerOptions): Promise<BalancerResults> {
  const { tools, folder, machine, front, path, signal, progress } = options
  const started: ServerProcess[] = []
  const keep = <Server extends ServerProcess>(server: Server): Server => (started.push(server), server)
  const home = kilnHome({ KILN_HOME: join(folder, 'stand-in-home') })
  try {
    const place = { program: tools.nginx, folder, signal }
    const body = await textOf(`http://${machine.host}:${machine.port}${path}`, signal)
    const standIn = keep(await openStandIn(place, body))
    const haproxy = keep(await openHaproxy(home, standIn, options.healthPath))
    if (essence(haproxy.config) !== essence(front.config))
      throw new Error(`HAProxy before the stand-in has another configuration than before the machine:\n${essence(haproxy.config)}\n---\n${essence(front.config)}`)
    const sides: Readonly<Record<UpstreamName, Readonly<Record<Way, ServerProcess>>>> = {
      'stand-in': { direct: direct(standIn), nginx: keep(await openNginxProxy(place, 'stand-in', standIn)), Kiln: haproxy },
      machine: { direct: direct(machine), nginx: keep(await openNginxProxy(place, 'machine', machine)), Kiln: measured('Kiln', front.url, front.pid) },
    }
    const checks = [
      await checkSame(sides, path, signal),
      'HAProxy before the stand-in has the configuration of the one before the machine, line by line, but for addresses, ports and ids',
    ]
    const load: Record<string, number> = {}
    const results = {} as Record<UpstreamName, Record<LoadName, Record<Way, BalancerResult>>>
    for (const upstream of upstreams) {
      results[upstream] = {} as Record<LoadName, Record<Way, BalancerResult>>
      for (const name of loads) {
        load[`${upstream}, ${name === 'one' ? 'one connection' : `${options.connections} connections`}`] = loadNow()
        const loadOptions: LoadOptions = { wrk: tools.wrk, folder, connections: name === 'one' ? 1 : options.connections, seconds: options.seconds, signal }
        results[upstream][name] = await byTurns(sides[upstream], path, options.rounds, loadOptions, (text) => progress.note(`${upstream}, ${name}, ${text}`))
      }
    }
    return { results, load, checks }
  } finally {
    for (const server of started.toReversed()) await server.stop()
    await removeAll(home.sockets)
  }
}

/** Nobody is measured but the upstream itself, whose own cost is not the question. */
function direct({ host, port }: Upstream): ServerProcess {
  return { name: 'direct', url: `http://${host}:${port}`, cpuMs: async () => 0, memoryBytes: async () => ({ now: 0, peak: 0 }), stop: async () => {} }
}

async function byTurns(
  sides: Readonly<Record<Way, ServerProcess>>,
  path: string,
  rounds: number,
  options: LoadOptions,
  note: (text: string) => void,
): Promise<Record<Way, BalancerResult>> {
  const runs: Record<Way, Measurement[]> = { direct: [], nginx: [], Kiln: [] }
  for (const way of ways) await measure(sides[way], { method: 'GET', paths: [path], headers: {} }, { ...options, seconds: 1 })
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) {
      const one = await measure(sides[way], { method: 'GET', paths: [path], headers: {} }, options)
      note(`${way}: ${Math.round(one.requests / one.seconds)} a second, p50 ${one.p50Ms.toFixed(3)} ms`)
      runs[way].push(one)
    }
  }
  const summary = (way: Way): BalancerResult => {
    const sum = (value: (each: Measurement) => number): number => runs[way].reduce((total, each) => total + value(each), 0)
    const requests = Math.max(
      1,
      sum((each) => each.requests),
    )
    return {
      perSecond: requests / sum((each) => each.seconds),
      p50Ms: median(runs[way].map((each) => each.p50Ms)),
      p99Ms: median(runs[way].map((each) => each.p99Ms)),
      cpuMsPerRequest: sum((each) => each.cpuMs) / requests,
      runs: runs[way],
    }
  }
  return { direct: summary('direct'), nginx: summary('nginx'), Kiln: summary('Kiln') }
}

async function checkSame(sides: Readonly<Record<UpstreamName, Readonly<Record<Way, ServerProcess>>>>, path: string, signal: AbortSignal): Promise<string> {
  const bodies = new Map<string, string>()
  for (const upstream of upstreams) for (const way of ways) bodies.set(`${upstream}, ${way}`, await textOf(`${sides[upstream][way].url}${path}`, signal))
  if (new Set(bodies.values()).size !== 1) throw new Error(`the answers differ: ${JSON.stringify(Object.fromEntries(bodies))}`)
  return `the body of ${path} is the same from machine and stand-in, directly and through both proxies (${[...bodies.values()][0]?.length ?? 0} bytes)`
}

async function textOf(url: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, { signal })
  if (answer.status !== 200) throw new Error(`${url} was answered ${answer.status}: ${await answer.text()}`)
  return answer.text()
}
