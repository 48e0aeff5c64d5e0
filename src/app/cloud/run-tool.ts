/** Runs a program of the user's in the foreground, with the terminal as it is. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { KilnError, systemErrorCode } from '../../base/errors.ts'

/**
 * Exit code of the program; 128 plus the signal's number when a signal ended it, as shells say it. An abort passes SIGTERM on.
 * @throws KilnError E_TOOL_MISSING when there is no such program, E_TOOL_FAILED when it cannot be run
 */
export async function runInForeground(
  program: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal; readonly stdout?: 'inherit' | 'stderr' },
): Promise<number> {
  const child = spawn(program, [...args], { env: options.env, stdio: ['inherit', options.stdout === 'stderr' ? process.stderr : 'inherit', 'inherit'] })
  const onAbort = (): void => void child.kill('SIGTERM')
  options.signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error) => reject(cannotRun(program, error)))
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  } finally {
    options.signal.removeEventListener('abort', onAbort)
  }
}

function cannotRun(program: string, error: Error): KilnError {
  if (systemErrorCode(error) === 'ENOENT')
    return new KilnError('E_TOOL_MISSING', `there is no program ${program} on PATH`, {
      hint: 'install it, or give its full path; what follows -- is run as it is, without a shell',
      cause: error,
    })
  return new KilnError('E_TOOL_FAILED', `${program} could not be run: ${error.message}`, { cause: error })
}
