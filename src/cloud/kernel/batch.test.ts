import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { parseCall, splitParts } from './batch.ts'
import { ApiError } from './api-error.ts'
import type { Room } from './room.ts'
import { startTestCloud } from './testing.ts'
import type { CallResult, TestCloud } from './testing.ts'

let cloud: TestCloud
const notes: string[] = []

function notesRoom(id: string): Room {
  return {
    id,
    service: `${id}.googleapis.com`,
    hosts: [
      { name: 'api', match: `${id}.googleapis.com` },
      { name: 'www', match: 'www.googleapis.com', paths: new RegExp(`^/${id}/`) },
    ],
    migrations: { namespace: id, steps: [] },
    routes: () =>
      ['api', 'www'].flatMap((host) => [
        {
          id: `${id}.notes.list`,
          method: 'GET' as const,
          path: `/${id}/v1/projects/:project/notes`,
          host,
          permission: 'compute.images.list',
          handler: (request: { principal: { email: string }; query: object; hostUrl: string }) => ({
            notes,
            reader: request.principal.email,
            query: request.query,
            from: request.hostUrl.replace(/^.*\//, ''),
          }),
        },
        {
          id: `${id}.notes.insert`,
          method: 'POST' as const,
          path: `/${id}/v1/projects/:project/notes`,
          host,
          permission: 'compute.images.create',
          body: z.object({ text: z.string() }),
          handler(request: { body: { text: string } }) {
            if (notes.includes(request.body.text)) throw new ApiError('ALREADY_EXISTS', `the note ${request.body.text} is there`)
            notes.push(request.body.text)
            return { text: request.body.text }
          },
        },
      ]),
  }
}

beforeAll(async () => {
  cloud = await startTestCloud(() => [notesRoom('compute'), notesRoom('storage')])
  cloud.addProject('p-one')
})
afterAll(() => cloud.close())

interface Part {
  readonly call: string
  readonly id?: string
  readonly body?: object
  readonly headers?: readonly string[]
}

function encode(parts: readonly Part[], newline = '\r\n'): string {
  const texts = parts.map(({ call, id, body, headers = [] }, index) => {
    const json = body === undefined ? '' : JSON.stringify(body)
    const inner = [
      `${call} HTTP/1.1`,
      'Host: compute.googleapis.com',
      ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${json.length}`]),
      ...headers,
    ]
    return [
      '--===============7330845974216740156==',
      'Content-Type: application/http',
      'MIME-Version: 1.0',
      `Content-ID: ${id ?? `<b29c5de2-0db4-490b+${index}>`}`,
      '',
      ...inner,
      '',
      json,
    ].join(newline)
  })
  return [...texts, '--===============7330845974216740156==--', ''].join(newline)
}

async function batch(path: string, body: string, options: { token?: string | null; headers?: Record<string, string> } = {}): Promise<CallResult> {
  return cloud.call('POST', path, {
    body,
    ...(options.token === undefined ? {} : { token: options.token }),
    headers: { 'content-type': 'multipart/mixed; boundary="===============7330845974216740156=="', ...options.headers },
  })
}

interface Answer {
  readonly id: string | undefined
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at answers freely
  readonly json: any
}

function decode(answer: CallResult): Answer[] {
  expect(answer.status, answer.text).toBe(200)
  const contentType = answer.headers.get('content-type') ?? ''
  expect(contentType).toMatch(/^multipart\/mixed; boundary=/)
  const texts = answer.text.split(`--${contentType.replace(/^.*boundary=/, '')}`)
  expect(texts.at(-1)).toBe('--\r\n')
  return texts.slice(1, -1).map((text) => {
    const [head = '', inner = '', body = ''] = text.split('\r\n\r\n')
    expect(head).toContain('Content-Type: application/http')
    expect(inner).toMatch(/content-length: /i)
    return { id: /Content-ID: (.*)/.exec(head)?.[1], status: Number(/^HTTP\/1\.1 (\d+) \w/.exec(inner)?.[1]), json: JSON.parse(body) as unknown }
  })
}

test('parts run in order, an error stays in its part, ids come back with "response-"', async () => {
  const answers = decode(
    await batch(
      'compute.googleapis.com/batch/compute/v1',
      encode([
        { call: 'POST /compute/v1/projects/p-one/notes', body: { text: 'one' } },
        { call: 'POST /compute/v1/projects/p-one/notes', body: { text: 'one' }, id: 'bare' },
        { call: 'POST /compute/v1/projects/p-one/notes', body: { wrong: 'ö' } },
        { call: 'GET /compute/v1/projects/p-one/notes?alt=json&filter=a%20b' },
        { call: 'GET /compute/v1/projects/p-two/notes' },
        { call: 'BREW /compute/v1/x' },
        { call: 'GET /compute/v1/no/such' },
      ]),
    ),
  )
  expect(answers.map((answer) => answer.status)).toEqual([200, 409, 400, 200, 403, 400, 501])
  expect(answers[0]?.id).toBe('<response-b29c5de2-0db4-490b+0>')
  expect(answers[1]?.id).toBe('response-bare')
  expect(answers[1]?.json.error.errors[0].reason).toBe('alreadyExists')
  expect(answers[3]?.json).toMatchObject({ notes: ['one'], query: { alt: 'json', filter: 'a b' }, from: 'compute.googleapis.com' })
})

test('a part is judged by its own credentials, else by those of the batch', async () => {
  const reader = cloud.userToken('reader@example.com')
  cloud.kernel().policies.grant('projects/p-one', 'roles/compute.viewer', 'user:reader@example.com')
  const call = 'GET /compute/v1/projects/p-one/notes'
  const body = encode([
    { call, headers: [`Authorization: Bearer ${reader}`] },
    { call },
    { call: 'POST /compute/v1/projects/p-one/notes', body: { text: 'x' }, headers: [`authorization: Bearer ${reader}`] },
  ])
  expect(decode(await batch('compute.googleapis.com/batch/compute/v1', body)).map((answer) => answer.json.reader ?? answer.status)).toEqual([
    'reader@example.com',
    'owner@kiln.local',
    403,
  ])
  expect(decode(await batch('compute.googleapis.com/batch/compute/v1', body, { token: null })).map((answer) => answer.status)).toEqual([200, 401, 403])
})

test('every address of the endpoint: the service, www, the old common one, and the bare path that gcloud sends with an override', async () => {
  const call = 'GET /storage/v1/projects/p-one/notes'
  const paths = ['storage.googleapis.com/batch/storage/v1', 'www.googleapis.com/batch/storage/v1', 'www.googleapis.com/batch', 'storage.googleapis.com/batch', 'batch/storage/v1']
  for (const path of paths) expect((await batch(path, encode([{ call }]))).text, path).toContain('HTTP/1.1 200 OK')
  // Sub-requests keep the override's path, or are whole URLs.
  const forms = [
    '/storage.googleapis.com/storage/v1/projects/p-one/notes',
    'https://storage.googleapis.com/storage/v1/projects/p-one/notes',
    `${cloud.url()}/storage.googleapis.com/storage/v1/projects/p-one/notes`,
  ]
  const answers = decode(await batch('batch/storage/v1', encode(forms.map((form) => ({ call: `GET ${form}` })))))
  expect(answers.map((answer) => [answer.status, answer.json.from])).toEqual(forms.map(() => [200, 'storage.googleapis.com']))
  // Through the proxy the Host header is Google's.
  const proxied = await proxy('www.googleapis.com', '/batch/storage/v1', encode([{ call }]))
  expect(proxied).toContain('"from": "www.googleapis.com"')
})

async function proxy(host: string, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${cloud.url()}${path}`,
      { method: 'POST', headers: { host, authorization: `Bearer ${cloud.ownerToken()}`, 'content-type': "multipart/mixed; boundary='===============7330845974216740156=='" } },
      (response) => {
        let text = ''
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve(text))
      },
    )
    call.on('error', reject).end(body)
  })
}

test('line ends may be LF alone', async () => {
  const answers = decode(await batch('compute.googleapis.com/batch/compute/v1', encode([{ call: 'POST /compute/v1/projects/p-one/notes', body: { text: 'lf' } }], '\n')))
  expect(answers[0]).toMatchObject({ status: 200, json: { text: 'lf' } })
})

test('a thousand calls for compute and a hundred for storage, and not one more', async () => {
  const many = (count: number, service: string): string => encode(Array.from({ length: count }, () => ({ call: `GET /${service}/v1/projects/p-one/notes` })))
  expect(decode(await batch('compute.googleapis.com/batch/compute/v1', many(1000, 'compute'))).filter((answer) => answer.status === 200)).toHaveLength(1000)
  expect((await batch('compute.googleapis.com/batch/compute/v1', many(1001, 'compute'))).json.error).toMatchObject({ code: 400, errors: [{ reason: 'batchSizeTooLarge' }] })
  expect(decode(await batch('storage.googleapis.com/batch/storage/v1', many(100, 'storage')))).toHaveLength(100)
  expect((await batch('storage.googleapis.com/batch/storage/v1', many(101, 'storage'))).status).toBe(400)
})

test('what is not a batch is refused as a whole; what a batch cannot hold, in its part', async () => {
  const path = 'compute.googleapis.com/batch/compute/v1'
  for (const [body, contentType] of [
    ['', 'multipart/mixed; boundary=x'],
    ['{}', 'application/json'],
    ['--x\r\nContent-Type: application/http\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'multipart/mixed; boundary=x'],
    ['--x--', 'multipart/mixed; boundary=x'],
  ] as const)
    expect((await cloud.call('POST', path, { body, headers: { 'content-type': contentType } })).status, body).toBe(400)
  expect((await cloud.call('POST', path, { body: Buffer.alloc(11 * 1024 * 1024), headers: { 'content-type': 'multipart/mixed; boundary=x' } })).status).toBe(413)
  const answers = decode(
    await batch(path, encode(['/batch/compute/v1', '/upload/storage/v1/b/x/o', 'https://example.com/compute/v1/x', 'nonsense'].map((url) => ({ call: `POST ${url}`, body: {} })))),
  )
  expect(answers.map((answer) => answer.status)).toEqual([400, 400, 400, 400])
  const wrongType = (await cloud.call('POST', path, { body: '--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--', headers: { 'content-type': 'multipart/mixed; boundary=x' } }))
    .text
  expect(wrongType).toContain('text/plain, not application/http')
})

test('a body keeps its bytes, and a boundary inside a line is no boundary', () => {
  const bytes = Buffer.from([0, 255, 13, 10, 200])
  const part = Buffer.concat([Buffer.from('Content-Type: application/http\r\n\r\nPUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n'), bytes, Buffer.from(' --x')])
  const parts = splitParts(Buffer.concat([Buffer.from('preamble\r\n--x\r\n'), part, Buffer.from('\r\n--x--\r\n')]), 'multipart/mixed; boundary=x')
  expect(parts).toEqual([part])
  expect(parseCall(part).body).toEqual(Buffer.concat([bytes, Buffer.from(' --x')]))
})
