/** How much this machine has to do. */
import { readFile } from 'node:fs/promises'

/** Time that all processors together had nothing to do since the machine's start, in milliseconds. The first line of /proc/stat, proc(5). */
export async function idleMs(): Promise<number> {
  return idleOf(await readFile('/proc/stat', 'utf8'))
}

/** Idle and waiting for a disk; for programs a clock tick is always a hundredth of a second. */
export function idleOf(stat: string): number {
  const [, , , , idle = '', waiting = ''] = (/^cpu .*/m.exec(stat)?.[0] ?? '').split(/ +/)
  return (Number(idle) + Number(waiting)) * 10
}
