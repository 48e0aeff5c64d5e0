/** Programs that go on when this process ends. */
import { spawn } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemErrorCode } from '../base/errors.ts'
import { KilnError } from '../base/errors.ts'
import { missingTool } from './exec.ts'
import { identifyProcess } from './process.ts'
import type { ProcessIdentity } from './process.ts'

/**
 * Starts a program in a session of its own, its output appended to `logFile` (made with its folder, readable by the owner only), and gives its identity.
 * @throws KilnError E_TOOL_MISSING; E_TOOL_FAILED when it is gone before it can be named
 */
export async function startDetached(command: {
  readonly program: string
  readonly args: readonly string[]
  readonly logFile: string
  readonly cwd?: string
}): Promise<ProcessIdentity> {
  await mkdir(dirname(command.logFile), { recursive: true })
  const log = await open(command.logFile, 'a', 0o600)
  try {
    const child = spawn(command.program, [...command.args], { detached: true, stdio: ['ignore', log.fd, log.fd], ...(command.cwd === undefined ? {} : { cwd: command.cwd }) })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => reject(systemErrorCode(error) === 'ENOENT' ? missingTool(command.program) : error))
    })
    child.unref()
    const identity = child.pid === undefined ? undefined : await identifyProcess(child.pid)
    if (identity === undefined) throw new KilnError('E_TOOL_FAILED', `${command.program} ended at once`, { detail: `its output is in ${command.logFile}` })
    return identity
  } finally {
    await log.close()
  }
}
