/** Starting, stopping, asking and emptying the pocket cloud, from outside its daemon. */
import { spawn } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ErrorCode } from '../../base/error-codes.ts'
import { KilnError } from '../../base/errors.ts'
import { waitFor } from '../../base/wait.ts'
import { readDnsPort } from '../../cloud/rooms/dns/server/port.ts'
import { readTextIfExists, removeAll } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { canListen } from '../../host/ports.ts'
import { endProcess, isRunning } from '../../host/process.ts'
import { tailLines } from '../../host/exec.ts'
import { daemonPaths, ownerCredentials, readDaemonFile } from './files.ts'
import type { DaemonFile } from './files.ts'

export interface CloudStatus {
  readonly running: boolean
  readonly url?: string
  readonly pid?: number
  readonly port?: number
  readonly version?: string
  readonly startedAt?: string
  readonly offline?: boolean
  /** Where its name server answers, UDP and TCP on 127.0.0.1. */
  readonly dnsPort?: number
  readonly home: string
}

/** What serves this data folder now, found by its file and the process behind it. */
export async function cloudStatus(home: KilnHome): Promise<CloudStatus> {
  const file = await readDaemonFile(home)
  if (file === undefined || !(await isRunning(file))) return { running: false, home: home.root }
  const dnsPort = await readDnsPort(home)
  return {
    running: true,
    url: file.url,
    pid: file.pid,
    port: file.port,
    version: file.version,
    startedAt: file.startedAt,
    offline: file.offline,
    ...(dnsPort === undefined ? {} : { dnsPort }),
    home: home.root,
  }
}

export interface StartOptions {
  readonly home: KilnHome
  /** 0: a free one. Default: the one of last time if it is free, else a free one. */
  readonly port?: number
  /** The proxy reaches Google's hosts alone. */
  readonly offline?: boolean
  readonly timeoutMs?: number
}

/**
 * Makes sure that a daemon serves this data folder; returns the one that does.
 * @throws KilnError E_PORT_TAKEN, E_CLOUD_START (with the end of its log), E_DATA_NEWER
 */
export async function startCloud(options: StartOptions): Promise<{ readonly started: boolean; readonly daemon: DaemonFile }> {
  const { home } = options
  const running = await readDaemonFile(home)
  if (running !== undefined && (await isRunning(running))) {
    if (options.port !== undefined && options.port !== 0 && options.port !== running.port) {
      throw new KilnError('E_CLOUD_START', `the pocket cloud already serves ${home.root} on port ${running.port}`, { hint: 'stop it first: kiln cloud stop' })
    }
    if (options.offline === true && !running.offline)
      throw new KilnError('E_CLOUD_START', `the pocket cloud already serves ${home.root}, and not offline`, { hint: 'stop it first: kiln cloud stop' })
    return { started: false, daemon: running }
  }
  const outcome = await launch(home, options.port ?? (await usualPort(home)), options.offline === true)
  if ('ready' in outcome) return { started: true, daemon: outcome.ready }
  if (outcome.failed.code === 'E_LOCKED') return { started: false, daemon: await waitForOther(home, options.timeoutMs ?? 60_000) }
  throw new KilnError(outcome.failed.code, outcome.failed.message, { hint: outcome.failed.hint ?? `see ${daemonPaths(home).log}` })
}

type Outcome = { readonly ready: DaemonFile } | { readonly failed: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } }

/** Runs the daemon in a session of its own, and waits for its one line. */
async function launch(home: KilnHome, port: number, offline: boolean): Promise<Outcome> {
  await mkdir(home.cloud, { recursive: true, mode: 0o700 })
  const log = await open(daemonPaths(home).log, 'a', 0o600)
  try {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('daemon.ts', import.meta.url)), '--port', String(port), ...(offline ? ['--offline'] : [])],
      {
        detached: true,
        cwd: home.root,
        stdio: ['ignore', 'pipe', log.fd],
        env: { ...process.env, KILN_HOME: home.root },
      },
    )
    const { stdout } = child
    if (stdout === null) throw new Error('the daemon has no stdout pipe')
    const lines = createInterface({ input: stdout })
    const exited = new Promise<Outcome>((resolve) => {
      child.once('error', (error) => resolve({ failed: { code: 'E_CLOUD_START', message: error.message } }))
      child.once('exit', (code, signal) => resolve({ failed: { code: 'E_CLOUD_START', message: `the daemon ended at once (${signal ?? `exit code ${code}`})` } }))
    })
    const said = new Promise<Outcome>((resolve) => lines.once('line', (line) => resolve(JSON.parse(line) as Outcome)))
    const outcome = await Promise.race([said, exited.then(async (early) => ({ ...early, ...(await lastLogLines(home)) }))])
    lines.close()
    stdout.destroy()
    child.unref()
    return outcome
  } finally {
    await log.close()
  }
}

async function lastLogLines(home: KilnHome): Promise<Partial<{ failed: { code: ErrorCode; message: string } }>> {
  const text = await readTextIfExists(daemonPaths(home).log)
  return text === undefined || text === '' ? {} : { failed: { code: 'E_CLOUD_START', message: `the daemon ended at once; the end of its log:\n${tailLines(text, 15)}` } }
}

async function usualPort(home: KilnHome): Promise<number> {
  const last = Number((await readTextIfExists(daemonPaths(home).lastPort)) ?? 0)
  return last !== 0 && (await canListen(last)) ? last : 0
}

/** Another process is starting the daemon right now: wait for its file. */
async function waitForOther(home: KilnHome, timeoutMs: number): Promise<DaemonFile> {
  return waitFor({ what: `the daemon of ${home.root}`, timeoutMs, intervalMs: 50, code: 'E_CLOUD_START' }, async () => {
    const file = await readDaemonFile(home)
    return file !== undefined && (await isRunning(file)) ? { done: true, value: file } : { done: false, status: 'another process holds the lock and has not written daemon.json' }
  })
}

/** Ends the daemon, if one runs. VMs go on and are adopted by the next. */
export async function stopCloud(home: KilnHome): Promise<boolean> {
  const file = await readDaemonFile(home)
  if (file === undefined || !(await isRunning(file))) return false
  await endProcess(file, 20_000)
  await rm(daemonPaths(home).daemon, { force: true })
  return true
}

/** Stops the daemon and all VMs, and removes every project, image, package and object of this data folder. Caches of the baker stay. */
export async function resetCloud(home: KilnHome): Promise<void> {
  await stopCloud(home)
  // Only here the command line needs the daemon's code, which takes long to load.
  const [{ serveCloud }, { pino }] = await Promise.all([import('./daemon.ts'), import('pino')])
  const cloud = await serveCloud({ home, port: 0, log: pino({ level: 'silent' }) })
  try {
    await cloud.resetRooms()
  } finally {
    // Else its servers keep this process alive, and nobody reads the error.
    await cloud.stop()
  }
  await removeAll(home.cloud)
  await removeAll(home.sockets)
  await removeAll(home.engine)
}

interface TokenAnswer {
  readonly access_token: string
  readonly expires_in: number
}

/**
 * An access token of the owner, from the cloud's own token endpoint.
 * @throws KilnError E_CLOUD_NOT_RUNNING
 */
export async function ownerToken(home: KilnHome, url: string): Promise<{ readonly accessToken: string; readonly expiresInSeconds: number }> {
  const owner = await ownerCredentials(home)
  let response: Response
  try {
    response = await fetch(`${url}/oauth2.googleapis.com/token`, {
      method: 'POST',
      // A fault on the token endpoint must not keep its owner from removing it.
      headers: { 'x-kiln-faults': 'off' },
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: owner.client_id, client_secret: owner.client_secret, refresh_token: owner.refresh_token }),
    })
  } catch (error) {
    throw new KilnError('E_CLOUD_NOT_RUNNING', `the pocket cloud does not answer at ${url}`, { hint: 'start it: kiln cloud start', cause: error })
  }
  if (!response.ok)
    throw new KilnError('E_API', `the token endpoint answered ${response.status}: ${await response.text()}`, {
      hint: '`kiln cloud stop` and `kiln cloud start` make it read the owner file again',
    })
  const answer = (await response.json()) as TokenAnswer
  return { accessToken: answer.access_token, expiresInSeconds: answer.expires_in }
}
