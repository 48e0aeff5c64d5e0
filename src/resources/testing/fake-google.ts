/**
 * A small stateful server in Google's shapes, for the tests of kinds. Strict: a request that no route takes fails the test, and so does a route
 * that the test never used. It is not the pocket cloud, so that kinds are tested against what the vendor documents and not against our own rooms.
 */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { canonicalJson } from '../../base/json.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'

export type Body = Record<string, unknown>

export interface FakeRequest {
  /** Named groups of the route's pattern, decoded. */
  readonly path: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Body
  /** The body's bytes as text, for uploads. */
  readonly text: string
}

export interface Route {
  readonly method: string
  /** Path with `{names}`, under the root, host first: `compute.googleapis.com/compute/v1/projects/{project}/global/firewalls`. */
  readonly path: string
  readonly answer: (request: FakeRequest) => unknown
  /** Only needed in races; an unused one is fine. */
  readonly optional?: boolean
}

/** An answer in Google's error shape. */
export class FakeError extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, message: string, reason = `http${status}`) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** What a kind's test gives: routes over a state, and the state's lasting part. */
export interface FakeService {
  readonly routes: readonly Route[]
  /** What must be the same in the end, however often work broke off: without ids, times and etags. */
  readonly snapshot: () => unknown
}

export interface Fake {
  readonly clients: Clients
  /** Requests that changed something, as `POST path`. */
  readonly writes: () => readonly string[]
  readonly forgetWrites: () => void
  readonly snapshot: () => string
  /** From now on: after `count` more calls the connection is dead (the last call is done, its answer lost). */
  readonly breakAfter: (count: number) => void
  readonly heal: () => void
  /** True when `breakAfter` took effect. */
  readonly broke: () => boolean
  /** Closes it. @throws Error when a request met no route. Returns the routes that were used. */
  readonly close: () => Promise<ReadonlySet<Route>>
}

/** Starts a fake for one service state. */
export async function startFake(service: FakeService): Promise<Fake> {
  const used = new Set<Route>()
  const problems: string[] = []
  let writes: string[] = []
  const table = service.routes.map((route) => ({ route, pattern: toPattern(route.path) }))
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake')
      const path = url.pathname.slice(1)
      const found = table.map(({ route, pattern }) => ({ route, match: route.method === request.method ? pattern.exec(path) : null })).find((entry) => entry.match !== null)
      response.setHeader('content-type', 'application/json')
      const text = Buffer.concat(chunks).toString()
      if (found === undefined || request.headers.authorization !== 'Bearer fake') {
        problems.push(`${request.method} ${path}`)
        return void response.writeHead(501).end(errorBody(501, `no route for ${request.method} ${path}`))
      }
      used.add(found.route)
      if (request.method !== 'GET' && !/(:getIamPolicy|\/wait)$/.test(path)) writes.push(`${request.method} ${path}`)
      const named = Object.fromEntries(Object.entries(found.match?.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value ?? '')]))
      try {
        const answer = found.route.answer({ path: named, query: url.searchParams, body: parseBody(text), text })
        if (answer === undefined) response.writeHead(204).end()
        else response.end(JSON.stringify(answer))
      } catch (error) {
        if (!(error instanceof FakeError)) problems.push(`${request.method} ${path}: ${String(error)}`)
        const status = error instanceof FakeError ? error.status : 500
        response.writeHead(status).end(errorBody(status, error instanceof Error ? error.message : '', error instanceof FakeError ? error.reason : undefined))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  let left = Number.POSITIVE_INFINITY
  let broke = false
  const network: typeof fetch = async (input, init) => {
    if (left <= 0) throw new TypeError('the connection is dead')
    left -= 1
    const response = await fetch(input, init)
    if (left > 0) return response
    await response.arrayBuffer()
    broke = true
    throw new TypeError('the connection broke before the answer came')
  }
  const { port } = server.address() as AddressInfo
  return {
    clients: createClients({ rootUrl: `http://127.0.0.1:${port}`, accessToken: async () => 'fake', retry: { attempts: 1 }, fetch: network }),
    writes: () => writes,
    forgetWrites() {
      writes = []
    },
    snapshot: () => canonicalJson(service.snapshot()),
    breakAfter(count) {
      left = count
      broke = false
    },
    heal() {
      left = Number.POSITIVE_INFINITY
    },
    broke: () => broke,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      if (problems.length > 0) throw new Error(`unexpected requests: ${problems.join('; ')}`)
      return used
    },
  }
}

function toPattern(path: string): RegExp {
  const escaped = path.replaceAll(/[.()]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/:]+|[^/]+?)')}$`)
}

function parseBody(text: string): Body {
  try {
    const value: unknown = JSON.parse(text)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return value !== null && typeof value === 'object' ? (value as Body) : {}
  } catch {
    return {}
  }
}

function errorBody(code: number, message: string, reason = `http${code}`): string {
  return JSON.stringify({ error: { code, message, errors: [{ message, reason }] } })
}

/** A map that answers as Google does: 404 for what is missing, 409 for what is there. */
export class FakeTable<T> {
  readonly rows = new Map<string, T>()

  get(key: string): T {
    const row = this.rows.get(key)
    if (row === undefined) throw new FakeError(404, `${key} was not found`)
    return row
  }

  insert(key: string, row: T): T {
    if (this.rows.has(key)) throw new FakeError(409, `${key} already exists`)
    this.rows.set(key, row)
    return row
  }

  remove(key: string): T {
    const row = this.get(key)
    this.rows.delete(key)
    return row
  }
}

/** Operations that are not done when they are started, and done when they are asked for. */
export class FakeOperations {
  #count = 0

  start(prefix: string): Body {
    this.#count += 1
    return { name: `${prefix}/op-${this.#count}` }
  }

  startCompute(where: Body): Body {
    this.#count += 1
    return { kind: 'compute#operation', name: `op-${this.#count}`, status: 'RUNNING', ...where }
  }
}
