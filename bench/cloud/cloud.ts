/** Benchmark `cloud`: the pocket cloud's reads, uploads and downloads against nginx and fake-gcs-server in one run. See ../README.md. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from '../../src/base/progress.ts'
import { KIB, MIB } from '../../src/base/units.ts'
import { run } from '../../src/host/exec.ts'
import { removeAll } from '../../src/host/files.ts'
import { kilnHome } from '../../src/host/home.ts'
import { loadNow, machineFacts } from '../machine.ts'
import type { MachineFacts } from '../machine.ts'
import { median } from '../statistics.ts'
import { checkReads, checkUploads, fetchBody } from './check.ts'
import { FAKE_GCS_ROOT, openFakeGcs } from './fake-gcs.ts'
import { openKiln } from './kiln.ts'
import type { KilnFacts } from './kiln.ts'
import { measure } from './load.ts'
import type { LoadOptions, Measurement } from './load.ts'
import { openNginx } from './nginx.ts'
import type { staticWorkloads } from './nginx.ts'
import { findTools } from './tools.ts'
import { manyBucket, workloadNames, workloads } from './workloads.ts'
import type { Side, SideName, WorkloadName } from './workloads.ts'

export interface CloudBenchOptions {
  /** Of each measurement. */
  readonly seconds: number
  /** How often each is made, the sides by turns. */
  readonly rounds: number
  /** In Kiln's bucket of many. */
  readonly objects: number
  readonly connections: number
  readonly progress: Progress
  readonly signal: AbortSignal
}

export interface Result {
  readonly perSecond: number
  readonly bytesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the server's processes. */
  readonly cpuMsPerRequest: number
  readonly runs: readonly Measurement[]
}

/** Resident memory of a server. */
export interface Memory {
  readonly atStartBytes: number
  /** All reads of metadata are done, also those in the bucket of many. */
  readonly afterReadsBytes: number
  /** And all downloads and uploads. */
  readonly atEndBytes: number
  readonly peakBytes: number
}

export interface CloudBenchResult {
  readonly benchmark: 'cloud'
  readonly at: string
  readonly machine: MachineFacts
  readonly versions: Readonly<Record<string, string>>
  readonly settings: { readonly seconds: number; readonly rounds: number; readonly connections: number }
  /** Load average when each part began. */
  readonly load: Readonly<Record<string, number>>
  /** What the disk takes to make 64 KiB durable: median of 50 writes of a new file with fsync. */
  readonly fsyncMs: number
  readonly kiln: KilnFacts
  readonly manyCounts: Readonly<Partial<Record<SideName, number>>>
  readonly memory: Readonly<Partial<Record<SideName, Memory>>>
  readonly results: Readonly<Record<WorkloadName, Readonly<Partial<Record<SideName, Result>>>>>
  readonly checks: readonly string[]
  /** Sides that are not there, and why. */
  readonly skipped: Readonly<Partial<Record<SideName, string>>>
}

/** What is under way when the clock stops has cost processor time and counts as no request: with large bodies that shows, unless there are many. */
const LARGE_TIMES_SECONDS = 4

/** How long fake-gcs-server gets to take the objects of its bucket of many. */
const FILL_SECONDS = 5

/** Runs the benchmark. @throws Error when the sides do not answer the same, or when requests fail: then there is nothing to compare */
export async function benchCloud(options: CloudBenchOptions): Promise<CloudBenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-bench-cloud-'))
  const sides: Side[] = []
  try {
    return await measureAll(options, folder, sides)
  } finally {
    for (const side of sides) await side.server.stop()
    await removeAll(folder)
    await removeAll(kilnHome({ KILN_HOME: join(folder, 'kiln') }).sockets)
  }
}

async function measureAll(options: CloudBenchOptions, folder: string, sides: Side[]): Promise<CloudBenchResult> {
  const { progress, signal, seconds, rounds, connections } = options
  const machine = await machineFacts(signal)
  const load: Record<string, number> = { start: loadNow() }
  const tools = await findTools(progress, signal)
  const skipped: Partial<Record<SideName, string>> = 'skipped' in tools.fakeGcs ? { 'fake-gcs-server': tools.fakeGcs.skipped } : {}
  for (const [name, reason] of Object.entries(skipped)) progress.note(`${name} is left out: ${reason}`)
  const bodies = await makeBodies(folder)
  const shared = { folder, body: bodies.body, bodyFile: bodies.file, signal }
  const loadOptions: LoadOptions = { wrk: tools.wrk, folder, connections, seconds, signal }

  progress.note(`kiln: a folder with ${options.objects} objects`)
  const kiln = await openKiln({ ...shared, manyCount: options.objects })
  sides.push(kiln)
  const answers = await collectAnswers(kiln, signal)
  const nginx = await openNginx({ ...shared, program: tools.nginx, headers: kiln.headers, answers })
  sides.push(nginx)
  let fakeMany = 0
  const fakeGcs = 'skipped' in tools.fakeGcs ? undefined : await openFakeGcs({ ...shared, program: tools.fakeGcs, headers: kiln.headers, manyCount: () => fakeMany })
  if (fakeGcs !== undefined) sides.push(fakeGcs)
  const atStart = await memoryOf(sides)
  const checks = [...(await checkReads(sides, bodies.body, signal))]
  const fsyncMs = await timeFsync(folder)

  const results = {} as Record<WorkloadName, Partial<Record<SideName, Result>>>
  const measureSides = async (names: readonly WorkloadName[]): Promise<void> => {
    for (const name of names) {
      load[workloads[name].title] = loadNow()
      results[name] = await measureByTurns(name, sides, rounds, loadOptions, progress)
    }
  }
  const isTransfer = (name: WorkloadName): boolean => workloads[name].bodyBytes > 0
  const ofMany: readonly WorkloadName[] = ['metadataOfMany', 'listOfMany']
  await measureSides(workloadNames.filter((name) => !isTransfer(name) && !ofMany.includes(name)))
  if (fakeGcs !== undefined) {
    progress.note(`fake-gcs-server: as many objects as it takes in ${FILL_SECONDS} s`)
    fakeMany = await fillMany(fakeGcs, bodies.tiny, { ...loadOptions, seconds: FILL_SECONDS })
  }
  await measureSides(ofMany)
  const afterReads = await memoryOf(sides)
  await measureSides(workloadNames.filter(isTransfer))
  checks.push(...(await checkUploads(sides, (side) => (side === kiln ? kiln.root : side === fakeGcs ? FAKE_GCS_ROOT : undefined), bodies.body, signal)))
  const atEnd = await memoryOf(sides)
  load['end'] = loadNow()
  return {
    benchmark: 'cloud',
    at: new Date().toISOString(),
    machine,
    versions: { nginx: tools.nginx.version, ...('skipped' in tools.fakeGcs ? {} : { 'fake-gcs-server': tools.fakeGcs.version }) },
    settings: { seconds, rounds, connections },
    load,
    fsyncMs,
    kiln: kiln.facts,
    manyCounts: { Kiln: options.objects, ...(fakeGcs === undefined ? {} : { 'fake-gcs-server': fakeMany }) },
    memory: Object.fromEntries(
      sides.map(({ name }): [SideName, Memory] => {
        const bytes = (at: typeof atEnd): number => at.get(name)?.now ?? 0
        return [name, { atStartBytes: bytes(atStart), afterReadsBytes: bytes(afterReads), atEndBytes: bytes(atEnd), peakBytes: atEnd.get(name)?.peak ?? 0 }]
      }),
    ),
    results,
    checks,
    skipped,
  }
}

/** A B C A B C, so that a change in the machine's load shows and meets all. */
async function measureByTurns(name: WorkloadName, sides: readonly Side[], rounds: number, options: LoadOptions, progress: Progress): Promise<Partial<Record<SideName, Result>>> {
  const runs = new Map<SideName, Measurement[]>()
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) {
      const load = side.load(name)
      if (load === undefined) continue
      // What the side before has left to write would be this one's wait.
      if (load.body !== undefined) await run({ program: 'sync', args: ['-f', options.folder] }, { signal: options.signal })
      const measured = await measure(side.server, load, { ...options, seconds: options.seconds * (workloads[name].bodyBytes >= MIB ? LARGE_TIMES_SECONDS : 1) })
      progress.note(`${workloads[name].title}, ${side.name}: ${Math.round(measured.requests / measured.seconds)} a second`)
      runs.set(side.name, [...(runs.get(side.name) ?? []), measured])
    }
  }
  return Object.fromEntries([...runs].map(([side, measured]) => [side, summarize(measured, workloads[name].bodyBytes)]))
}

function summarize(runs: readonly Measurement[], bodyBytes: number): Result {
  const sum = (value: (each: Measurement) => number): number => runs.reduce((total, each) => total + value(each), 0)
  const perSecond = sum((each) => each.requests) / sum((each) => each.seconds)
  return {
    perSecond,
    bytesPerSecond: perSecond * bodyBytes,
    p50Ms: median(runs.map((each) => each.p50Ms)),
    p99Ms: median(runs.map((each) => each.p99Ms)),
    cpuMsPerRequest:
      sum((each) => each.cpuMs) /
      Math.max(
        1,
        sum((each) => each.requests),
      ),
    runs,
  }
}

/** What Kiln answers to each read, for nginx to give out. */
async function collectAnswers(kiln: Side, signal: AbortSignal): Promise<Record<(typeof staticWorkloads)[number], readonly Buffer[]>> {
  const bodies = async (name: WorkloadName): Promise<Buffer[]> => {
    const load = kiln.load(name)
    const found: Buffer[] = []
    for (const path of load?.paths ?? []) found.push(await fetchBody(kiln, path, load?.headers ?? {}, signal))
    return found
  }
  return { metadata: await bodies('metadata'), list: await bodies('list'), bucket: await bodies('bucket'), instances: await bodies('instances'), simple: await bodies('simple') }
}

/** Uploads small objects for some seconds. Returns how many there are. */
async function fillMany(side: Side, tinyFile: string, options: LoadOptions): Promise<number> {
  const { requests } = await measure(
    side.server,
    {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      sequence: `${FAKE_GCS_ROOT}/upload/storage/v1/b/${manyBucket}/o?uploadType=media&name=data%%2Fobject-%09d.bin`,
      body: { file: tinyFile, sizeBytes: KIB },
    },
    options,
  )
  return requests
}

async function memoryOf(sides: readonly Side[]): Promise<ReadonlyMap<SideName, { readonly now: number; readonly peak: number }>> {
  return new Map(await Promise.all(sides.map(async (side) => [side.name, await side.server.memoryBytes()] as const)))
}

interface Bodies {
  body(sizeBytes: number): Buffer
  file(sizeBytes: number): string
  readonly tiny: string
}

/** Bytes that nothing can compress, the same in each run, in memory and as files for the load generator. */
async function makeBodies(folder: string): Promise<Bodies> {
  const sizes = [...new Set(Object.values(workloads).map(({ bodyBytes }) => bodyBytes))].filter((size) => size > 0)
  const made = new Map(sizes.map((size) => [size, noise(size)]))
  const file = (sizeBytes: number): string => join(folder, 'bodies', `${sizeBytes}.bin`)
  await mkdir(join(folder, 'bodies'))
  for (const [size, bytes] of [...made, [KIB, noise(KIB)] as const]) await writeFile(file(size), bytes)
  return { body: (size) => made.get(size) ?? noise(size), file, tiny: file(KIB) }
}

function noise(sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update('bench').digest()
}

async function timeFsync(folder: string): Promise<number> {
  const bytes = noise(64 * KIB)
  const times: number[] = []
  for (let index = 0; index < 50; index += 1) {
    const started = performance.now()
    const file = await open(join(folder, 'bodies', `fsync-${index}`), 'w')
    await file.writeFile(bytes)
    await file.sync()
    await file.close()
    times.push(performance.now() - started)
  }
  return median(times)
}
