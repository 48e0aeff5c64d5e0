/**
 * A stack with a group, for tests of the verbs over releases: the real engine, deployer, rooms and HAProxy, in a daemon of its own that can be killed.
 * Machines are fake, images are empty, and the servers are of this process; nothing is baked.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { call, isAbsent } from '../../client/errors.ts'
import { lastSegment, waitForCompute } from '../../client/operations.ts'
import type { Clients } from '../../client/clients.ts'
import { makeArchives } from '../../cloud/rooms/compute/testing.ts'
import type { Archives } from '../../cloud/rooms/compute/testing.ts'
import { compileStack } from '../../compile/compile.ts'
import type { Serving } from '../../compile/serving.ts'
import { loadStack } from '../../config/load.ts'
import { applyPlan } from '../../engine/apply.ts'
import { planDestroy } from '../../engine/destroy.ts'
import type { Engine } from '../../engine/engine.ts'
import { memoryInventory } from '../../engine/inventory.ts'
import { planStack } from '../../engine/plan.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { kilnHome } from '../../host/home.ts'
import type { KilnHome } from '../../host/home.ts'
import { bucketObjects } from '../../release/objects.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { serveCloud } from '../cloud/daemon.ts'
import { describeImage } from '../kinds/image-facts.ts'
import { releaseKind } from '../kinds/release.ts'
import { releaseLedgerKind } from '../kinds/release-ledger.ts'
import { removalParts } from '../stack/removal-parts.ts'
import { pocketClients } from '../stack/cloud-clients.ts'
import { serveGuests } from '../testing/guests.ts'
import type { GuestMachine, Guests } from '../testing/guests.ts'
import { requireServing } from './context.ts'
import type { RolloutRequest } from './context.ts'
import { throwReleaseError } from './failures.ts'
import { createRollout } from './rollout.ts'

export const project = 'release-test'
const zone = 'us-central1-c'
const digest = `sha256:${'a'.repeat(64)}`

/** Longer than the stage's health checks wait. */
const LATE_MS = 3000

export interface Stage {
  readonly home: KilnHome
  /** Folder of the config. */
  readonly dir: string
  clients(): Clients
  serving(): Promise<Serving>
  /** Options of a verb; what it notes goes to `notes`. */
  options(): { readonly home: KilnHome; readonly dir: string; readonly signal: AbortSignal; readonly note: (text: string) => void }
  readonly notes: string[]
  /** Changes the section `server`, as source text. */
  configure(server: string): Promise<void>
  /** Plans, and applies, as `kiln up` does, with this image as the newest; gives what was done, by address. */
  up(image: string, request?: Partial<RolloutRequest>): Promise<Readonly<Record<string, string>>>
  /** Addresses of the plan that are not noops, with their reasons. */
  plan(image: string): Promise<Readonly<Record<string, readonly string[]>>>
  /** Addresses of what was deleted. */
  destroy(): Promise<readonly string[]>
  addImage(name: string, version: string): Promise<void>
  /** How the servers of an image answer beside `/version`. Default: 200 always. */
  readonly health: Map<string, (ageMs: number, path: string) => number | 'late' | 'gone'>
  /** `NAME-PREFIX IMAGE STATUS` of every machine. */
  machines(): Promise<readonly string[]>
  daemon(): ChildProcess
  startDaemon(): Promise<void>
  close(): Promise<void>
}

export async function createStage(): Promise<Stage> {
  const root = await mkdtemp(join(tmpdir(), 'kiln-delivery-'))
  const home = kilnHome({ KILN_HOME: join(root, 'home') })
  const dir = join(root, 'stack')
  await mkdir(join(dir, 'server'), { recursive: true })
  await writeFile(join(dir, 'run.sh'), '#!/bin/sh\n')
  const archives: Archives = await makeArchives()
  const inventory = memoryInventory()
  const notes: string[] = []
  const versions = new Map<string, string>()
  const health: Stage['health'] = new Map()
  let child: ChildProcess | undefined
  let url = ''
  let clients: Clients | undefined
  let guests: Guests | undefined

  const here = (): Clients => {
    if (clients === undefined) throw new Error('no daemon was started')
    return clients
  }

  async function startDaemon(): Promise<void> {
    const port = url === '' ? '0' : new URL(url).port
    const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('../testing/fake-daemon.ts', import.meta.url)), port], {
      env: { ...process.env, KILN_HOME: home.root },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = started
    url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: started.stdout }).once('line', resolve)
      started.once('exit', (code) => reject(new Error(`the daemon ended at once (${code})`)))
    })
    clients ??= pocketClients(home, url)
  }

  async function configure(server: string): Promise<void> {
    await writeFile(
      join(dir, 'kiln.config.ts'),
      `export default {
  project: { id: '${project}' },
  location: { region: 'us-central1', zone: '${zone}' },
  images: {
    base: { debian: 'bookworm' },
    app: { from: 'base', python: ['app'], files: { './run.sh': '/opt/app/run.sh' }, entrypoint: '/opt/app/run.sh', health: { path: '/healthz', port: 8080, timeoutSeconds: 20 } },
  },
  server: { image: 'app', size: 2, bakeSeconds: 1, drainSeconds: 1, canary: { percent: 50, bakeSeconds: 1 }, ${server} },
}
`,
    )
  }

  async function desired(image: string): Promise<readonly DesiredResource[]> {
    const stack = await loadStack(dir)
    const compiled = compileStack(stack.config, { stackDir: stack.dir, files: {}, operatorRanges: ['127.0.0.1/32'] })
    const isBaked = (address: string): boolean => address.startsWith('image/') || address.startsWith('python-package/')
    return compiled
      .filter((one) => !isBaked(one.address))
      .map((one) => ({
        ...one,
        dependsOn: one.dependsOn.filter((address) => !isBaked(address)),
        props: {
          ...one.props,
          ...('image' in one.props ? { image: `projects/${project}/global/images/${image}` } : {}),
          // Tests wait for each of these answers.
          ...(one.kind === 'health-check' ? { intervalSeconds: 1, timeoutSeconds: 1, healthyThreshold: 1 } : {}),
          ...(one.kind === 'release' ? { package: { name: 'app', version: versions.get(image) ?? '', wheelSha256: digest } } : {}),
        },
      }))
  }

  async function engineOf(request: Partial<RolloutRequest> = {}): Promise<Engine<Clients>> {
    const stack = await loadStack(dir)
    const full = { who: 'ann', why: 'test', ...request }
    const rollout = createRollout({ home, stack, clients: here(), signal: new AbortController().signal, note: (text) => void notes.push(text), request: full, isRemote: false })
    return {
      stack: project,
      kinds: [...[...resourceKinds.values()].map((entry) => entry.kind), releaseLedgerKind, releaseKind(rollout)],
      clients: here(),
      inventory,
      signal: new AbortController().signal,
    }
  }

  async function machineList(): Promise<readonly (GuestMachine & { readonly name: string; readonly status: string })[]> {
    const compute = await here().compute()
    const rows = (await call(compute.instances.list({ project, zone }))).items ?? []
    const disks = new Map(((await call(compute.disks.list({ project, zone }))).items ?? []).map((disk) => [disk.name ?? '', lastSegment(disk.sourceImage ?? '')]))
    return rows.map((row) => ({
      id: row.id ?? '',
      name: row.name ?? '',
      status: row.status ?? '',
      folder: join(home.cloud, 'vms', row.id ?? ''),
      image: disks.get(lastSegment(row.disks?.[0]?.source ?? '')) ?? '',
    }))
  }

  async function apply(resources: readonly DesiredResource[], engine: Engine<Clients>): Promise<Readonly<Record<string, string>>> {
    const result = await applyPlan(engine, await planStack(engine, resources)).catch(throwReleaseError)
    return Object.fromEntries(result.applied.filter((one) => one.action !== 'noop').map((one) => [one.address, one.action]))
  }

  async function prepare(): Promise<void> {
    await configure('')
    await startDaemon()
    // Images are there before what needs them; without a baker somebody has to bring them.
    const first = (await desired('none')).filter((one) => ['project', 'service', 'bucket'].includes(one.kind))
    await apply(first, await engineOf())
    const body = await readFile(archives.sparse)
    await here().transport.send(`https://storage.googleapis.com/upload/storage/v1/b/${project}-kiln-images/o?uploadType=media&name=disk.tar.gz`, { method: 'POST', body })
    guests = serveGuests(createFakeDriver(), 8080, machineList, (image, ageMs, path, response) => {
      const version = versions.get(image) ?? ''
      response.setHeader('x-version', version)
      const answer = health.get(image)?.(ageMs, path) ?? 200
      if (answer === 'gone') {
        response.destroy()
        return
      }
      response.statusCode = answer === 'late' ? 200 : answer
      if (answer === 'late') {
        setTimeout(() => response.end('late'), LATE_MS).unref()
        return
      }
      if (path === '/version') response.end(JSON.stringify({ name: 'app', version }))
      else response.end(`${image} is ${response.statusCode}`)
    })
  }

  await prepare()
  return {
    home,
    dir,
    clients: here,
    serving: async () => requireServing((await loadStack(dir)).config),
    options: () => ({ home, dir, signal: new AbortController().signal, note: (text) => void notes.push(text) }),
    notes,
    configure,
    up: async (image, request) => apply(await desired(image), await engineOf(request)),
    async plan(image) {
      const { plan } = await planStack(await engineOf(), await desired(image))
      return Object.fromEntries(plan.nodes.filter((node) => node.action !== 'noop').map((node) => [node.address, node.reasons]))
    },
    async destroy() {
      const engine = { ...(await engineOf()), kinds: [...[...resourceKinds.values()].map((entry) => entry.kind), releaseLedgerKind, releaseKind(removalParts.release)] }
      const object = 'disk.tar.gz'
      await bucketObjects(here(), `${project}-kiln-images`).remove(object)
      const result = await applyPlan(engine, planDestroy(engine))
      return result.applied.filter((one) => one.action === 'delete').map((one) => one.address)
    },
    async addImage(name, version) {
      versions.set(name, version)
      const compute = await here().compute()
      const requestBody = {
        name,
        labels: { 'kiln-family': 'app' },
        description: describeImage({ family: 'app', key: 'b'.repeat(64), digest, packages: [`app ${version}`], tested: true }),
        rawDisk: { source: `https://storage.googleapis.com/storage/v1/b/${project}-kiln-images/o/disk.tar.gz` },
      }
      await waitForCompute(here(), project, await call(compute.images.insert({ project, requestBody })), { what: `import ${name}` })
    },
    health,
    async machines() {
      try {
        return (await machineList()).map(({ name, image, status }) => `${name.replace(/-[^-]+$/, '')} ${image} ${status}`).toSorted()
      } catch (error) {
        if (isAbsent(error)) return []
        throw error
      }
    },
    daemon() {
      if (child === undefined) throw new Error('no daemon was started')
      return child
    },
    startDaemon,
    async close() {
      await guests?.close()
      if (child !== undefined && child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      // HAProxy outlives a daemon; the one after it ends it with its data.
      const cloud = await serveCloud({ home, port: 0, log: pino({ level: 'silent' }), driver: createFakeDriver() })
      await cloud.resetRooms()
      await cloud.stop()
      inventory.close()
      await archives.remove()
      await rm(root, { recursive: true, force: true })
    },
  }
}
