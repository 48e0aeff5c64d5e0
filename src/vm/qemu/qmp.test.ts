import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectQmp, withQmp } from './qmp.ts'
import type { QmpEvent } from './qmp.ts'

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n'
let folder: string
let path: string
let server: Server | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-qmp-'))
  path = join(folder, 'qmp.sock')
})

afterEach(async () => {
  server?.close()
  server = undefined
  await rm(folder, { recursive: true })
})

/** A server that plays QEMU: `reply` gets each request and the socket. */
async function play(reply: (request: { execute: string; id: number; arguments?: unknown }, socket: Socket) => void, first = greeting): Promise<void> {
  server = createServer((socket) => {
    socket.write(first)
    socket.on('error', () => {})
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) {
        const request = JSON.parse(line) as { execute: string; id: number }
        if (request.execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${request.id}}\r\n`)
        else reply(request, socket)
      }
    })
  })
  await new Promise<void>((resolve) => server?.listen(path, resolve))
}

test('answers are matched by id, also when they come in another order and in pieces', async () => {
  const held: number[] = []
  await play((request, socket) => {
    held.push(request.id)
    if (held.length < 2) return
    const text = held
      .toReversed()
      .map((id) => `{"return": "answer to ${id}", "id": ${id}}\r\n`)
      .join('')
    socket.write(text.slice(0, 10))
    setImmediate(() => socket.write(text.slice(10)))
  })
  const answers = await withQmp(path, (qmp) => Promise.all([qmp.execute('a'), qmp.execute('b')]))
  expect(answers).toEqual(['answer to 2', 'answer to 3'])
})

test('errors carry the words of QEMU', async () => {
  await play((request, socket) => socket.write(`{"error": {"class": "GenericError", "desc": "no such device"}, "id": ${request.id}}\r\n`))
  await expect(withQmp(path, (qmp) => qmp.execute('device_del'))).rejects.toMatchObject({ code: 'E_VM', message: 'QEMU refused device_del: no such device' })
})

test('the human monitor', async () => {
  await play((request, socket) => socket.write(`${JSON.stringify({ return: JSON.stringify(request.arguments), id: request.id })}\r\n`))
  expect(await withQmp(path, (qmp) => qmp.humanCommand('info usernet'))).toBe('{"command-line":"info usernet"}')
})

test('events reach the listener, between answers', async () => {
  await play((request, socket) =>
    socket.write(`{"event": "RESET", "data": {"guest": false}, "timestamp": {"seconds": 2, "microseconds": 500000}}\r\n{"return": {}, "id": ${request.id}}\r\n`),
  )
  const events: QmpEvent[] = []
  const client = await connectQmp(path)
  client.onEvent((event) => events.push(event))
  await client.execute('system_reset')
  client.close()
  expect(events).toEqual([{ event: 'RESET', data: { guest: false }, timeMs: 2500 }])
})

test('a QEMU that does not answer, closes, or talks nonsense is an error in time', async () => {
  await play((request, socket) => {
    if (request.execute === 'close') socket.destroy()
    if (request.execute === 'nonsense') socket.write('this is not JSON\r\n')
  })
  await expect(withQmp(path, (qmp) => qmp.execute('silence'), 50)).rejects.toThrow('QEMU did not answer silence within 50 ms')
  await expect(withQmp(path, (qmp) => qmp.execute('close'))).rejects.toThrow('QEMU closed its socket')
  await expect(withQmp(path, (qmp) => qmp.execute('nonsense'))).rejects.toThrow('not JSON')
})

test('nobody listens, or somebody who is no QEMU', async () => {
  await expect(connectQmp(path)).rejects.toMatchObject({ code: 'E_VM', message: expect.stringContaining(path) })
  await play(() => {}, '')
  await expect(connectQmp(path, 50)).rejects.toThrow('did not greet')
})
