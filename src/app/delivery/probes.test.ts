import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import { servingOf } from '../../compile/serving.ts'
import { Stack } from '../../config/schema.ts'
import { releaseProbes, versionIn, wholeAnswer } from './probes.ts'

test('versions as text and as JSON', () => {
  expect(['{"name":"a","version":"1.2"}', '"1.2"', ' 1.2\n', '{"version":3}'].map(versionIn)).toEqual(['1.2', '1.2', '1.2', '{"version":3}'])
})

function probesOf(versionPath: string | false = '/version', network?: typeof fetch, notes: string[] = []) {
  const config = Stack.parse({
    project: { id: 'moshi-3' },
    location: { region: 'us-central1' },
    images: { base: { debian: 'bookworm' }, app: { from: 'base', entrypoint: '/run.sh' } },
    server: { image: 'app', versionPath, maxErrorPercent: 5 },
  })
  const serving = servingOf(config)
  if (serving === undefined) throw new Error('the config has a server')
  const clients = createClients({ rootUrl: 'http://127.0.0.1:9', accessToken: async () => 'none', retry: { attempts: 1 }, ...(network === undefined ? {} : { fetch: network }) })
  return releaseProbes({ serving, signal: new AbortController().signal, clients, note: (text) => void notes.push(text) })
}

test('a VM is asked at its external address; what is no 200 says how to do without; false: not asked', async () => {
  const server = createServer((request, response) => {
    if (request.url !== '/version') response.statusCode = 404
    response.end('{"version":"1.0"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const where = { instance: 'a', address: { external: '127.0.0.1', internal: '10.0.0.1' }, port }
    expect(await probesOf().version?.(where)).toBe('1.0')
    await expect(probesOf('/other').version?.(where)).rejects.toThrow(/404.*versionPath: false/)
    await expect(probesOf().version?.({ ...where, address: {} })).rejects.toThrow('no address')
    expect(probesOf(false).version).toBeUndefined()
    expect(probesOf().mostFailedShare).toBe(0.05)
  } finally {
    server.close()
  }
})

test('an answer for the capsule has status, headers and the start of the body; no answer, and one that breaks off, say why', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': '10' })
      response.write('half')
      setImmediate(() => request.socket.destroy())
    } else if (request.url === '/long') response.end('x'.repeat(100_000))
    else {
      response.writeHead(503, { 'content-type': 'application/json' })
      response.end('{"database":"gone"}')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { signal } = new AbortController()
  try {
    expect(await wholeAnswer(`${url}/healthz`, signal)).toMatch(
      /^GET http.*\/healthz\n503 Service Unavailable, after \d+ ms\n[\s\S]*content-type: application\/json\n[\s\S]*\n\n\{"database":"gone"\}\n$/,
    )
    const long = await wholeAnswer(`${url}/long`, signal)
    expect(long.length).toBeLessThan(17_000)
    expect(long).toMatch(/xxx\n… \(cut after 16384 bytes\)\n$/)
    expect(await wholeAnswer(`${url}/cut`, signal)).toMatch(/\n200 OK[\s\S]*no whole body after \d+ ms: /)
  } finally {
    server.close()
  }
  expect(await wholeAnswer(`${url}/healthz`, signal)).toMatch(/\nno answer after \d+ ms: .*ECONNREFUSED/)
})

test('users’ requests are those that the load balancer counted in the watch; where they cannot be read that is said once', async () => {
  const since = Date.parse('2026-11-27T12:00:00Z')
  const point = (second: number, count: number) => ({
    interval: { startTime: new Date(since + second * 1000).toISOString(), endTime: new Date(since + (second + 1) * 1000).toISOString() },
    value: { int64Value: String(count) },
  })
  const asked: URL[] = []
  const json = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  const counting: typeof fetch = async (input) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (!url.pathname.includes('monitoring.googleapis.com')) return json(404, { error: { code: 404, message: 'no such rule' } })
    asked.push(url)
    if (!url.searchParams.has('pageToken'))
      return json(200, { timeSeries: [{ metric: { labels: { response_code_class: '200' } }, points: [point(1, 90), point(-1, 1000)] }], nextPageToken: 'more' })
    return json(200, { timeSeries: [{ metric: { labels: { response_code_class: '500' } }, points: [point(3, 6), point(-2, 500)] }] })
  }
  expect((await probesOf('/version', counting).errors?.(since))?.[0]).toEqual({ of: 'requests', requests: 96, failed: 6 })
  expect(asked.map((url) => url.searchParams.get('pageToken'))).toEqual([null, 'more'])
  expect(asked[0]?.pathname).toBe('/monitoring.googleapis.com/v3/projects/moshi-3/timeSeries')
  expect(asked[0]?.searchParams.get('filter')).toBe('metric.type = "loadbalancing.googleapis.com/https/request_count" AND resource.labels.backend_target_name = "serve-moshi-3"')

  const notes: string[] = []
  const forbidding = probesOf('/version', async () => json(403, { error: { code: 403, status: 'PERMISSION_DENIED', message: 'no monitoring.timeSeries.list' } }), notes)
  await forbidding.errors?.(since).catch(() => {})
  await forbidding.errors?.(since).catch(() => {})
  expect(notes).toEqual([expect.stringContaining('no monitoring.timeSeries.list')])
})
