/** Proof that the sides answer the same: without it there is no ratio. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { downloadName, storedObject, uploadNames, workloads } from './workloads.ts'
import type { Side, WorkloadName } from './workloads.ts'

const Item = z.object({ name: z.string(), bucket: z.string(), size: z.string(), md5Hash: z.string(), crc32c: z.string(), contentType: z.string() })
const Items = z.object({ items: z.array(Item) })
const Bucket = z.object({ kind: z.literal('storage#bucket'), id: z.string(), name: z.string() })

async function ask(side: Side, path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<{ readonly status: number; readonly body: Buffer }> {
  const response = await fetch(`${side.server.url}${path}`, { headers, signal })
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
}

/** The body of a path. @throws Error for any answer but 200 */
export async function fetchBody(side: Side, path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Buffer> {
  const { status, body } = await ask(side, path, headers, signal)
  if (status !== 200) throw new Error(`${side.name} answered ${path} with ${status}: ${body.toString('utf8', 0, 400)}`)
  return body
}

/** The first answer of every read on every side; the first side is the measure. Returns what was compared. @throws Error when one differs */
export async function checkReads(sides: readonly Side[], expected: (bodyBytes: number) => Buffer, signal: AbortSignal): Promise<readonly string[]> {
  const done: string[] = []
  const [measure, ...others] = sides
  if (measure === undefined) throw new RangeError('no side')
  const first = async (side: Side, workload: WorkloadName): Promise<Buffer | undefined> => {
    const load = side.load(workload)
    return load === undefined ? undefined : fetchBody(side, load.paths?.[0] ?? '', load.headers, signal)
  }
  for (const workload of ['metadata', 'list', 'bucket', 'instances', 'simple'] as const) {
    const own = await first(measure, workload)
    for (const side of others) {
      const body = await first(side, workload)
      if (own === undefined || body === undefined) continue
      const same = side.name === 'nginx' ? own.equals(body) : facts(workload, own) === facts(workload, body)
      if (!same) throw new Error(`${side.name} and ${measure.name} do not answer the same (${workloads[workload].title}):\n${facts(workload, own)}\n${facts(workload, body)}`)
      done.push(
        `${workloads[workload].title}: ${side.name} as ${measure.name}, ${side.name === 'nginx' ? `the same ${own.length} bytes` : 'the same facts (name, size, hashes, type)'}`,
      )
    }
  }
  for (const workload of ['downloadSmall', 'downloadLarge'] as const) {
    const { bodyBytes, title } = workloads[workload]
    for (const side of sides) {
      const body = await first(side, workload)
      if (body === undefined || !body.equals(expected(bodyBytes))) throw new Error(`${side.name} gives other bytes (${title}, ${downloadName(bodyBytes)})`)
    }
    done.push(`${title}: the same bytes from all sides, SHA-256 ${digest(expected(bodyBytes)).slice(0, 16)}…`)
  }
  return done
}

/** What both dialects say about a thing. */
function facts(workload: WorkloadName, body: Buffer): string {
  const json: unknown = JSON.parse(body.toString())
  if (workload === 'metadata') return JSON.stringify(Item.parse(json))
  if (workload === 'list') return JSON.stringify(Items.parse(json).items)
  return JSON.stringify(Bucket.parse(json))
}

/** Reads every uploaded object again. Returns what was compared. @throws Error for other bytes than those that were sent, and when nothing was stored */
export async function checkUploads(
  sides: readonly Side[],
  rootOf: (side: Side) => string | undefined,
  expected: (bodyBytes: number) => Buffer,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const done: string[] = []
  for (const { bodyBytes, title } of [workloads.uploadSmall, workloads.uploadLarge]) {
    const counts: string[] = []
    for (const side of sides) {
      const root = rootOf(side)
      const headers = side.load('metadata')?.headers ?? {}
      let count = 0
      for (const [index, name] of uploadNames(bodyBytes).entries()) {
        const { status, body: stored } = await ask(side, root === undefined ? `/uploads/${name}` : storedObject(root, name), headers, signal)
        // Too few requests for every name to have had its turn.
        if (status === 404) continue
        count += 1
        if (!stored.equals(numbered(expected(bodyBytes), index)))
          throw new Error(`${side.name} stored other bytes than were sent (${name}: ${stored.length} bytes, SHA-256 ${digest(stored)})`)
      }
      if (count === 0) throw new Error(`${side.name} stored nothing (${title}): measure longer, with --seconds`)
      counts.push(`${count} of ${side.name}`)
    }
    done.push(`${title}: read again, the same bytes as were sent (objects: ${counts.join(', ')})`)
  }
  return done
}

/** As load.lua numbers the bodies, from 1. */
function numbered(body: Buffer, index: number): Buffer {
  return Buffer.concat([Buffer.from(String(index + 1).padStart(16, '0')), body.subarray(16)])
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
