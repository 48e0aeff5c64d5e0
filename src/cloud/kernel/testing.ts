/** A whole pocket cloud for tests: own data folder, port 0, an owner's token. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { kilnHome } from '../../host/home.ts'
import type { TableRow } from './fault-routes.ts'
import { checkReplies } from './descriptions/reply-check.ts'
import type { ReplyCheck } from './descriptions/reply-check.ts'
import { openKernel } from './kernel.ts'
import type { Kernel } from './kernel.ts'
import { ownerPrincipal, serviceAccountPrincipal, userPrincipal } from './principal.ts'
import type { Principal } from './principal.ts'
import type { Room } from './room.ts'
import { createServer } from './server.ts'
import type { CloudServer } from './server.ts'

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the owner's. `null`: no token. */
  readonly token?: string | null
}

export interface CallResult {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body, or {} when it is not JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at answers freely
  readonly json: any
}

export interface TestCloud {
  readonly folder: string
  kernel(): Kernel
  url(): string
  readonly ownerToken: () => string
  /** `call('GET', 'compute.googleapis.com/compute/v1/projects/p/zones')`. Bodies: strings and bytes as they are, else JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<CallResult>
  tokenFor(principal: Principal): string
  userToken(email: string): string
  serviceAccountToken(email: string): string
  /** Makes an active project with all services of these rooms enabled, without going through a room. */
  addProject(projectId: string, services?: readonly string[]): void
  /** The services of the rooms. */
  services(): readonly string[]
  /** Every route of every room. */
  table(): readonly TableRow[]
  /** Stops this daemon's parts and starts new ones on the same folder. */
  restart(): Promise<void>
  /** Ends it and removes its folder. @throws Error that lists what in the replies so far was not as Google's descriptions say */
  close(): Promise<void>
}

/** Starts the given rooms (made anew by `makeRooms` on every restart). */
export async function startTestCloud(makeRooms: () => readonly Room[]): Promise<TestCloud> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-cloud-'))
  const home = kilnHome({ KILN_HOME: folder })
  let kernel: Kernel
  let server: CloudServer
  let rooms: readonly Room[]
  let ownerToken = ''
  const checks: ReplyCheck[] = []

  async function start(): Promise<void> {
    kernel = await openKernel({ home, log: pino({ level: process.env['KILN_TEST_LOG'] ?? 'fatal' }), rootUrl: () => `http://127.0.0.1:${server.port()}` })
    rooms = makeRooms()
    server = await createServer({ kernel, rooms, extra: (app) => checks.push(checkReplies(app, () => server.table)) })
    await server.listen(0)
    for (const room of rooms) await room.start?.()
    kernel.operations.resume()
    server.open()
    ownerToken = kernel.tokens.mint(ownerPrincipal).accessToken
  }

  async function stop(): Promise<void> {
    await server.close()
    for (const room of rooms) await room.stop?.()
    await kernel.close()
  }

  await start()
  return {
    folder,
    kernel: () => kernel,
    url: () => kernel.rootUrl(),
    ownerToken: () => ownerToken,
    async call(method, path, options = {}) {
      const token = options.token === undefined ? ownerToken : options.token
      const isRaw = typeof options.body === 'string' || options.body instanceof Uint8Array
      const response = await fetch(`${kernel.rootUrl()}/${path}`, {
        method,
        redirect: 'manual',
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(options.body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        ...(options.body === undefined ? {} : { body: isRaw ? (options.body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(options.body) }),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parseOrEmpty(text) }
    },
    tokenFor: (principal) => kernel.tokens.mint(principal).accessToken,
    userToken: (email) => kernel.tokens.mint(userPrincipal(email)).accessToken,
    serviceAccountToken: (email) => kernel.tokens.mint(serviceAccountPrincipal(email)).accessToken,
    addProject(projectId, services) {
      const projectNumber = String(100_000_000_000 + kernel.projects.list().length)
      kernel.projects.insert({ projectId, projectNumber, displayName: projectId, labels: {}, state: 'ACTIVE', createTime: new Date().toISOString() })
      for (const service of services ?? rooms.map((room) => room.service)) kernel.projects.setService(projectId, service, true)
    },
    services: () => rooms.map((room) => room.service),
    table: () => server.table,
    async restart() {
      await stop()
      await start()
    },
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
      const violations = new Set(checks.flatMap((check) => check.violations()))
      if (violations.size > 0) throw new Error(`Replies are not as Google describes them:\n${[...violations].join('\n')}`)
    },
  }
}

function parseOrEmpty(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return {}
  }
}
