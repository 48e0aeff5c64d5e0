/** Benchmark `bake`: Kiln's offline baker against Packer's `qemu` builder, the same server on the same base disk in one run. See ../README.md. */
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from '../../src/base/progress.ts'
import { MINUTE_MS } from '../../src/base/units.ts'
import { removeAll } from '../../src/host/files.ts'
import { kilnHome } from '../../src/host/home.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { requireHealthy } from '../../src/image/boot-test.ts'
import { cacheStore } from '../../src/image/cache-store.ts'
import { packForCompute } from '../../src/image/pack.ts'
import type { Accelerator } from '../../src/vm/accelerator.ts'
import { createQemuDriver } from '../../src/vm/qemu/driver.ts'
import { loadNow, machineFacts } from '../machine.ts'
import type { MachineFacts } from '../machine.ts'
import { median } from '../statistics.ts'
import { openKilnSide, prepare, subject } from './kiln.ts'
import type { Prepared, TimedBake } from './kiln.ts'
import { openPackerSide, requirePacker } from './packer.ts'
import type { PackerBuild } from './packer.ts'
import { compareDisks } from './same-content.ts'
import type { ContentCheck } from './same-content.ts'

export interface BakeBenchOptions {
  /** Kiln's server-image bakes: half of them, rounded up, before Packer's builds, the others after. */
  readonly runs: number
  readonly packerRuns: number
  readonly noChangeRuns: number
  /** For both sides. */
  readonly accelerator: Accelerator
  /** A data folder to use and keep, so that the base image is not made again. Undefined: a temporary one. */
  readonly home?: string
  readonly progress: Progress
  readonly signal: AbortSignal
}

export interface BakeBenchResult {
  readonly benchmark: 'bake'
  readonly at: string
  readonly subject: string
  readonly machine: MachineFacts & { readonly accelerator: Accelerator; readonly packer: string }
  readonly baseDiskBytes: number
  /** Load average when each part began. */
  readonly load: Readonly<Record<string, number>>
  readonly kiln: {
    readonly bakeMs: readonly number[]
    /** Steps of the last bake. */
    readonly steps: readonly { readonly step: string; readonly durationMs: number }[]
    readonly noChangeMs: readonly number[]
    /** All bakes of this run gave the same disk digest. */
    readonly sameDigest: boolean
    readonly packMs: number
    readonly bootTestMs: number
  }
  readonly packer: { readonly buildMs: readonly number[]; readonly stages: PackerBuild['stages']; readonly bootTestMs: number }
  readonly content: readonly ContentCheck[]
  readonly ratios: { readonly bake: number; readonly noChange: number; readonly bakeAndBootTest: number }
}

const BOOT_TIMEOUT_MS = 10 * MINUTE_MS

/** Runs the benchmark. @throws Error when the two results do not hold the same server: then there is nothing to compare */
export async function benchBake(options: BakeBenchOptions): Promise<BakeBenchResult> {
  const { progress, signal } = options
  const packerVersion = await requirePacker(progress, signal)
  const folder = await mkdtemp(join(tmpdir(), 'kiln-bench-'))
  const home = kilnHome({ KILN_HOME: options.home ?? join(folder, 'home') })
  const store = cacheStore(home.cache)
  try {
    await mkdir(home.root, { recursive: true })
    return await measure({ ...options, packerVersion, folder, home })
  } finally {
    // Layers of the cache belong to other users when they were made without root.
    await store.removeTree(folder)
    if (options.home === undefined) await removeAll(home.sockets)
  }
}

interface Run extends Omit<BakeBenchOptions, 'home'> {
  readonly packerVersion: string
  readonly folder: string
  readonly home: KilnHome
}

async function measure(run: Run): Promise<BakeBenchResult> {
  const { progress, signal, folder, home, accelerator } = run
  const machine = { ...(await machineFacts(signal)), accelerator, packer: run.packerVersion }
  const load: Record<string, number> = { start: loadNow() }
  const prepared = await prepare(home, progress, signal)
  const { spec } = prepared
  const kiln = await openKilnSide(prepared, signal)
  try {
    const peer = await openPackerSide(prepared, accelerator, folder, progress, signal)
    const bakes: TimedBake[] = []
    const builds: PackerBuild[] = []
    const again: TimedBake[] = []
    const bake = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 1) bakes.push(noted(progress, 'kiln: server-image bake', await kiln.bake()))
    }
    load['bakes'] = loadNow()
    await bake(Math.ceil(run.runs / 2))
    load['packer'] = loadNow()
    for (let done = 0; done < run.packerRuns; done += 1) builds.push(noted(progress, 'packer: build', await peer.build()))
    load['more bakes'] = loadNow()
    await bake(Math.floor(run.runs / 2))
    for (let done = 0; done < run.noChangeRuns; done += 1) again.push(noted(progress, 'kiln: no-change bake', await kiln.bakeAgain()))

    const [lastBake, lastBuild] = [bakes.at(-1), builds.at(-1)]
    if (lastBake === undefined || lastBuild === undefined) throw new RangeError('at least one run of each side is needed')
    progress.note('comparing what is in the two disks')
    const content = await compareDisks(spec, { kiln: lastBake.diskPath, packer: lastBuild.disk }, folder, signal)
    const differing = content.filter((check) => !check.same)
    if (differing.length > 0) throw new Error(`the two results do not hold the same server:\n${differing.map((check) => `${check.what}: ${check.detail}`).join('\n')}`)
    const packMs = await timePack(run, lastBake.diskPath)
    load['boot tests'] = loadNow()
    const bootTestMs = await timeBoot(run, prepared, 'kiln', lastBake.diskPath)
    const packerBootTestMs = await timeBoot(run, prepared, 'packer', lastBuild.disk)

    const bakeMs = bakes.map((each) => each.durationMs)
    const buildMs = builds.map((each) => each.durationMs)
    const noChangeMs = again.map((each) => each.durationMs)
    return {
      benchmark: 'bake',
      at: new Date().toISOString(),
      subject: `${subject.image} of ${subject.stack} on Debian ${prepared.suite}`,
      machine,
      baseDiskBytes: prepared.baseSizeBytes,
      load,
      kiln: { bakeMs, steps: lastBake.durations, noChangeMs, sameDigest: new Set([...bakes, ...again].map((each) => each.digest)).size === 1, packMs, bootTestMs },
      packer: { buildMs, stages: lastBuild.stages, bootTestMs: packerBootTestMs },
      content,
      ratios: {
        bake: median(buildMs) / median(bakeMs),
        noChange: median(buildMs) / median(noChangeMs),
        bakeAndBootTest: median(buildMs) / (median(bakeMs) + bootTestMs),
      },
    }
  } finally {
    await kiln.close()
  }
}

function noted<T extends { readonly durationMs: number }>(progress: Progress, what: string, result: T): T {
  progress.note(`${what}: ${(result.durationMs / 1000).toFixed(2)} s`)
  return result
}

async function timePack(run: Run, disk: string): Promise<number> {
  run.progress.note('kiln: packing the disk for Compute Engine')
  const start = performance.now()
  await packForCompute(disk, join(run.folder, 'disk.tar.gz'), run.signal)
  return Math.round(performance.now() - start)
}

/** Boots a disk until its server answers; also the proof that both sides made something that works. */
async function timeBoot(run: Run, prepared: Prepared, side: string, disk: string): Promise<number> {
  run.progress.note(`${side}: boot test`)
  const driver = createQemuDriver({ home: run.home, accelerator: async () => run.accelerator })
  const report = await requireHealthy(`${prepared.spec.name} (${side})`, { driver, disk, health: prepared.health, timeoutMs: BOOT_TIMEOUT_MS, signal: run.signal })
  return report.bootMs
}
