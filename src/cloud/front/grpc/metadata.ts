/** gRPC request metadata: what is passed on to the room, and the deadline. */
import type { IncomingHttpHeaders } from 'node:http2'

/** Headers of the transport, or about the message's bytes: they mean nothing to a REST route. */
const ownHeaders: ReadonlySet<string> = new Set([
  'te',
  'content-type',
  'content-length',
  'accept',
  'accept-encoding',
  'connection',
  'host',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
])

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }

/** Timers of Node end at 2^31-1 milliseconds; a deadline beyond is none. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The metadata that a REST route can use: authorization, x-goog-user-project, x-goog-request-params, user-agent and the like. Binary metadata (`-bin`) is left out. */
export function toRestHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || name.startsWith('grpc-') || name.endsWith('-bin') || ownHeaders.has(name)) continue
    passed[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return passed
}

/** `grpc-timeout` in milliseconds, at least 0; undefined when there is none or it is not valid. */
export function parseTimeoutMs(value: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value ?? '')
  const timeoutMs = Number(match?.[1]) * (unitsMs[match?.[2] ?? ''] ?? Number.NaN)
  return Number.isNaN(timeoutMs) || timeoutMs > MAX_TIMER_MS ? undefined : timeoutMs
}

/** The host of `:authority` without port, in lower case. */
export function hostOf(authority: string | undefined): string {
  return (authority ?? '').toLowerCase().replace(/:\d{1,5}$/, '')
}
