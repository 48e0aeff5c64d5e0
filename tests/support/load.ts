/** Load at a URL by Debian's wrk, while something else happens. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface LoadResult {
  readonly requests: number
  /** No connection, broken off, too late, or a status of 400 or more. */
  readonly failed: number
  /** Versions, in the order in which they answered first; `status N` for others than 200. */
  readonly seen: readonly string[]
  /** Seconds with answers other than 200, as `HH:MM:SS status N` in UTC: where to look in the logs when a test fails. */
  readonly troubles: readonly string[]
}

/** Every load of this process that was not stopped. */
const running = new Set<Load>()

/** For the end of a test file: whatever failed, nobody goes on asking. */
export async function stopAllLoads(): Promise<void> {
  for (const load of running) await load.stop().catch(() => {})
}

export interface Load {
  /** What answered so far. */
  seen(): readonly string[]
  stop(): Promise<LoadResult>
}

/** Two connections that are kept, each asking for `/version` ten times a second. */
export function startLoad(url: string): Load {
  const script = fileURLToPath(new URL('load.lua', import.meta.url))
  // However this process ends, a load that nobody stopped ends with it.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'wrk', '-t1', '-c2', '-d3600s', '--timeout', '30s', '-s', script, `${url}/version`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = once(child, 'close')
  const seen = (): readonly string[] => [...text.matchAll(/^seen (.*)$/gm)].map((match) => match[1] ?? '')
  const load: Load = {
    seen,
    async stop() {
      child.kill('SIGINT')
      await ended
      running.delete(load)
      const [, requests, failed] = /^requests (\d+) failed (\d+)$/m.exec(text) ?? []
      if (requests === undefined || failed === undefined) throw new Error(`wrk said nothing of requests:\n${text}`)
      return { requests: Number(requests), failed: Number(failed), seen: seen(), troubles: [...new Set([...text.matchAll(/^trouble (.*)$/gm)].map((match) => match[1] ?? ''))] }
    },
  }
  running.add(load)
  return load
}
