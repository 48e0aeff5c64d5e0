/** Servers of HAProxy's backends, added, changed and removed over its runtime socket, without a reload (management manual, 9.3 "Unix Socket commands"). */
import { KilnError } from '../../../../base/errors.ts'
import { backendName, isDynamic, serverArguments } from './config.ts'
import type { BackendModel, BalancerConfig, BalancerModel, ServerModel } from './config.ts'
import type { Haproxy } from './haproxy.ts'

/** `backend/server` -> when it began to leave, in ms since 1970. */
export type Leaving = Map<string, number>

interface Seen {
  readonly backend: string
  readonly name: string
  /** It may get requests, if its checks let it. */
  readonly isEnabled: boolean
  readonly weight: number
}

/** One pass. Servers that are no longer wanted get no new request at once, and go when they have none in hand or their time is over. */
export async function syncServers(haproxy: Haproxy, model: BalancerModel, leaving: Leaving, graceMs: (backend: string) => number): Promise<void> {
  const seen = parseServers(await haproxy.command('show servers state'))
  for (const backend of model.backends.filter(isDynamic)) {
    const name = backendName(backend)
    const present = new Map(seen.filter((server) => server.backend === name).map((server) => [server.name, server]))
    for (const server of backend.servers) {
      leaving.delete(`${name}/${server.name}`)
      await bring(haproxy, backend, server, present.get(server.name))
      present.delete(server.name)
    }
    for (const old of present.values()) await sendAway(haproxy, old, leaving, graceMs(name))
  }
}

async function bring(haproxy: Haproxy, backend: BackendModel, server: ServerModel, seen: Seen | undefined): Promise<void> {
  const id = `${backendName(backend)}/${server.name}`
  if (seen === undefined) {
    const answer = await haproxy.command(`add server ${id} ${serverArguments(backend, server)}`)
    if (!answer.startsWith('New server registered')) throw new KilnError('E_TOOL_FAILED', `the load balancer did not take a backend: ${answer}`)
    if (backend.check !== undefined) await tell(haproxy, `enable health ${id}`)
    await tell(haproxy, `set server ${id} state ${server.isReady ? 'ready' : 'maint'}`)
    await vouch(haproxy, backend, server)
    return
  }
  if (server.isReady !== seen.isEnabled) {
    await tell(haproxy, `set server ${id} state ${server.isReady ? 'ready' : 'drain'}`)
    await vouch(haproxy, backend, server)
  }
  if (server.weight !== seen.weight) await tell(haproxy, `set server ${id} weight ${server.weight}`)
}

/**
 * A server that was just enabled, or that a new process begins with, is taken down by HAProxy at the first check that fails, whatever `fall` says. Whoever is
 * ready has been probed here already, so that it has as many failures to go as any other: one slow answer of a busy machine is no outage.
 */
async function vouch(haproxy: Haproxy, backend: BackendModel, server: ServerModel): Promise<void> {
  if (backend.check !== undefined && server.isReady) await tell(haproxy, `set server ${backendName(backend)}/${server.name} health up`)
}

/** Starts or reloads HAProxy with the model's configuration, and vouches for the servers that are ready. @throws KilnError E_TOOL_MISSING, E_TOOL_FAILED */
export async function loadServers(haproxy: Haproxy, config: BalancerConfig, model: BalancerModel): Promise<void> {
  await haproxy.load(config)
  for (const backend of model.backends) for (const server of backend.servers) await vouch(haproxy, backend, server)
}

async function sendAway(haproxy: Haproxy, old: Seen, leaving: Leaving, graceMs: number): Promise<void> {
  const id = `${old.backend}/${old.name}`
  const since = leaving.get(id) ?? Date.now()
  leaving.set(id, since)
  if (old.isEnabled) await tell(haproxy, `set server ${id} state drain`)
  const isLate = Date.now() - since >= graceMs
  if (!isLate && (await sessions(haproxy, old)) > 0) return
  await tell(haproxy, `set server ${id} state maint`)
  if (isLate) await tell(haproxy, `shutdown sessions server ${id}`)
  // Refused while something still holds it; the next pass tries again.
  if ((await haproxy.command(`del server ${id}`)).startsWith('Server deleted')) leaving.delete(id)
}

async function tell(haproxy: Haproxy, text: string): Promise<void> {
  const answer = await haproxy.command(text)
  if (answer !== '') throw new KilnError('E_TOOL_FAILED', `the load balancer answered '${answer}' to '${text}'`)
}

async function sessions(haproxy: Haproxy, server: Seen): Promise<number> {
  const rows = (await haproxy.command('show stat -1 4 -1')).split('\n').map((line) => line.split(','))
  return Number(rows.find((row) => row[0] === server.backend && row[1] === server.name)?.[4] ?? 0)
}

/** Lines of `show servers state`. */
export function parseServers(text: string): readonly Seen[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length > 10 && /^\d+$/.test(fields[0] ?? ''))
    .map((fields) => {
      // Bits of srv_admin_state: 0x01 forced maintenance, 0x02 inherited, 0x08 forced drain, 0x10 inherited drain. 0x04 only remembers that the
      // configuration began with it in maintenance, and stays when it is enabled.
      const isEnabled = (Number(fields[6]) & ~0x04) === 0
      return { backend: fields[1] ?? '', name: fields[3] ?? '', isEnabled, weight: Number(fields[7]) }
    })
}
