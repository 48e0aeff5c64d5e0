import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { removeAll } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import { openKernel } from './kernel.ts'
import { createServer } from './server.ts'

test('a client that sends its headers drop by drop is let go, others are served meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-slow-'))
  const kernel = await openKernel({ home: kilnHome({ KILN_HOME: folder }), log: pino({ level: 'fatal' }), rootUrl: () => 'http://127.0.0.1' })
  const server = await createServer({ kernel, rooms: [], headersTimeoutMs: 300 })
  const port = await server.listen(0)
  server.open()
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString()))
  socket.on('error', () => {})
  const closed = new Promise<void>((done) => socket.once('close', () => done()))
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
  const drops = setInterval(() => socket.write('X-Drop: 1\r\n'), 50)
  expect((await fetch(`http://127.0.0.1:${port}/nothing`)).status).toBe(404)
  await closed
  clearInterval(drops)
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  await server.close()
  await kernel.close()
  await removeAll(folder)
})
