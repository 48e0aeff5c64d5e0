/** The side of fake-gcs-server: the same API as Kiln's, its file system backend, no authentication. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../src/host/ports.ts'
import { startServer } from './server-process.ts'
import type { Program } from './tools.ts'
import { downloadName, filesBucket, manyBucket, smallBody, smallObjects, storageLoads, transferBucket, workloads } from './workloads.ts'
import type { Side } from './workloads.ts'

export const FAKE_GCS_ROOT = ''

/** Starts it on an empty folder and fills it over HTTP. `manyCount` is asked when a load is made. */
export async function openFakeGcs(options: {
  readonly program: Program
  readonly folder: string
  readonly headers: Readonly<Record<string, string>>
  readonly manyCount: () => number
  readonly bodyFile: (bodyBytes: number) => string
  readonly body: (bodyBytes: number) => Buffer
  readonly signal: AbortSignal
}): Promise<Side> {
  const { headers, signal } = options
  const folder = join(options.folder, 'fake-gcs')
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const server = await startServer(
    {
      name: 'fake-gcs-server',
      program: options.program,
      args: ['-backend', 'filesystem', '-filesystem-root', folder, '-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-public-host', address, '-log-level', 'error'],
      cwd: options.folder,
      log: join(options.folder, 'fake-gcs.log'),
      port,
    },
    signal,
  )
  const send = async (path: string, body: string | Uint8Array<ArrayBuffer>, contentType: string): Promise<void> => {
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body, headers: { 'content-type': contentType }, signal })
    if (!response.ok) throw new Error(`fake-gcs-server answered ${path} with ${response.status}: ${await response.text()}`)
    await response.arrayBuffer()
  }
  const upload = async (bucket: string, name: string, bytes: Buffer): Promise<void> =>
    send(`/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`, new Uint8Array(bytes), 'application/octet-stream')
  try {
    for (const name of [filesBucket, transferBucket, manyBucket]) await send('/storage/v1/b?project=bench', JSON.stringify({ name }), 'application/json')
    for (const [index, name] of smallObjects.entries()) await upload(filesBucket, name, smallBody(index))
    for (const { bodyBytes } of [workloads.downloadSmall, workloads.downloadLarge]) await upload(transferBucket, downloadName(bodyBytes), options.body(bodyBytes))
  } catch (error) {
    await server.stop()
    throw error
  }
  const loads = storageLoads(FAKE_GCS_ROOT, headers, options.bodyFile, options.manyCount)
  return { name: 'fake-gcs-server', server, load: (workload) => (workload === 'instances' || workload === 'simple' ? undefined : loads[workload]()) }
}
