import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { serveMetadata } from './metadata-server.ts'
import type { MetadataServer, MetadataSource, MetadataTree } from './metadata.ts'

const tree: MetadataTree = {
  instance: {
    id: 4520031799277581759n.toString(),
    name: 'dev',
    hostname: 'dev.us-central1-c.c.moshi-3.internal',
    zone: 'projects/1/zones/us-central1-c',
    attributes: { 'ssh-keys': 'ada:ssh-ed25519 AAAA', startupScriptURL: 'kept as it is', empty: '' },
    tags: ['http-server', 'moshi'],
    disks: [{ deviceName: 'boot', index: 0, mode: 'READ_WRITE', type: 'PERSISTENT' }],
    networkInterfaces: [
      { ip: '10.128.0.7', mac: '42:01:0a:80:00:07', forwardedIps: [], dnsServers: ['10.128.15.254'], accessConfigs: [{ externalIp: '127.7.7.7', type: 'ONE_TO_ONE_NAT' }] },
    ],
    serviceAccounts: {
      default: {
        aliases: ['default'],
        email: 'moshi@moshi-3.iam.gserviceaccount.com',
        scopes: ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/logging.write'],
      },
    },
    scheduling: { automaticRestart: 'TRUE', onHostMaintenance: 'MIGRATE' },
  },
  project: { projectId: 'moshi-3', numericProjectId: 123, attributes: {} },
}

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

let folder: string
let server: MetadataServer
let current: MetadataTree
let waiters: (() => void)[]
let written: string[]
let errors: unknown[]

const source: MetadataSource = {
  tree: async () => current,
  etag: async () => JSON.stringify(current),
  changed: (signal) =>
    new Promise<void>((resolve, reject) => {
      waiters.push(resolve)
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    }),
  accessToken: async (account, scopes) => (account === 'default' ? { accessToken: `ya29.${scopes?.join('+') ?? 'all'}`, expiresInSeconds: 3599 } : undefined),
  identityToken: async (account, audience, format) => (account === 'default' ? `jwt-${audience}-${format}` : undefined),
  putGuestAttribute: async (namespace, key, value) => {
    if (namespace === 'forbidden') throw new KilnError('E_PERMISSION', 'guest attributes are disabled')
    written.push(`${namespace}/${key}=${value}`)
  },
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-meta-'))
  current = tree
  waiters = []
  written = []
  errors = []
  server = await serveMetadata(join(folder, 'm.sock'), source, { onError: (error) => errors.push(error) })
})

afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function ask(path: string, options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; signal?: AbortSignal } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: server.socketPath,
        path,
        method: options.method ?? 'GET',
        agent: false,
        headers: options.headers ?? { 'Metadata-Flavor': 'Google' },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (part: string) => (body += part))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      },
    )
    call.on('error', reject)
    call.end(options.body)
  })
}

async function textOf(path: string): Promise<string> {
  const answer = await ask(`/computeMetadata/v1/${path}`)
  expect(answer.status).toBe(200)
  return answer.body
}

describe('who may ask', () => {
  test('the ping needs no header, everything else does', async () => {
    const ping = await ask('/', { headers: {} })
    expect(ping).toMatchObject({ status: 200, body: 'computeMetadata/\n' })
    expect(ping.headers).toMatchObject({ 'metadata-flavor': 'Google', server: 'Metadata Server for VM' })
    const refused = await ask('/computeMetadata/v1/instance/id', { headers: {} })
    expect(refused.status).toBe(403)
    expect(refused.headers['metadata-flavor']).toBe('Google')
    expect((await ask('/computeMetadata/v1/instance/id', { headers: { 'Metadata-Flavor': 'Other' } })).status).toBe(403)
    expect((await ask('/computeMetadata/v1/instance/id', { headers: { 'X-Google-Metadata-Request': 'True' } })).status).toBe(200)
  })

  test('forwarded requests are refused', async () => {
    expect((await ask('/computeMetadata/v1/instance/id', { headers: { 'Metadata-Flavor': 'Google', 'X-Forwarded-For': '10.0.0.1' } })).status).toBe(403)
  })
})

describe('values and directories', () => {
  test('values as text', async () => {
    expect(await textOf('instance/id')).toBe('4520031799277581759')
    expect(await textOf('instance/zone/')).toBe('projects/1/zones/us-central1-c')
    expect(await textOf('instance/tags')).toBe('["http-server","moshi"]')
    expect(await textOf('instance/network-interfaces/0/access-configs/0/external-ip')).toBe('127.7.7.7')
    expect(await textOf('instance/network-interfaces/0/dns-servers')).toBe('10.128.15.254')
    expect(await textOf('instance/attributes/ssh-keys')).toBe('ada:ssh-ed25519 AAAA')
    expect(await textOf('instance/attributes/startupScriptURL')).toBe('kept as it is')
    expect(await textOf('instance/attributes/empty')).toBe('')
    expect(await textOf('instance/scheduling/automatic-restart')).toBe('TRUE')
    expect(await textOf('instance/service-accounts/default/scopes')).toBe('https://www.googleapis.com/auth/cloud-platform\nhttps://www.googleapis.com/auth/logging.write')
    expect(await textOf('project/numeric-project-id?alt=json')).toBe('123')
  })

  test('listings', async () => {
    expect(await textOf('')).toBe('instance/\nproject/\n')
    expect(await textOf('instance/network-interfaces/0/')).toBe('access-configs/\ndns-servers\nforwarded-ips/\nip\nmac\n')
    expect(await textOf('instance/service-accounts/default/')).toBe('aliases\nemail\nidentity\nscopes\ntoken\n')
    expect(await textOf('instance/disks/?recursive=true&alt=text')).toBe('0/device-name boot\n0/index 0\n0/mode READ_WRITE\n0/type PERSISTENT\n')
  })

  test('recursive JSON is the tree itself, whatever the case of "true" and however many slashes', async () => {
    const whole = await ask('/computeMetadata/v1//?recursive=true&alt=json')
    expect(whole.headers['content-type']).toBe('application/json')
    expect(JSON.parse(whole.body)).toEqual(tree)
    expect(JSON.parse(await textOf('project/attributes/?recursive=True'))).toEqual({})
    expect(JSON.parse(await textOf('instance/service-accounts/default/?recursive=true'))).toEqual({
      aliases: ['default'],
      email: 'moshi@moshi-3.iam.gserviceaccount.com',
      scopes: ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/logging.write'],
    })
  })

  test('a directory without its slash is a redirect', async () => {
    const answer = await ask('/computeMetadata/v1/instance/disks?recursive=true', { headers: { 'Metadata-Flavor': 'Google', Host: 'metadata.google.internal' } })
    expect(answer.status).toBe(301)
    expect(answer.headers.location).toBe('http://metadata.google.internal/computeMetadata/v1/instance/disks/?recursive=true')
    expect((await ask('/computeMetadata', { headers: { 'Metadata-Flavor': 'Google', Host: 'bad host\t' } })).headers.location).toBe('/computeMetadata/')
  })

  test('what is not there', async () => {
    for (const path of ['instance/nothing', 'instance/id/deeper', 'instance/attributes/toString', 'instance/disks/1/']) {
      const answer = await ask(`/computeMetadata/v1/${path}`)
      expect(answer.status).toBe(404)
      expect(answer.headers['content-type']).toContain('text/html')
    }
    expect((await ask('/computeMetadata/v1/instance/%ff')).status).toBe(400)
    expect((await ask('/latest/meta-data/')).status).toBe(404)
    expect((await ask('/computeMetadata/v1/instance/id', { method: 'POST' })).status).toBe(405)
  })
})

describe('directories that Google does not have', () => {
  test('answer at their own path, and are in no listing and in no recursive answer above them', async () => {
    const own = await serveMetadata(join(folder, 'own.sock'), {
      ...source,
      ownDirectories: async () => ({ kiln: { hosts: '169.254.169.254 a.googleapis.com\n', trust: 'PEM\n' } }),
    })
    const kept = server
    server = own
    try {
      expect(await textOf('kiln/')).toBe('hosts\ntrust\n')
      expect(await textOf('kiln/hosts')).toBe('169.254.169.254 a.googleapis.com\n')
      expect(JSON.parse(await textOf('kiln/?recursive=true'))).toEqual({ hosts: '169.254.169.254 a.googleapis.com\n', trust: 'PEM\n' })
      expect((await ask('/computeMetadata/v1/kiln/hosts', { headers: {} })).status).toBe(403)
      expect((await ask('/computeMetadata/v1/kiln/hosts?wait_for_change=true&timeout_sec=0')).body).toContain('googleapis')
      expect(await textOf('')).toBe('instance/\nproject/\n')
      expect(JSON.parse(await textOf('?recursive=true&alt=json'))).toEqual(tree)
    } finally {
      server = kept
      await own.close()
    }
  })

  test('are absent where there are none', async () => {
    expect((await ask('/computeMetadata/v1/kiln/hosts')).status).toBe(404)
    expect((await ask('/computeMetadata/v1/kiln/')).status).toBe(404)
  })
})

describe('tokens', () => {
  test('access tokens, with and without scopes', async () => {
    expect(JSON.parse(await textOf('instance/service-accounts/default/token'))).toEqual({ access_token: 'ya29.all', expires_in: 3599, token_type: 'Bearer' })
    expect(JSON.parse(await textOf('instance/service-accounts/default/token?scopes=a,b'))).toMatchObject({ access_token: 'ya29.a+b' })
    expect((await ask('/computeMetadata/v1/instance/service-accounts/other@x/token')).status).toBe(404)
  })

  test('identity tokens need an audience', async () => {
    expect(await textOf('instance/service-accounts/default/identity?audience=https://x&format=full')).toBe('jwt-https://x-full')
    expect((await ask('/computeMetadata/v1/instance/service-accounts/default/identity')).status).toBe(400)
    expect((await ask('/computeMetadata/v1/instance/service-accounts/nobody/identity?audience=a')).status).toBe(404)
  })
})

describe('waiting for a change', () => {
  const rename = (name: string): MetadataTree => ({ ...tree, instance: { ...(tree['instance'] as Record<string, string>), name } })
  const change = (next: MetadataTree): void => {
    current = next
    for (const wake of waiters.splice(0)) wake()
  }
  const untilWaiting = (): Promise<void> => expect.poll(() => waiters.length).toBeGreaterThan(0)

  test('answers at once when the last etag is not the present one', async () => {
    const answer = await ask('/computeMetadata/v1/?recursive=true&wait_for_change=true&timeout_sec=60&last_etag=NONE')
    expect(answer.headers.etag).toMatch(/^[0-9a-f]{16}$/)
    expect(JSON.parse(answer.body)).toEqual(tree)
  })

  test('answers when the asked part changes, and not when another part does', async () => {
    const first = await ask('/computeMetadata/v1/instance/name')
    let answered = false
    const waiting = ask(`/computeMetadata/v1/instance/name?wait_for_change=true&last_etag=${first.headers.etag}`).finally(() => (answered = true))
    await untilWaiting()
    change({ ...tree, project: { projectId: 'other' } })
    await untilWaiting()
    expect(answered).toBe(false)
    change(rename('prod'))
    const second = await waiting
    expect(second.body).toBe('prod')
    expect(second.headers.etag).not.toBe(first.headers.etag)
  })

  test('without an etag it waits for the next change; a timeout answers with what is', async () => {
    const waiting = ask('/computeMetadata/v1/instance/name?wait_for_change=true')
    await untilWaiting()
    change(rename('next'))
    expect((await waiting).body).toBe('next')
    expect(await textOf('instance/name?wait_for_change=true&timeout_sec=0')).toBe('next')
  })

  test('a value that goes away ends the wait with 404; a guest that goes away ends it quietly', async () => {
    const waiting = ask('/computeMetadata/v1/instance/attributes/empty?wait_for_change=true')
    await untilWaiting()
    change({ instance: {}, project: {} })
    expect((await waiting).status).toBe(404)
    const abort = new AbortController()
    const dropped = ask('/computeMetadata/v1/?recursive=true&wait_for_change=true', { signal: abort.signal })
    await untilWaiting()
    abort.abort()
    await expect(dropped).rejects.toThrow('aborted')
    expect(await textOf('')).toBe('instance/\nproject/\n')
    expect(errors).toEqual([])
  })
})

describe('a client that ends its side right after the request, as busybox does', () => {
  async function exchange(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: server.socketPath, allowHalfOpen: true })
      let received = ''
      socket
        .setEncoding('utf8')
        .on('data', (part: string) => (received += part))
        .on('end', () => resolve(received))
        .on('error', reject)
      socket.end(`GET ${path} HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n`)
    })
  }

  test('gets its answer; a long poll is answered at once', async () => {
    expect(await exchange('/computeMetadata/v1/instance/name')).toMatch(/^HTTP\/1.1 200 [^]*\r\n\r\ndev$/)
    expect(await exchange('/computeMetadata/v1/instance/name?wait_for_change=true')).toMatch(/\r\n\r\ndev$/)
  })
})

describe('writing and trouble', () => {
  const put = (path: string, body: string | Buffer): Promise<Answer> => ask(`/computeMetadata/v1/${path}`, { method: 'PUT', body })

  test('guest attributes', async () => {
    expect((await put('instance/guest-attributes/hostkeys/ssh-ed25519', 'AAAA')).status).toBe(200)
    expect(written).toEqual(['hostkeys/ssh-ed25519=AAAA'])
    expect((await put('instance/guest-attributes/only-one', 'x')).status).toBe(400)
    expect((await put('instance/guest-attributes/forbidden/x', 'x')).status).toBe(403)
    expect((await put('instance/attributes/x', 'x')).status).toBe(405)
    expect((await put('instance/guest-attributes/big/x', Buffer.alloc(300 * 1024))).status).toBe(413)
    expect(written).toHaveLength(1)
  })

  test('a source that fails is a 503, and the cause goes to the log only', async () => {
    const failing = await serveMetadata(join(folder, 'f.sock'), { ...source, tree: () => Promise.reject(new Error('secret detail')) }, { onError: (error) => errors.push(error) })
    const kept = server
    server = failing
    const answer = await ask('/computeMetadata/v1/instance/id')
    server = kept
    await failing.close()
    expect(answer.status).toBe(503)
    expect(answer.body).not.toContain('secret')
    expect(errors).toMatchObject([{ message: 'secret detail' }])
  })

  test('a file left at the socket path by a killed process is replaced, and close ends a long poll', async () => {
    const path = join(folder, 'left.sock')
    await writeFile(path, '')
    const kept = server
    server = await serveMetadata(path, source)
    const poll = ask('/computeMetadata/v1/?recursive=true&wait_for_change=true')
    await expect.poll(() => waiters.length).toBeGreaterThan(0)
    const ended = expect(poll).rejects.toThrow('socket hang up')
    await server.close()
    await ended
    server = kept
  })
})
