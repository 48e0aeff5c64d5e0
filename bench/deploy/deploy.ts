/** Benchmark `deploy`: what the pocket cloud's load balancer costs, against nginx as a reverse proxy to the same machine; and how long deliveries take. See ../README.md. */
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from '../../src/base/progress.ts'
import { run } from '../../src/host/exec.ts'
import { removeAll } from '../../src/host/files.ts'
import { kilnHome } from '../../src/host/home.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { cacheStore } from '../../src/image/cache-store.ts'
import { root } from '../../tools/imports.ts'
import { findTools } from '../cloud/tools.ts'
import { loadNow, machineFacts } from '../machine.ts'
import type { MachineFacts } from '../machine.ts'
import { measureBalancer } from './balancer.ts'
import type { BalancerResults } from './balancer.ts'
import { openFront } from './front.ts'
import { measureReleases } from './releases.ts'
import type { Rollout } from './releases.ts'
import { externalAddress, hasVerb, makeStack } from './stack.ts'

export interface DeployBenchOptions {
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  /** A folder to keep the baker's cache in for the next run: the data folder is `deploy` in it, and its pocket cloud is emptied. Default: a temporary one. */
  readonly home?: string
  readonly progress: Progress
  readonly signal: AbortSignal
}

export interface DeployBenchResult {
  readonly benchmark: 'deploy'
  readonly at: string
  readonly machine: MachineFacts
  readonly versions: Readonly<Record<'nginx' | 'haproxy', string>>
  readonly settings: { readonly rounds: number; readonly seconds: number; readonly connections: number }
  readonly loadAtStart: number
  readonly balancer: BalancerResults
  readonly releases: readonly Rollout[] | { readonly skipped: string }
}

const INSTANCE = 'bench-vm'

/** Runs the benchmark. @throws Error when the ways do not answer the same, when a request fails, or when a release does */
export async function benchDeploy(options: DeployBenchOptions): Promise<DeployBenchResult> {
  const { progress, signal, rounds, seconds, connections } = options
  const folder = await mkdtemp(join(tmpdir(), 'kiln-bench-deploy-'))
  const home = kilnHome({ KILN_HOME: options.home === undefined ? join(folder, 'home') : join(options.home, 'deploy') })
  try {
    await mkdir(home.root, { recursive: true })
    const loadAtStart = loadNow()
    const machine = await machineFacts(signal)
    const tools = await findTools(progress, signal, { fakeGcs: false })
    const haproxy = /version ([\d.]+)/.exec((await run({ program: 'haproxy', args: ['-v'] }, { what: 'asking haproxy for its version', signal })).stdout)?.[1] ?? 'unknown'
    const balancer = await balancerPart(options, folder, home, tools)
    await resetCloud(home)
    const releases = await deliveriesPart(options, folder, home)
    return {
      benchmark: 'deploy',
      at: new Date().toISOString(),
      machine,
      versions: { nginx: tools.nginx.version, haproxy },
      settings: { rounds, seconds, connections },
      loadAtStart,
      balancer,
      releases,
    }
  } finally {
    await resetCloud(home).catch((error: unknown) => progress.note(`the pocket cloud of ${home.root} could not be emptied: ${String(error)}`))
    // Layers of the cache belong to other users when they were made without root.
    await cacheStore(home.cache).removeTree(folder)
    if (options.home === undefined) await removeAll(home.sockets)
  }
}

async function deliveriesPart({ progress, signal }: DeployBenchOptions, folder: string, home: KilnHome): Promise<DeployBenchResult['releases']> {
  for (const verb of ['deploy', 'rollback']) if (!(await hasVerb(verb, signal))) return { skipped: `this checkout has no verb \`kiln ${verb}\`` }
  const stack = await makeStack({ folder: join(folder, 'delivered'), home, progress, signal, kind: 'group' })
  return measureReleases(stack, progress, signal)
}

async function balancerPart(options: DeployBenchOptions, folder: string, home: KilnHome, tools: Awaited<ReturnType<typeof findTools>>): Promise<BalancerResults> {
  const { progress, signal, rounds, seconds, connections } = options
  progress.note('one machine of the example: kiln up')
  const stack = await makeStack({ folder: join(folder, 'single'), home, progress, signal, kind: 'single' })
  await stack.kiln(['up'])
  const front = await openFront(stack, INSTANCE, signal)
  return measureBalancer({
    tools,
    folder,
    machine: { host: await externalAddress(stack, INSTANCE, signal), port: stack.port },
    front,
    path: '/version',
    healthPath: stack.healthPath,
    rounds,
    seconds,
    connections,
    progress,
    signal,
  })
}

/** Ends machines, load balancer and daemon, also when the run was stopped. */
async function resetCloud(home: KilnHome): Promise<void> {
  await run({ program: join(root, 'kiln'), args: ['cloud', 'reset', '--yes'], env: { KILN_HOME: home.root } }, { what: 'emptying the pocket cloud' })
}
