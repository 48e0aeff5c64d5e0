/** The result of the cloud benchmark as Markdown. */
import { formatBytes } from '../../src/base/units.ts'
import { formatRatio } from '../statistics.ts'
import type { CloudBenchResult, Result } from './cloud.ts'
import { workloadNames, workloads } from './workloads.ts'
import type { SideName } from './workloads.ts'

const sides = ['Kiln', 'fake-gcs-server', 'nginx'] as const satisfies readonly SideName[]

/** The whole text, with a line end. */
export function cloudReport(result: CloudBenchResult): string {
  const { machine, versions, settings } = result
  return [
    `cloud: Kiln, ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}; ${settings.connections} connections, ${settings.rounds} times ${settings.seconds} s for each side by turns`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryMib} MiB, ${machine.system}, node ${machine.node}; 64 KiB written with fsync: ${result.fsyncMs.toFixed(2)} ms`,
    `load average ${Object.entries(result.load)
      .map(([name, value]) => `${value} (${name})`)
      .join(', ')}`,
    ...Object.entries(result.skipped).map(([name, reason]) => `${name} is left out: ${reason}`),
    '',
    ...requestTable(result),
    '',
    ...latencyTable(result),
    '',
    ...memoryTable(result),
    '',
    `Kiln with ${count(result.manyCounts.Kiln ?? 0)} objects: ${formatBytes(result.kiln.emptyBytes)} resident on an empty folder, ${formatBytes(result.kiln.startedWithManyBytes)} just started with them (start ${(result.kiln.startMs / 1000).toFixed(1)} s; ${count(Math.round(result.kiln.seededPerSecond))} objects a second written).`,
    '',
    ...result.checks.map((check) => `same: ${check}`),
    '',
  ].join('\n')
}

/** Requests or bytes a second, and the ratios. */
function requestTable({ results }: CloudBenchResult): string[] {
  const rows = workloadNames.map((name) => {
    const of = results[name]
    const value = (side: SideName): string => (of[side] === undefined ? '–' : rate(of[side], workloads[name].bodyBytes))
    const ratio = (side: SideName): string =>
      of.Kiln === undefined || of[side] === undefined || of[side].perSecond === 0 ? '–' : formatSmallRatio(of.Kiln.perSecond / of[side].perSecond)
    return [workloads[name].title, ...sides.map(value), ratio('fake-gcs-server'), ratio('nginx')]
  })
  return table(['a second', ...sides, 'Kiln / fake-gcs-server', 'Kiln / nginx'], rows)
}

/** p50, p99, and the server's processor time for one request. */
function latencyTable({ results }: CloudBenchResult): string[] {
  const value = (result: Result | undefined): string =>
    result === undefined || result.perSecond === 0 ? '–' : `${milliseconds(result.p50Ms)} / ${milliseconds(result.p99Ms)} / ${milliseconds(result.cpuMsPerRequest)}`
  const rows = workloadNames.map((name) => [workloads[name].title, ...sides.map((side) => value(results[name][side]))])
  return table(['ms: p50 / p99 / processor', ...sides], rows)
}

function memoryTable({ memory, manyCounts }: CloudBenchResult): string[] {
  const rows = sides.flatMap((side) => {
    const of = memory[side]
    if (of === undefined) return []
    return [[side, manyCounts[side] === undefined ? '–' : count(manyCounts[side]), ...[of.atStartBytes, of.afterReadsBytes, of.atEndBytes, of.peakBytes].map(formatBytes)]]
  })
  return table(['resident memory', 'objects in the bucket of many', 'before the measurements', 'after all reads', 'after downloads and uploads', 'peak'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)]
}

function rate(result: Result, bodyBytes: number): string {
  if (result.perSecond === 0) return 'none was done in time'
  return bodyBytes === 0 ? count(result.perSecond) : `${formatBytes(result.bytesPerSecond)} (${count(result.perSecond)})`
}

function count(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')
}

function milliseconds(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0)
}

/** `0.042` -> `0.042 x`, `1.53` -> `1.5 x`. */
function formatSmallRatio(ratio: number): string {
  return ratio >= 1 ? formatRatio(ratio) : `${Number(ratio.toPrecision(2))} x`
}
