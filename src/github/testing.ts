/** Webhook payloads in GitHub's shape, cut to what matters, and a server that stands in for GitHub's REST API. */
import { createServer } from 'node:http'

export function pushPayload(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const after = 'a'.repeat(40)
  return {
    ref: 'refs/heads/main',
    before: 'b'.repeat(40),
    after,
    created: false,
    deleted: false,
    forced: false,
    repository: { id: 4711, full_name: 'moshi/moshi', pushed_at: Math.floor(Date.now() / 1000) },
    pusher: { name: 'ada' },
    head_commit: { id: after, message: 'Version 0.2.0\n\nmore', timestamp: new Date().toISOString() },
    ...change,
  }
}

export function pullRequestPayload(change: Readonly<Record<string, unknown>> = {}, top: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    action: 'closed',
    number: 7,
    repository: { id: 4711, full_name: 'moshi/moshi' },
    pull_request: {
      merged: true,
      merged_at: new Date().toISOString(),
      merge_commit_sha: 'c'.repeat(40),
      title: 'Faster',
      base: { ref: 'main' },
      merged_by: { login: 'ada' },
      ...change,
    },
    ...top,
  }
}

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

export interface FakeGithub {
  readonly url: string
  readonly requests: readonly RecordedRequest[]
  /** The next answers instead of the usual ones. */
  failNext(status: number, body: unknown): void
  close(): Promise<void>
}

/** Answers as api.github.com does for statuses and deployments, 404 for anything else, and keeps what was asked. */
export async function startFakeGithub(): Promise<FakeGithub> {
  const requests: RecordedRequest[] = []
  const failures: { readonly status: number; readonly body: unknown }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      requests.push({
        method: request.method ?? '',
        path,
        authorization: request.headers.authorization,
        body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>,
      })
      const failure = failures.shift()
      const known = request.method === 'POST' && /^\/repos\/[^/]+\/[^/]+\/(statuses\/[0-9a-f]{40}|deployments|deployments\/\d+\/statuses)$/.test(path)
      const [status, body] =
        failure === undefined ? (known ? [201, { id: 9001, url: `http://${request.headers.host ?? ''}${path}` }] : [404, { message: 'Not Found' }]) : [failure.status, failure.body]
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    requests,
    failNext: (status, body) => void failures.push({ status, body }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
