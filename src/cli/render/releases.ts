/** Releases as a person reads them. */
import { formatDuration } from '../../base/units.ts'
import type { DeployReport } from '../../app/delivery/deploy.ts'
import type { ReleaseReport, ReleasesReport } from '../../app/delivery/ledger.ts'
import type { ServingStatus } from '../../app/delivery/live.ts'

const outcomes: Readonly<Record<DeployReport['outcome'], string>> = { live: 'is live', unchanged: 'serves already; nothing to change', mended: 'serves again as its record says' }

export function renderReport(result: Record<string, unknown>): string {
  const report = result as DeployReport
  const brought = report.rollbackOf === undefined ? '' : `, with what release ${report.rollbackOf} was`
  const serving = report.servingMs === undefined ? '' : ` (served by all VMs after ${formatDuration(report.servingMs)})`
  const lines = [`release ${report.release} ${outcomes[report.outcome]}${brought}${report.resumed ? ', gone on with' : ''}: ${formatDuration(report.durationMs)}${serving}`]
  if (report.version !== undefined) lines.push(`version  ${report.version}`)
  lines.push(`image    ${report.image}`)
  if (report.url !== undefined) lines.push(`url      ${report.url}`)
  return lines.join('\n')
}

export function renderReleases(result: Record<string, unknown>): string {
  const { releases, previous, lock, problems } = result as ReleasesReport
  if (releases.length === 0 && problems.length === 0) return 'there is no release yet: kiln up, or kiln deploy'
  const rows = releases.map((row) => [
    `${row.isCurrent ? '*' : ' '} ${row.number}`,
    row.state,
    row.version ?? '',
    row.image,
    row.at.slice(0, 16).replace('T', ' '),
    row.who,
    row.rollbackOf === undefined ? row.why : `${row.why} (of ${row.rollbackOf})`,
    row.failure === undefined ? '' : `FAILED: ${row.failure}`,
  ])
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, index) => Math.max(most[index] ?? 0, cell.length)), [])
  const lines = rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  if (previous !== undefined) lines.push(`kiln rollback brings release ${previous} back`)
  if (lock !== undefined) lines.push(`${lock.owner} deploys since ${lock.since}: ${lock.purpose}`)
  return [...lines, ...problems.map(({ object, problem }) => `${object} cannot be read: ${problem}`)].join('\n')
}

export function renderRelease(result: Record<string, unknown>): string {
  const { release, capsule } = result as ReleaseReport
  const lines = [
    `release ${release.number} of ${release.stack}: ${release.state}`,
    `image    ${release.image.name} (${release.image.id}${release.image.digest === undefined ? '' : `, ${release.image.digest}`})`,
    ...(release.package === undefined ? [] : [`package  ${release.package.name} ${release.package.version}`]),
    ...(release.commit === undefined ? [] : [`commit   ${release.commit}`]),
    `group    ${release.group}, template ${release.template}, ${release.shape.machineType}`,
    `strategy ${release.strategy.kind}`,
    `by       ${release.who}: ${release.why}`,
    `begun    ${release.createdAt}${release.liveAt === undefined ? '' : `, live ${release.liveAt}`}${release.endedAt === undefined ? '' : `, ended ${release.endedAt}`}`,
    ...(release.rollbackOf === undefined ? [] : [`brings back release ${release.rollbackOf}`]),
    ...(release.replacedBy === undefined ? [] : [`gave way to release ${release.replacedBy}`]),
    ...release.evidence.map((gate) => `${gate.passed ? 'passed' : 'FAILED'}   ${gate.gate} after ${formatDuration(gate.durationMs)}: ${gate.seen}`),
    ...(release.restore === undefined ? [] : [`the group's way back: ${release.restore}`]),
    ...(release.disk === undefined ? [] : [`disk     ${release.disk} (of one of its machines; attach it to a VM to look inside)`]),
    ...capsule.flatMap(({ object, text }) => [
      `capsule  ${object}`,
      ...(text === undefined
        ? []
        : text
            .trimEnd()
            .split('\n')
            .map((line) => `  | ${line}`)),
    ]),
  ]
  return lines.join('\n')
}

/** The group's part of `kiln status`. */
export function renderServing(server: ServingStatus): readonly string[] {
  const release =
    server.release === undefined ? 'no release yet' : `release ${server.release}${server.version === undefined ? '' : ` (${server.version})`} of ${server.image ?? ''}`
  return [
    `group    ${server.group}: ${server.instances.filter((each) => each.isHealthy && each.isCurrent).length} of ${server.wanted} well, ${release}`,
    ...server.instances.map(
      (each) =>
        `  ${each.isHealthy ? 'well' : 'SICK'} ${each.name} ${each.state}${each.isCurrent ? '' : ', of another release'}${each.problem === undefined ? '' : `: ${each.problem}`}`,
    ),
    ...(server.deploying === undefined ? [] : [`deploying ${server.deploying}`]),
  ]
}
