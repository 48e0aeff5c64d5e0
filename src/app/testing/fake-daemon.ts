/**
 * The pocket cloud's daemon with machines that are none, as a process of its own: for tests that kill it. Verbs of the same data folder find it as they
 * find the real one. `KILN_HOME=FOLDER node fake-daemon.ts PORT` prints one line when it serves.
 */
import { pino } from 'pino'
import { kilnHome } from '../../host/home.ts'
import { writeFileDurable } from '../../host/files.ts'
import { identifyProcess } from '../../host/process.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { serveCloud } from '../cloud/daemon.ts'
import { daemonPaths } from '../cloud/files.ts'
import type { DaemonFile } from '../cloud/files.ts'
import { kilnVersion } from '../version.ts'

const home = kilnHome()
const log = pino({ level: 'warn' }, pino.destination({ dest: daemonPaths(home).log, append: true, sync: true, mkdir: true }))
const cloud = await serveCloud({ home, port: Number(process.argv[2] ?? 0), log, driver: createFakeDriver() })
const identity = await identifyProcess(process.pid)
if (identity === undefined) throw new Error('this process is not in /proc')
const file: DaemonFile = { ...identity, url: cloud.url, port: cloud.port, version: kilnVersion, startedAt: new Date().toISOString(), offline: false }
await writeFileDurable(daemonPaths(home).daemon, JSON.stringify(file))
process.on('SIGTERM', () => void cloud.stop().then(() => process.exit(0)))
process.stdout.write(`${cloud.url}\n`)
