/**
 * The HAProxy process of a data folder: started, adopted, reloaded, told over its runtime socket, stopped. It outlives the daemon; the file with its
 * pid and the path of its configuration on its command line say that it is ours.
 */
import { connect } from 'node:net'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../../../../base/errors.ts'
import { waitFor } from '../../../../base/wait.ts'
import { startDetached } from '../../../../host/detached.ts'
import { run, tailLines } from '../../../../host/exec.ts'
import { findProgram, readTextIfExists, removeAll } from '../../../../host/files.ts'
import type { KilnHome } from '../../../../host/home.ts'
import { canListen } from '../../../../host/ports.ts'
import { endProcess, identifyProcess, isRunning } from '../../../../host/process.ts'
import type { ProcessIdentity } from '../../../../host/process.ts'
import { errorPages } from './config.ts'
import type { BalancerConfig, ConfigPaths } from './config.ts'

/** A busy machine takes its time; one that ended is noticed at once. */
const START_TIMEOUT_MS = 60_000
const COMMAND_TIMEOUT_MS = 5000
const LOG_TAIL_LINES = 20

export interface Haproxy {
  readonly paths: ConfigPaths
  /** Where certificates lie. */
  readonly certificateFolder: string
  /** Structure of the configuration that the running process has; undefined: none runs. */
  running(): Promise<string | undefined>
  /** Starts it, or reloads the running one, with this configuration. Requests under way end in the old worker. @throws KilnError E_TOOL_MISSING, E_TOOL_FAILED */
  load(config: BalancerConfig): Promise<void>
  /** Keeps the configuration file in line with what the runtime socket was told, for the next reload from outside. */
  save(config: BalancerConfig): Promise<void>
  /** The answer to one command of the runtime API. @throws KilnError E_TOOL_FAILED */
  command(text: string): Promise<string>
  stop(): Promise<void>
}

/** `find`: where the program is; undefined: not installed. */
export function createHaproxy(home: KilnHome, find: () => Promise<string | undefined> = async () => findProgram('haproxy')): Haproxy {
  const folder = join(home.cloud, 'balancer')
  const configFile = join(folder, 'haproxy.cfg')
  const pidFile = join(folder, 'haproxy.pid')
  const logFile = join(folder, 'haproxy.log')
  const paths: ConfigPaths = { statsSocket: join(home.sockets, 'haproxy'), errorFolder: join(folder, 'errors') }

  async function identity(): Promise<ProcessIdentity | undefined> {
    const pid = Number(await readTextIfExists(pidFile))
    if (!Number.isInteger(pid) || pid <= 0) return undefined
    const found = await identifyProcess(pid)
    if (found === undefined) return undefined
    // A pid is used again one day; nobody else's command line names this file.
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return commandLine.split('\0').includes(configFile) ? found : undefined
  }

  async function running(): Promise<string | undefined> {
    if ((await identity()) === undefined) return undefined
    const info = await command('show info').catch(() => '')
    return /^description: (.*)$/m.exec(info)?.[1]
  }

  async function command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      const socket = connect(paths.statsSocket)
      const fail = (why: string): void => {
        socket.destroy()
        reject(new KilnError('E_TOOL_FAILED', `the load balancer did not take the command '${text}': ${why}`))
      }
      socket.setTimeout(COMMAND_TIMEOUT_MS, () => fail('no answer in time'))
      socket.on('error', (error) => fail(error.message))
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('end', () => resolve(Buffer.concat(chunks).toString().trim()))
      socket.write(`${text}\n`)
    })
  }

  /** None of these files needs to survive a power cut: they are made anew from the rows. */
  async function check(config: BalancerConfig, program: string): Promise<void> {
    const candidate = join(folder, 'candidate.cfg')
    await mkdir(paths.errorFolder, { recursive: true })
    for (const page of errorPages()) await writeFile(join(paths.errorFolder, page.name), page.text)
    await writeFile(candidate, config.text, { mode: 0o600 })
    await run({ program, args: ['-c', '-q', '-f', candidate] }, { what: 'checking the configuration of the load balancer', timeoutMs: START_TIMEOUT_MS })
    await removeAll(candidate)
  }

  /** HAProxy itself tells of a taken port only in its log, after it gave up. */
  async function requirePorts(config: BalancerConfig, isRunning: boolean): Promise<void> {
    const held = new Set(isRunning ? bindsOf((await readTextIfExists(configFile)) ?? '') : [])
    for (const bind of bindsOf(config.text)) {
      const [address = '', port = ''] = bind.split(':')
      if (held.has(bind) || (await canListen(Number(port), address))) continue
      throw new KilnError('E_PORT_TAKEN', `the load balancer cannot listen on ${bind}: another program does`, {
        hint: 'end the program that listens on all addresses, or use another port',
      })
    }
  }

  async function replace(config: BalancerConfig): Promise<void> {
    const fresh = `${configFile}.new`
    await writeFile(fresh, config.text, { mode: 0o600 })
    await rename(fresh, configFile)
  }

  async function waitUntilItRuns(config: BalancerConfig, master: ProcessIdentity): Promise<void> {
    try {
      await waitFor({ what: 'the load balancer', timeoutMs: START_TIMEOUT_MS, intervalMs: 20 }, async () => {
        if (!(await isRunning(master))) throw new KilnError('E_TOOL_FAILED', 'haproxy ended')
        const structure = await running()
        return structure === config.structure ? { done: true, value: undefined } : { done: false, status: structure ?? 'not running' }
      })
    } catch (error) {
      throw new KilnError('E_TOOL_FAILED', 'the load balancer (haproxy) did not take its configuration', {
        detail: tailLines((await readTextIfExists(logFile)) ?? '', LOG_TAIL_LINES),
        cause: error,
      })
    }
  }

  return {
    paths,
    certificateFolder: join(folder, 'certificates'),
    running,
    async load(config) {
      const program = await find()
      if (program === undefined)
        throw new KilnError('E_TOOL_MISSING', 'forwarding rules need the program haproxy, which is not installed', {
          hint: 'run `kiln doctor --install`, or install the Debian package haproxy',
        })
      await check(config, program)
      const master = await identity()
      await requirePorts(config, master !== undefined)
      await replace(config)
      if (master !== undefined) {
        process.kill(master.pid, 'SIGUSR2')
        return waitUntilItRuns(config, master)
      }
      await mkdir(home.sockets, { recursive: true, mode: 0o700 })
      await removeAll(paths.statsSocket)
      await writeFile(logFile, '', { mode: 0o600 })
      // It writes the file with its pid itself: whatever happens to this process meanwhile, the next daemon finds it.
      return waitUntilItRuns(config, await startDetached({ program, args: ['-W', '-f', configFile, '-p', pidFile], logFile }))
    },
    save: replace,
    command,
    async stop() {
      const master = await identity()
      if (master !== undefined) await endProcess(master, 3000)
      await removeAll(folder)
      await removeAll(paths.statsSocket)
    },
  }
}

/** `ADDRESS:PORT` of every frontend. */
function bindsOf(text: string): readonly string[] {
  return [...text.matchAll(/^ {2}bind (\S+)/gm)].map((match) => match[1] ?? '')
}
