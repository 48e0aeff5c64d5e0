/** A plan as a person reads it. */
import pc from 'picocolors'
import type { Plan, PlanNode } from '../../app/plan-types.ts'

const signs: Readonly<Record<PlanNode['action'], string>> = { create: '+', update: '~', replace: '±', delete: '-', forget: 'x', noop: ' ' }

/** Counts by action, without noops: `3 to create, 1 to update`; "nothing to change" for none. */
export function planSummary(plan: Plan): string {
  const words: Readonly<Record<string, string>> = { create: 'to create', update: 'to update', replace: 'to replace', delete: 'to delete', forget: 'to forget' }
  const parts = Object.entries(words).flatMap(([action, text]) => {
    const count = plan.nodes.filter((node) => node.action === action).length
    return count === 0 ? [] : [`${count} ${text}`]
  })
  return parts.length === 0 ? 'nothing to change' : parts.join(', ')
}

/** One line per resource that changes, with its reasons; drift is marked. */
export function renderPlan(plan: Plan, stream: NodeJS.WriteStream = process.stderr): string {
  const color = pc.createColors(stream.isTTY === true && process.env['NO_COLOR'] === undefined)
  const paint: Readonly<Record<string, (text: string) => string>> = { create: color.green, update: color.yellow, replace: color.magenta, delete: color.red, forget: color.dim }
  const lines: string[] = []
  for (const node of plan.nodes) {
    if (node.action === 'noop') continue
    const [first, ...rest] = node.reasons
    const drift = node.drifted ? ' (drift: changed outside of Kiln)' : ''
    lines.push(
      `  ${(paint[node.action] ?? String)(`${signs[node.action]} ${node.action.padEnd(7)}`)} ${node.address}${drift === '' ? '' : color.red(drift)}${first === undefined ? '' : color.dim(`  ${first}`)}`,
    )
    for (const reason of rest) lines.push(color.dim(`${' '.repeat(14 + node.address.length + drift.length)}${reason}`))
  }
  const unchanged = plan.nodes.filter((node) => node.action === 'noop').length
  lines.push(`${planSummary(plan)}${unchanged === 0 ? '' : color.dim(` (${unchanged} unchanged)`)}`)
  return lines.join('\n')
}
