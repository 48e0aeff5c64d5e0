/**
 * Runs Google's own tools, unmodified, against a pocket cloud of its own, and writes what was seen to docs/conformance.md.
 * `node conformance/run.ts [CLIENT | CLIENT/CASE …]`: with names only those, and only their rows change.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { root } from '../tools/imports.ts'
import { listClients, openBench } from './cases.ts'
import type { Case, Client, Outcome } from './cases.ts'

interface Row {
  readonly client: Client
  readonly version: string
  readonly case: Case
  readonly outcome: Outcome
}

const wanted = process.argv.slice(2)
const isWanted = (client: string, name: string): boolean => wanted.length === 0 || wanted.includes(client) || wanted.includes(`${client}/${name}`)
const rows: Row[] = []
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
const bench = await openBench(stop.signal)

/** At once, so that a run that is broken off keeps what it saw. */
function tell(row: Row): void {
  rows.push(row)
  writePage()
  const { outcome } = row
  const name = `${row.client.name}/${row.case.name}`
  console.log(`${outcome.result.padEnd(8)}${name.padEnd(40)} ${outcome.seconds.toFixed(0).padStart(5)} s${outcome.result === 'skipped' ? `  ${outcome.reason}` : ''}`)
  if (outcome.result === 'failed')
    console.log(
      outcome.output
        .split('\n')
        .slice(-40)
        .map((line) => `    ${line}`)
        .join('\n'),
    )
}

try {
  for (const client of listClients()) {
    const cases = client.cases.filter((each) => isWanted(client.name, each.name))
    if (cases.length === 0) continue
    if (stop.signal.aborted) break
    const ready = await bench.prepare(client).catch((error: unknown) => {
      if (stop.signal.aborted) return undefined
      throw error
    })
    if (ready === undefined) break
    if ('skipped' in ready) {
      for (const each of cases) tell({ client, version: '', case: each, outcome: { result: 'skipped', reason: ready.skipped, seconds: 0 } })
      continue
    }
    console.log(`${client.name}: ${ready.version}`)
    for (const each of cases) {
      const outcome = await bench.run(each)
      // a case that was broken off has shown nothing
      if (stop.signal.aborted) break
      tell({ client, version: ready.version, case: each, outcome })
    }
  }
} finally {
  const kept = await bench.close()
  if (kept !== undefined) console.log(`folders and logs of this run: ${kept}`)
}

const count = (result: Outcome['result']): number => rows.filter((row) => row.outcome.result === result).length
console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`)
process.exitCode = count('failed') === 0 && rows.length > 0 && !stop.signal.aborted ? 0 : 1

/** A run of some cases replaces their rows; rows of cases that are gone go. */
function writePage(): void {
  const path = join(root, 'docs/conformance.md')
  const lines = new Map<string, string>()
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const [client = '', , name = ''] = line.split(' | ')
    if (line.startsWith('| ')) lines.set(`${client.slice(2)}/${name}`, line)
  }
  const today = new Date().toISOString().slice(0, 10)
  for (const row of rows) {
    const result = row.outcome.result === 'skipped' ? `not run: ${row.outcome.reason}` : `${row.outcome.result} (${row.outcome.seconds.toFixed(0)} s)`
    const cells = [row.client.name, row.version === '' ? 'none' : row.version, row.case.name, row.case.what, today, result]
    lines.set(`${row.client.name}/${row.case.name}`, `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  }
  const body = listClients().flatMap((client) => client.cases.flatMap((each) => lines.get(`${client.name}/${each.name}`) ?? []))
  const head = [
    '# Conformance',
    '',
    `Made by \`make conformance\` (last on ${today}, Node ${process.versions.node}, Linux ${release()}). Each case is one script in \`conformance/CLIENT/cases\`, run as \`kiln cloud exec -- bash SCRIPT\``,
    'with the client as its makers ship it.',
    '',
    '| Client | Version | Case | What it shows | Date | Result |',
    '| --- | --- | --- | --- | --- | --- |',
  ]
  mkdirSync(join(root, 'docs'), { recursive: true })
  writeFileSync(path, `${[...head, ...body].join('\n')}\n`)
}
