import { connect } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { FilePart } from './file-part.ts'
import { startTestCloud } from './testing.ts'
import type { TestCloud } from './testing.ts'

const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 8)) % 251))
let cloud: TestCloud
let path = ''
let released = 0

beforeAll(async () => {
  cloud = await startTestCloud(() => [
    {
      id: 'toy',
      service: 'toy.googleapis.com',
      alwaysEnabled: true,
      hosts: [{ name: 'api', match: 'toy.googleapis.com' }],
      migrations: { namespace: 'toy', steps: [] },
      routes: () => [
        {
          id: 'toy.get',
          method: 'GET',
          path: '/v1/:start/:end',
          permission: 'public',
          handler({ params, query, reply }) {
            const [start, end] = [Number(params['start']), Number(params['end'])]
            void reply.code(206).headers({ 'content-type': 'text/x-part', 'content-length': end - start + 1, 'x-list': ['a', 'b'] })
            return new FilePart(query['missing'] === undefined ? path : `${path}.missing`, { start, end }, () => (released += 1))
          },
        },
      ],
    },
  ])
  path = join(cloud.folder, 'file')
  await writeFile(path, body)
})
afterAll(() => cloud.close())

async function ask(start: number, end: number, query = ''): Promise<Response> {
  return fetch(`${cloud.url()}/toy.googleapis.com/v1/${start}/${end}${query}`)
}

async function expectReleased(count: number): Promise<void> {
  await waitFor({ what: 'the release', timeoutMs: 5000, intervalMs: 10 }, async () =>
    released === count ? { done: true, value: undefined } : { done: false, status: `${released} released` },
  )
}

test('parts of every size arrive whole, also many at once, with status and headers', async () => {
  released = 0
  const parts = [
    [0, 2_999_999],
    [0, 0],
    [262_143, 262_144],
    [262_144, 524_287],
    [1_234_567, 2_345_678],
    [2_999_999, 2_999_999],
  ] as const
  const wanted = [...parts, ...parts, ...parts, ...parts]
  const answers = await Promise.all(wanted.map(async ([start, end]) => ask(start, end)))
  for (const [index, answer] of answers.entries()) {
    const [start = 0, end = 0] = wanted[index] ?? []
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-list')]).toEqual([206, 'text/x-part', 'a, b'])
    expect(Buffer.from(await answer.arrayBuffer()).equals(body.subarray(start, end + 1))).toBe(true)
  }
  await expectReleased(wanted.length)
})

test('a file that is not there is an error like others; one that ends too early cuts the connection', async () => {
  released = 0
  expect((await ask(0, 9, '?missing=')).status).toBe(500)
  const short = await ask(2_999_990, 3_000_010)
  await expect(short.arrayBuffer()).rejects.toThrow('terminated')
  expect((await ask(0, 9)).status).toBe(206)
  await expectReleased(3)
})

test('a caller that leaves in the middle lets go of the file', async () => {
  released = 0
  const { port } = new URL(cloud.url())
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(`GET /toy.googleapis.com/v1/0/2999999 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
  await expectReleased(1)
})
