/** How often managed groups are looked at, and how long the first pause after a failure is. Tests take shorter ones. */
export interface GroupTiming {
  /** Between two looks while something is under way. */
  readonly busyMs: number
  /** Between two looks when all groups are stable: how long a machine that died may go unseen. */
  readonly idleMs: number
  /** After the first failure of an instance; each further one doubles it. */
  readonly backoffMs: number
}

export const groupTiming: GroupTiming = { busyMs: 250, idleMs: 1000, backoffMs: 1000 }
