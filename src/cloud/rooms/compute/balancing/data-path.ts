/**
 * Brings HAProxy, the probers and the machines' forwards in line with the rows. One pass at a time; every change of a row asks for one, a change of
 * health too, and once a second somebody looks whether group members came or went. Every step can be repeated: a new daemon goes on from what runs.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '../../../../base/errors.ts'
import { sameJson } from '../../../../base/json.ts'
import { sleep } from '../../../../base/wait.ts'
import { exists, removeAll, writeFileDurable } from '../../../../host/files.ts'
import { firstBindablePort } from '../../../../host/ports.ts'
import type { PortForward } from '../../../../vm/driver.ts'
import { toOperationFailure } from '../errors.ts'
import type { Compute } from '../service.ts'
import { PRIVILEGED_SHIFT } from '../service.forwards.ts'
import type { Instance } from '../service.instances.ts'
import { makeConfig } from './config.ts'
import type { BackendModel, BalancerModel, ServerModel } from './config.ts'
import { certificateFile, drainingTimeoutMs, serverName } from './desired.ts'
import type { BackendMember, Desired, DesiredState } from './desired.ts'
import type { Haproxy } from './haproxy.ts'
import type { Health, ProbeTask } from './health.ts'
import type { Reach } from './reach.ts'
import { loadServers, parseServers, syncServers } from './servers.ts'
import type { Leaving } from './servers.ts'
import type { Traffic } from './traffic.ts'

const LOOK_EVERY_MS = 1000
const DRAIN_POLL_MS = 50
const HTTPS_PORT = 443

export interface DataPath {
  /** Resolves when everything that was in the rows at the time of the call is in force. @throws ApiError when HAProxy is missing or refuses. */
  apply(): Promise<void>
  /** The forwards that an instance needs as a backend. */
  forwards(instance: Instance): Promise<readonly PortForward[]>
  /** No new requests; resolves when those under way ended or the longest draining timeout passed. */
  drain(instance: Instance): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  /** Ends HAProxy too. */
  reset(): Promise<void>
}

export interface DataPathParts {
  readonly desired: DesiredState
  readonly reach: Reach
  readonly haproxy: Haproxy
  readonly health: Health
  readonly traffic: Traffic
  readonly refreshForwards: (projectId: string) => Promise<void>
  /** Has managed certificates that soon end signed anew. */
  readonly renewCertificates: () => Promise<void>
}

export function createDataPath(compute: Compute, parts: DataPathParts): DataPath {
  const { desired, reach, haproxy, health, traffic } = parts
  const { log } = compute.kernel
  const draining = new Map<string, number>()
  const leaving: Leaving = new Map()
  let knownPorts = new Map<string, string>()
  /** Servers that were let in when this daemon began: they stay so until a probe says otherwise, and HAProxy's own checks look after them meanwhile. */
  let adopted: ReadonlySet<string> = new Set()
  let lastModel: BalancerModel | undefined
  let lastTrouble = ''
  let running: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let life = new AbortController()

  async function taskOf(instance: Instance, check: { link: string; plan: ProbeTask['plan']; port: number }): Promise<ProbeTask> {
    return { instanceId: instance.id, check: check.link, port: check.port, plan: check.plan, endpoint: await reach.endpoint(instance, check.port) }
  }

  async function watchHealth(now: Desired): Promise<void> {
    const ofBackends = now.members.flatMap((member) => (member.check === undefined ? [] : [taskOf(member.instance, member.check)]))
    const ofHealing = now.healing.map((each) => taskOf(each.instance, each))
    health.watch(await Promise.all([...ofBackends, ...ofHealing]))
  }

  /** A machine that runs gets new forwards in its own turn; whoever is being started meanwhile reads them anyway. */
  function refreshForwards(now: Desired): void {
    const ports = new Map([...now.ports].map(([id, set]) => [id, [...set].toSorted((left, right) => left - right).join()]))
    const changed = [...new Set([...ports.keys(), ...knownPorts.keys()])].filter((id) => ports.get(id) !== knownPorts.get(id))
    knownPorts = ports
    const projects = new Set(changed.flatMap((id) => compute.store.byId(id)?.projectId ?? []))
    for (const projectId of projects) {
      parts.refreshForwards(projectId).catch((error: unknown) => log.error({ err: error, projectId }, 'forwards of backends could not be changed'))
    }
  }

  async function serverOf(member: BackendMember, backend: BackendModel): Promise<ServerModel | undefined> {
    const endpoint = await reach.endpoint(member.instance, member.port)
    if ('blocked' in endpoint) return undefined
    const checked = member.check === undefined ? endpoint : await reach.endpoint(member.instance, member.check.port)
    const name = serverName(member)
    const state = member.check === undefined ? 'HEALTHY' : health.report(member.instance.id, member.check.link, member.check.port).state
    const isHealthy = state === 'HEALTHY' || (state === 'UNKNOWN' && adopted.has(`b${backend.id}/${name}`))
    return {
      name,
      ...endpoint,
      checkPort: 'blocked' in checked ? endpoint.port : checked.port,
      weight: member.weight,
      isReady: isHealthy && member.isStaying && !draining.has(member.instance.id),
    }
  }

  async function modelOf(now: Desired): Promise<BalancerModel> {
    const shell = desired.model(haproxy.certificateFolder)
    const first = await firstBindablePort()
    const backends = await Promise.all(
      shell.backends.map(async (backend) => {
        const members = now.members.filter((member) => member.service.id === backend.id)
        const servers = (await Promise.all(members.map((member) => serverOf(member, backend)))).filter((server) => server !== undefined)
        return { ...backend, servers: servers.toSorted((left, right) => (left.name < right.name ? -1 : 1)) }
      }),
    )
    const moved = HTTPS_PORT < first ? { httpsPort: HTTPS_PORT + PRIVILEGED_SHIFT } : {}
    return { frontends: shell.frontends.map((frontend) => ({ ...frontend, ...moved, port: frontend.port < first ? frontend.port + PRIVILEGED_SHIFT : frontend.port })), backends }
  }

  async function writeCertificates(): Promise<void> {
    const folder = haproxy.certificateFolder
    const wanted = new Map(desired.certificates().map((certificate) => [certificateFile(folder, certificate), certificate]))
    for (const [path, certificate] of wanted) {
      if (!(await exists(path))) await writeFileDurable(path, `${certificate.record.certificate ?? ''}\n${certificate.hidden.privateKey ?? ''}`, 0o600)
    }
    if (!(await exists(folder))) return
    for (const name of await readdir(folder)) if (!wanted.has(join(folder, name))) await removeAll(join(folder, name))
  }

  async function pass(): Promise<void> {
    await parts.renewCertificates()
    const now = desired.read()
    refreshForwards(now)
    await watchHealth(now)
    const model = await modelOf(now)
    const structure = await haproxy.running()
    if (model.frontends.length === 0) {
      leaving.clear()
      lastModel = undefined
      if (structure !== undefined) await haproxy.stop()
      return
    }
    const config = makeConfig(model, haproxy.paths)
    if (structure !== undefined) await countRequests()
    if (structure !== config.structure) {
      await writeCertificates()
      await loadServers(haproxy, config, model)
      traffic.restarted(Date.now())
      // The old worker ends what it has; the new one knows only who stays.
      leaving.clear()
    } else {
      const graceMs = new Map(desired.services().map((service) => [`b${service.id}`, drainingTimeoutMs(service.record)]))
      await syncServers(haproxy, model, leaving, (backend) => graceMs.get(backend) ?? 0)
      if (!sameJson(model, lastModel)) await haproxy.save(config)
    }
    lastModel = model
  }

  /** Nothing hangs on it: what cannot be read now is read by the next pass. */
  async function countRequests(): Promise<void> {
    try {
      traffic.note(await haproxy.command('show stat -1 2 -1'), Date.now())
    } catch (error) {
      log.debug({ err: error }, 'the requests at the load balancer could not be counted')
    }
  }

  function apply(): Promise<void> {
    next ??= running.then(begin, begin)
    return next
  }

  function begin(): Promise<void> {
    next = undefined
    // Whoever asks while this daemon ends has its rows: the next daemon's first pass brings them in force.
    if (life.signal.aborted) return Promise.resolve()
    running = pass().catch((error: unknown) => {
      throw toOperationFailure(error)
    })
    return running
  }

  function look(): void {
    if (life.signal.aborted) return
    apply()
      .then(
        () => (lastTrouble = ''),
        (error: unknown) => {
          const trouble = describeError(error)
          // What stays broken is told once, not every second.
          if (trouble !== lastTrouble) log.error({ err: error }, 'load balancing could not be brought up to date')
          lastTrouble = trouble
        },
      )
      .finally(() => {
        if (!life.signal.aborted) timer = setTimeout(look, LOOK_EVERY_MS).unref()
      })
  }

  /** Requests that servers of an instance have in hand now. */
  async function inHand(instanceId: string): Promise<number> {
    if ((await haproxy.running()) === undefined) return 0
    const rows = (await haproxy.command('show stat -1 4 -1')).split('\n').map((line) => line.split(','))
    return rows.filter((row) => row[1]?.startsWith(`i${instanceId}-`) === true).reduce((sum, row) => sum + Number(row[4] ?? 0), 0)
  }

  return {
    apply,
    async forwards(instance) {
      return reach.forwards(instance, desired.read().ports.get(instance.id) ?? [])
    },
    async drain(instance) {
      const services = desired.read().members.filter((member) => member.instance.id === instance.id)
      if (services.length === 0) return
      const deadlineMs = Date.now() + Math.max(...services.map((member) => drainingTimeoutMs(member.service.record)))
      draining.set(instance.id, (draining.get(instance.id) ?? 0) + 1)
      try {
        await apply()
        while (!life.signal.aborted && Date.now() < deadlineMs && (await inHand(instance.id)) > 0) await sleep(DRAIN_POLL_MS)
      } finally {
        const left = (draining.get(instance.id) ?? 1) - 1
        if (left > 0) draining.set(instance.id, left)
        else draining.delete(instance.id)
      }
    },
    async start() {
      life = new AbortController()
      if ((await haproxy.running()) !== undefined) {
        const servers = parseServers(await haproxy.command('show servers state'))
        adopted = new Set(servers.filter((server) => server.isEnabled).map((server) => `${server.backend}/${server.name}`))
      }
      look()
    },
    async stop() {
      life.abort()
      clearTimeout(timer)
      await running.catch(() => {})
      health.stop()
    },
    async reset() {
      life.abort()
      clearTimeout(timer)
      // A pass that goes on would start the process again, and write into the folder that goes.
      await running.catch(() => {})
      health.stop()
      await haproxy.stop()
    },
  }
}
