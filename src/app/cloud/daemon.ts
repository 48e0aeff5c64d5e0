/**
 * The daemon: one process per data folder that serves the pocket cloud. Started by `kiln cloud start`, ended by SIGTERM.
 * VMs are processes of their own and go on; the next daemon adopts them.
 */
import { mkdir, rm } from 'node:fs/promises'
import type { TLSSocket } from 'node:tls'
import { parseArgs } from 'node:util'
import { destination, pino } from 'pino'
import type { Logger } from 'pino'
import { KilnError, describeError, systemErrorCode } from '../../base/errors.ts'
import { openAuthority } from '../../cloud/front/authority.ts'
import { createFront } from '../../cloud/front/front.ts'
import type { Front } from '../../cloud/front/front.ts'
import type { Locate } from '../../cloud/front/proxy.ts'
import { openKernel } from '../../cloud/kernel/kernel.ts'
import type { Room } from '../../cloud/kernel/room.ts'
import { createServer } from '../../cloud/kernel/server.ts'
import { writeFileDurable } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import type { KilnHome } from '../../host/home.ts'
import { identifyProcess } from '../../host/process.ts'
import { tryProcessLock } from '../../store/process-lock.ts'
import type { VmDriver } from '../../vm/driver.ts'
import { createQemuDriver } from '../../vm/qemu/driver.ts'
import { superviseDeliveries } from '../delivery/supervise.ts'
import { webhookPaths } from '../delivery/webhook.ts'
import { kilnVersion } from '../version.ts'
import { daemonPaths, ownerCredentials } from './files.ts'
import type { DaemonFile } from './files.ts'
import { createGrpcFront } from './grpc.ts'
import { locateOwnNames } from './own-names.ts'
import { createPublicImages } from './public-images.ts'
import { createRooms } from './rooms.ts'

export interface RunningCloud {
  readonly url: string
  readonly port: number
  /** Stops serving; VMs go on. */
  stop(): Promise<void>
  /** Begins to look after deliveries whose workers have died. */
  superviseDeliveries(): void
  /** Ends what runs for users, before the data is removed. */
  resetRooms(): Promise<void>
}

export interface CloudOptions {
  readonly home: KilnHome
  /** 0: a free one. */
  readonly port: number
  readonly log: Logger
  readonly offline?: boolean
  /** What runs machines. Default: QEMU. */
  readonly driver?: VmDriver
}

/**
 * Opens the data folder and serves it. One per data folder: the lock is freed by the kernel when this process dies.
 * @throws KilnError E_LOCKED, E_PORT_TAKEN, E_DATA_NEWER, E_DATA_BROKEN
 */
export async function serveCloud(options: CloudOptions): Promise<RunningCloud> {
  const { home, log } = options
  await mkdir(home.cloud, { recursive: true, mode: 0o700 })
  const lock = tryProcessLock(daemonPaths(home).lock)
  if (lock === undefined) throw new KilnError('E_LOCKED', `another daemon serves ${home.root}`, { hint: '`kiln cloud status` shows it' })
  /** How to end what has begun, in the order in which it began. */
  const begun: (() => unknown)[] = [() => lock.release()]
  try {
    const owner = await ownerCredentials(home)
    const authority = await openAuthority(home.cloud)
    let port = 0
    let front: Front | undefined
    const kernel = await openKernel({ home, log, rootUrl: () => `http://127.0.0.1:${port}` })
    begun.push(() => kernel.close())
    const rooms = createRooms({
      driver: options.driver ?? createQemuDriver({ home }),
      publicImages: createPublicImages(home),
      ownerRefreshToken: owner.refresh_token,
      signCertificate: authority.issue,
      guests: { socket: daemonPaths(home).guestSocket, authority: authority.certificate },
    })
    begun.push(() => stopRooms(rooms))
    const deliveries = superviseDeliveries({ home, log })
    begun.push(() => deliveries.stop())
    const server = await createServer({
      kernel,
      rooms,
      openPaths: webhookPaths,
      extra: (app) => {
        deliveries.addRoutes(app)
        app.get('/kiln/healthz', () => ({ ok: true, pid: process.pid, version: kilnVersion }))
        // What comes in as for a proxy is not for a room, whatever its path.
        app.addHook('onRequest', (request, reply, done) => {
          if (front?.onRequest(request.originalUrl, request.raw, reply.raw) === true) reply.hijack()
          else done()
        })
      },
    })
    begun.push(() => server.close())
    const grpc = createGrpcFront({ rooms, port: () => port, onUnexpected: (error, path) => log.error({ err: error, path }, 'a gRPC call failed unexpectedly') })
    const onHttp2 = (socket: TLSSocket): void => grpc.handleConnection(socket, { secure: true })
    const locateStarted = locateOwnNames(() => kernel.ports.use('names'))
    const locate: Locate = async (host, at) => server.whenOpen().then(() => locateStarted(host, at))
    const own = createFront({ authority, server: server.app.server, onHttp2, offline: options.offline === true, locate })
    front = own
    // First gRPC: its calls end with a status, which needs the connections.
    begun.push(
      () => own.close(),
      () => grpc.close(),
    )
    await own.listen(daemonPaths(home).guestSocket)
    port = await listen(server.listen, options.port)
    await startRooms(rooms)
    kernel.operations.resume()
    server.open()
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      superviseDeliveries: () => deliveries.start(),
      async stop() {
        for (const end of begun.toReversed()) await end()
      },
      async resetRooms() {
        for (const room of rooms.toReversed()) await room.reset?.()
      },
    }
  } catch (error) {
    for (const end of begun.toReversed()) {
      try {
        await end()
      } catch (second) {
        log.error({ err: second }, 'what had begun could not be ended')
      }
    }
    throw error
  }
}

async function stopRooms(rooms: readonly Room[]): Promise<void> {
  for (const room of rooms.toReversed()) await room.stop?.()
}

async function startRooms(rooms: readonly Room[]): Promise<void> {
  for (const room of rooms) await room.start?.()
}

async function listen(start: (port: number) => Promise<number>, port: number): Promise<number> {
  try {
    return await start(port)
  } catch (error) {
    if (systemErrorCode(error) !== 'EADDRINUSE') throw error
    throw new KilnError('E_PORT_TAKEN', `port ${port} on 127.0.0.1 is in use`, { hint: 'choose another with --port, or --port 0 for a free one', cause: error })
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, offline: { type: 'boolean', default: false } } })
  const home = kilnHome()
  const paths = daemonPaths(home)
  await mkdir(home.cloud, { recursive: true, mode: 0o700 })
  const log = pino(
    { base: { pid: process.pid }, redact: ['*.accessToken', '*.authorization', 'req.headers.authorization'] },
    destination({ dest: paths.log, append: true, sync: true }),
  )
  const cloud = await serveCloud({ home, port: Number(values.port), log, offline: values.offline })
  const identity = await identifyProcess(process.pid)
  if (identity === undefined) throw new Error('this process is not in /proc')
  const file: DaemonFile = { ...identity, url: cloud.url, port: cloud.port, version: kilnVersion, startedAt: new Date().toISOString(), offline: values.offline }
  await writeFileDurable(paths.lastPort, String(cloud.port))
  await writeFileDurable(paths.daemon, `${JSON.stringify(file, null, 2)}\n`)
  log.info({ url: cloud.url }, 'the pocket cloud serves')
  cloud.superviseDeliveries()
  let stopping = false
  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    cloud
      .stop()
      .then(() => rm(paths.daemon, { force: true }))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'stopping failed')
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a rejected promise was not handled'))
  // The launcher reads this line, then goes away; later writes to the closed pipe must not hurt.
  process.stdout.on('error', () => {})
  process.stdout.write(`${JSON.stringify({ ready: file })}\n`)
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    const code = error instanceof KilnError ? error.code : 'E_CLOUD_START'
    const hint = error instanceof KilnError ? error.hint : undefined
    process.stdout.write(`${JSON.stringify({ failed: { code, message: describeError(error), hint } })}\n`)
    process.exitCode = 1
  }
}
