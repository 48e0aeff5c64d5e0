/**
 * Which ports of a machine this host reaches: what the firewall rules of its network let in from here. Pure.
 * Each machine has a loopback address of its own as external address, so that host port and guest port are the same number.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { PortForward } from '../../../vm/driver.ts'
import { includesThisMachine, parsePorts } from './service.firewalls.ts'

/** At most this many forwards for one machine: each is a listening socket of QEMU. */
export const MAX_FORWARDS = 64

/** What a rule for a wide range, or for all ports, opens here: forwards cannot be made for 65,535 ports. */
const COMMON_PORTS = [22, 80, 443, 3000, 3306, 3389, 4000, 5000, 5432, 6379, 8000, 8008, 8080, 8081, 8443, 8888, 9000, 9090, 9200, 27_017]

/** Host ports below the first bindable one are shifted by this. */
export const PRIVILEGED_SHIFT = 10_000

export interface Target {
  readonly network: string
  readonly tags: readonly string[]
  readonly serviceAccounts: readonly string[]
}

interface Span {
  readonly protocol: 'tcp' | 'udp'
  readonly first: number
  readonly last: number
}

/**
 * The forwards for a machine with this external address. Lower priority numbers win; at the same priority, deny wins
 * (https://cloud.google.com/firewall/docs/firewalls#priority_order_for_firewall_rules).
 */
export function computeForwards(target: Target, rules: readonly compute_v1.Schema$Firewall[], hostAddress: string, firstBindablePort: number): readonly PortForward[] {
  const relevant = rules
    .filter((rule) => applies(rule, target))
    .toSorted((left, right) => (left.priority ?? 1000) - (right.priority ?? 1000) || Number(isAllow(left)) - Number(isAllow(right)))
  const forwards = new Map<string, PortForward>()
  for (const rule of relevant.filter(isAllow)) {
    for (const span of (rule.allowed ?? []).flatMap(spansOf)) {
      for (const guestPort of portsOf(span)) {
        const decider = relevant.find((each) =>
          (each.allowed ?? each.denied ?? []).flatMap(spansOf).some((other) => other.protocol === span.protocol && other.first <= guestPort && guestPort <= other.last),
        )
        if (forwards.size >= MAX_FORWARDS || decider === undefined || !isAllow(decider)) continue
        const hostPort = guestPort < firstBindablePort ? guestPort + PRIVILEGED_SHIFT : guestPort
        forwards.set(`${span.protocol}/${guestPort}`, { protocol: span.protocol, hostAddress, hostPort, guestPort })
      }
    }
  }
  return withoutCollisions([...forwards.values()])
}

/** True when the rules let a source in to a port: `takesIn` tells whether a source range means it. */
export function isPortOpen(target: Target, rules: readonly compute_v1.Schema$Firewall[], protocol: 'tcp' | 'udp', port: number, takesIn: (range: string) => boolean): boolean {
  const decider = rules
    .filter((rule) => applies(rule, target, takesIn))
    .toSorted((left, right) => (left.priority ?? 1000) - (right.priority ?? 1000) || Number(isAllow(left)) - Number(isAllow(right)))
    .find((rule) => (rule.allowed ?? rule.denied ?? []).flatMap(spansOf).some((span) => span.protocol === protocol && span.first <= port && port <= span.last))
  return decider !== undefined && isAllow(decider)
}

function applies(rule: compute_v1.Schema$Firewall, target: Target, takesIn = includesThisMachine): boolean {
  if (rule.disabled === true || rule.direction === 'EGRESS' || rule.network !== target.network) return false
  if (!(rule.sourceRanges ?? []).some(takesIn)) return false
  if (rule.targetTags?.length) return rule.targetTags.some((tag) => target.tags.includes(tag))
  if (rule.targetServiceAccounts?.length) return rule.targetServiceAccounts.some((account) => target.serviceAccounts.includes(account))
  return true
}

function isAllow(rule: compute_v1.Schema$Firewall): boolean {
  return (rule.allowed ?? []).length > 0
}

function spansOf(entry: { IPProtocol?: string | null; ports?: string[] | null }): readonly Span[] {
  const named: Readonly<Record<string, readonly ('tcp' | 'udp')[]>> = { tcp: ['tcp'], '6': ['tcp'], udp: ['udp'], '17': ['udp'], all: ['tcp', 'udp'] }
  const ranges = entry.ports?.length ? entry.ports.map(parsePorts) : [[1, 65_535] as const]
  return (named[entry.IPProtocol ?? ''] ?? []).flatMap((protocol) => ranges.map(([first, last]) => ({ protocol, first: Math.max(1, first), last })))
}

function portsOf(span: Span): readonly number[] {
  if (span.last - span.first < MAX_FORWARDS) return Array.from({ length: span.last - span.first + 1 }, (_unused, index) => span.first + index)
  return COMMON_PORTS.filter((port) => span.first <= port && port <= span.last)
}

/** A shifted port may meet one that a rule opens itself: the rule's own number wins. */
function withoutCollisions(forwards: readonly PortForward[]): readonly PortForward[] {
  return forwards.filter(
    (forward) =>
      forward.hostPort === forward.guestPort || !forwards.some((other) => other !== forward && other.protocol === forward.protocol && other.hostPort === forward.hostPort),
  )
}
