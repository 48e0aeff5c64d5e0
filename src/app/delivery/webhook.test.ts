/** The webhook over HTTP, from a tunnel's host name to a served version; and thirty deliveries that do nothing. */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { createServer } from '../../cloud/kernel/server.ts'
import type { CloudServer } from '../../cloud/kernel/server.ts'
import { openKernel } from '../../cloud/kernel/kernel.ts'
import type { Kernel } from '../../cloud/kernel/kernel.ts'
import { createStorageRoom } from '../../cloud/rooms/storage/index.ts'
import { signBody } from '../../github/signature.ts'
import { pullRequestPayload, pushPayload, startFakeGithub } from '../../github/testing.ts'
import type { FakeGithub } from '../../github/testing.ts'
import { deliveryPaths } from './paths.ts'
import { superviseDeliveries } from './supervise.ts'
import type { Supervisor } from './supervise.ts'
import { createPlace, fakeWorkerScript } from './testing/place.ts'
import type { Place } from './testing/place.ts'
import { setUpWebhook, webhookDeliveries, webhookSecret } from './webhook-setup.ts'
import { MAX_WEBHOOK_BYTES, webhookPaths } from './webhook.ts'

let place: Place
let kernel: Kernel
let server: CloudServer
let supervisor: Supervisor
let github: FakeGithub
let secret: string
let count = 0

beforeEach(async () => {
  place = await createPlace('')
  github = await startFakeGithub()
  await setUpWebhook({ home: place.home, dir: place.stack, rotate: false, fetchUrl: place.clone, apiUrl: github.url })
  secret = (await webhookSecret(place.home, place.stack)).secret
  const log = pino({ level: 'silent' })
  supervisor = superviseDeliveries({ home: place.home, log, script: fakeWorkerScript })
  kernel = await openKernel({ home: place.home, log, rootUrl: () => `http://127.0.0.1:${server.port()}` })
  server = await createServer({ kernel, rooms: [createStorageRoom()], openPaths: webhookPaths, extra: (app) => supervisor.addRoutes(app) })
  await server.listen(0)
  server.open()
})
afterEach(async () => {
  await server.close()
  supervisor.stop()
  await kernel.close()
  await github.close()
  await place.close()
})

interface Sent {
  readonly body?: unknown
  readonly raw?: Buffer
  readonly event?: string | undefined
  readonly delivery?: string | undefined
  readonly signature?: string | undefined
  readonly contentType?: string
  readonly host?: string
  readonly path?: string
  readonly method?: string
  /** Sends in chunks, without saying how much comes. */
  readonly chunked?: boolean
}

interface Answer {
  readonly status: number
  readonly json: { readonly outcome?: string; readonly reason?: string; readonly pipeline?: number }
}

/** As GitHub sends through a tunnel, unless told otherwise. */
async function send(sent: Sent): Promise<Answer> {
  count += 1
  const body = sent.raw ?? Buffer.from(JSON.stringify(sent.body ?? pushPayload()))
  const headers: Record<string, string | undefined> = {
    host: sent.host ?? 'moshi.tunnel.example',
    'content-type': sent.contentType ?? 'application/json',
    'x-github-event': 'event' in sent ? sent.event : 'push',
    'x-github-delivery': 'delivery' in sent ? sent.delivery : `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`,
    'x-hub-signature-256': 'signature' in sent ? sent.signature : signBody(secret, body),
    ...(sent.chunked === true ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) }),
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port: server.port(),
        method: sent.method ?? 'POST',
        path: sent.path ?? '/kiln/webhooks/github/moshi-3',
        headers: Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString() || '{}') as Answer['json'] }))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

async function head(): Promise<string> {
  return place.git('rev-parse', 'HEAD')
}

describe('a signed webhook', { timeout: 300_000 }, () => {
  test('of a push changes the version that is served, and is reported back', async () => {
    await setUpWebhook({ home: place.home, dir: place.stack, rotate: false, tokenFile: await tokenFile() })
    const commit = await head()
    const answer = await send({ body: pushPayload({ after: commit }) })
    expect(answer).toEqual({ status: 202, json: { outcome: 'queued', reason: 'pipeline 1', pipeline: 1 } })
    expect(await place.ended(1)).toMatchObject({ state: 'passed', trigger: 'webhook', who: 'ada', subject: 'Version 0.2.0', commit })
    expect(await place.served()).toContain('0.2.0')
    expect(github.requests.map(({ path, authorization, body }) => [path, authorization, body['state'] ?? body['environment']])).toEqual([
      [`/repos/moshi/moshi/statuses/${commit}`, 'Bearer ghp_secret', 'pending'],
      ['/repos/moshi/moshi/deployments', 'Bearer ghp_secret', 'moshi-3'],
      ['/repos/moshi/moshi/deployments/9001/statuses', 'Bearer ghp_secret', 'in_progress'],
      [`/repos/moshi/moshi/statuses/${commit}`, 'Bearer ghp_secret', 'success'],
      ['/repos/moshi/moshi/deployments/9001/statuses', 'Bearer ghp_secret', 'success'],
    ])
    const log = await readFile(deliveryPaths(place.home).stack('moshi-3').log(1), 'utf8')
    expect(log).not.toContain('ghp_secret')
  })

  test('of a merged pull request delivers, once: the push of the same merge is told apart; without a token nothing is reported, and it says so', async () => {
    const commit = await head()
    expect((await send({ event: 'pull_request', body: pullRequestPayload({ merge_commit_sha: commit }) })).json).toMatchObject({ outcome: 'queued' })
    expect((await send({ body: pushPayload({ after: commit }) })).json).toMatchObject({ outcome: 'ignored', reason: expect.stringContaining('pipeline 1 delivers this commit') })
    expect(await place.ended(1)).toMatchObject({ state: 'passed' })
    expect(github.requests).toEqual([])
    expect(await readFile(deliveryPaths(place.home).stack('moshi-3').log(1), 'utf8')).toContain('not reported to GitHub: there is no token')
  })

  test('of a commit that is not on the branch, or older than what was delivered, delivers nothing', async () => {
    const [newest, old] = (await place.git('log', '--format=%H')).split('\n')
    await place.git('checkout', '-q', '-b', 'side')
    const side = await place.version('6.6.6')
    await place.git('checkout', '-q', 'main')
    await send({ body: pushPayload({ after: side }) })
    expect(await place.ended(1)).toMatchObject({ state: 'superseded', reason: expect.stringContaining('no longer on main') })
    await send({ body: pushPayload({ after: newest }) })
    expect(await place.ended(2)).toMatchObject({ state: 'passed' })
    await send({ body: pushPayload({ after: old }) })
    expect(await place.ended(3)).toMatchObject({ state: 'superseded', reason: expect.stringContaining('older than what was delivered') })
    expect(place.deploys.map((deploy) => deploy['version'])).toEqual(['0.2.0'])
  })

  test('whose repository cannot be fetched fails with git’s words', async () => {
    await setUpWebhook({ home: place.home, dir: place.stack, rotate: false, fetchUrl: join(place.clone, 'nothing') })
    await send({ body: pushPayload({ after: await head() }) })
    const ended = await place.ended(1)
    expect(ended.stages[0]?.error).toMatchObject({ code: 'E_REMOTE', hint: expect.stringContaining('--token-file'), detail: expect.stringContaining('nothing') })
  })

  test('is served by a worker that is started when the daemon finds none', async () => {
    place.pipelines().enqueue({ stack: 'moshi-3', trigger: 'webhook', commit: await head(), branch: 'main', subject: 's', who: 'w' })
    supervisor.start()
    expect(await place.ended(1)).toMatchObject({ state: 'passed' })
  })
})

async function tokenFile(): Promise<string> {
  const path = join(place.home.root, 'given-token')
  await writeFile(path, 'ghp_secret\n')
  return path
}

describe('what must do nothing', { timeout: 300_000 }, () => {
  test('thirty of them: refused or ignored, recorded, and no pipeline', async () => {
    const old = Math.floor(Date.now() / 1000) - 7200
    const body = Buffer.from(JSON.stringify(pushPayload()))
    const repository = { full_name: 'moshi/moshi', pushed_at: old }
    const bad: readonly (readonly [title: string, sent: Sent, status: number])[] = [
      ['no signature', { signature: undefined }, 401],
      ['an empty signature', { signature: '' }, 401],
      ['a signature of zeros', { signature: `sha256=${'0'.repeat(64)}` }, 401],
      ['another secret', { signature: signBody('other', body), raw: body }, 401],
      ['a signature of another body', { signature: signBody(secret, 'x'), raw: body }, 401],
      ['sha1', { signature: `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`, raw: body }, 401],
      ['a cut signature', { signature: signBody(secret, body).slice(0, 40), raw: body }, 401],
      ['a body changed on its way', { signature: signBody(secret, body), raw: Buffer.concat([body, Buffer.from(' ')]) }, 401],
      ['an empty body', { raw: Buffer.alloc(0), signature: undefined }, 401],
      ['no event', { event: undefined }, 400],
      ['no delivery id', { delivery: undefined }, 400],
      ['an odd delivery id', { delivery: "x'; DROP TABLE pipelines; --" }, 400],
      ['no JSON', { raw: Buffer.from('{"ref": ') }, 400],
      ['a form', { raw: Buffer.from(`payload=${encodeURIComponent(body.toString())}`), contentType: 'application/x-www-form-urlencoded' }, 415],
      ['null', { raw: Buffer.from('null') }, 400],
      ['a list', { raw: Buffer.from('[]') }, 400],
      ['another branch', { body: pushPayload({ ref: 'refs/heads/dev' }) }, 202],
      ['a tag', { body: pushPayload({ ref: 'refs/tags/v1' }) }, 202],
      ['a deleted branch', { body: pushPayload({ after: '0'.repeat(40), deleted: true }) }, 202],
      ['another repository', { body: pushPayload({ repository: { ...repository, full_name: 'evil/moshi' } }) }, 403],
      ['an old push', { body: pushPayload({ repository }) }, 409],
      ['a push without a time', { body: pushPayload({ repository: { full_name: 'moshi/moshi' } }) }, 400],
      ['a commit that is an option', { body: pushPayload({ after: '--exec=x' }) }, 400],
      ['an opened pull request', { event: 'pull_request', body: pullRequestPayload({}, { action: 'opened' }) }, 202],
      ['a pull request closed without a merge', { event: 'pull_request', body: pullRequestPayload({ merged: false }) }, 202],
      ['one merged elsewhere', { event: 'pull_request', body: pullRequestPayload({ base: { ref: 'dev' } }) }, 202],
      ['ping', { event: 'ping', body: { zen: 'x' } }, 202],
      ['an unknown event', { event: 'sponsorship', body: {} }, 202],
      ['30 MB that are announced', { raw: Buffer.alloc(30 * 1024 * 1024, 0x20) }, 413],
      ['30 MB in chunks', { raw: Buffer.alloc(30 * 1024 * 1024, 0x20), chunked: true }, 413],
    ]
    expect(bad).toHaveLength(30)
    for (const [title, sent, status] of bad) {
      // A client that is still writing when the answer comes may see the end of the connection first.
      const answer = await send(sent).catch((error: unknown) => (status === 413 ? { status: 413, json: {} } : Promise.reject(error as Error)))
      expect(answer.status, title).toBe(status)
    }
    await waitFor({ what: 'all records', timeoutMs: 30_000 }, async () => {
      const { length } = await webhookDeliveries(place.home, 100)
      return length === 30 ? { done: true, value: undefined } : { done: false, status: String(length) }
    })
    const recorded = await webhookDeliveries(place.home, 100)
    expect(recorded.filter((each) => each.outcome === 'queued')).toEqual([])
    expect(recorded.filter((each) => each.outcome === 'ignored')).toHaveLength(8)
    expect(recorded.every((each) => each.reason !== '')).toBe(true)
    expect(recorded.slice(0, 2).every((each) => each.sizeBytes > MAX_WEBHOOK_BYTES && !each.verified)).toBe(true)
    expect(place.pipelines().list()).toEqual([])
  })

  test('a replay, however often; an id that was only guessed does not use it up', async () => {
    await place.commit('Slow', { HOLD: 'publish' })
    const sent: Sent = { body: pushPayload({ after: await head() }), delivery: 'one-delivery' }
    expect((await send({ ...sent, signature: signBody('guess', 'x') })).status).toBe(401)
    expect((await send(sent)).json.outcome).toBe('queued')
    for (let times = 0; times < 3; times += 1) expect(await send(sent)).toMatchObject({ status: 409, json: { outcome: 'refused' } })
    expect(place.pipelines().list()).toHaveLength(1)
    expect(await webhookDeliveries(place.home, 10)).toHaveLength(5)
    await writeFile(join(place.home.root, 'go'), '')
    await place.ended(1)
  })

  test('a foreign host name opens this path alone, and only to be posted to', async () => {
    expect((await send({ path: '/kiln/faults' })).status).toBe(404)
    expect((await send({ path: '/kiln/webhooks/github/../../faults' })).status).toBe(404)
    expect((await send({ path: '/kiln/webhooks/github/moshi-3/x' })).status).toBe(404)
    expect((await send({ path: '/storage.googleapis.com/storage/v1/b' })).status).toBe(404)
    expect((await send({ method: 'GET' })).status).toBe(404)
    // A service's own name is the service, whatever the path: here a bucket named kiln.
    expect((await send({ host: 'storage.googleapis.com' })).json).not.toHaveProperty('outcome')
    expect((await send({ host: `127.0.0.1:${server.port()}`, body: pushPayload({ ref: 'refs/heads/dev' }) })).status).toBe(202)
    expect((await send({ path: '/kiln/webhooks/github/other-1' })).status).toBe(404)
  })

  test('the secret and the token are readable by their owner only, and a new secret ends the old one', async () => {
    await setUpWebhook({ home: place.home, dir: place.stack, rotate: false, tokenFile: await tokenFile() })
    const paths = deliveryPaths(place.home).stack('moshi-3')
    for (const path of [paths.secret, paths.token]) expect((await stat(path)).mode & 0o077, path).toBe(0)
    await setUpWebhook({ home: place.home, dir: place.stack, rotate: false })
    expect((await webhookSecret(place.home, place.stack)).secret).toBe(secret)
    await setUpWebhook({ home: place.home, dir: place.stack, rotate: true })
    expect((await send({})).status).toBe(401)
  })
})
