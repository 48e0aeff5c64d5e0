/** Uploads against a local server that keeps what it gets. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checksumFile } from './checksums.ts'
import { createClients } from './clients.ts'
import { parseMetadata, uploadDistribution } from './distribution.ts'
import { uploadObject } from './upload.ts'

let server: Server
let root: string
let folder: string
let handle: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-upload-'))
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => handle(request, response, Buffer.concat(chunks)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

function clients() {
  return createClients({ rootUrl: root, accessToken: async () => 't', retry: { attempts: 3, firstDelayMs: 1 } })
}

async function file(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(join(folder, name), bytes)
  return join(folder, name)
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}

test('checksums are Google’s', async () => {
  // the check value of CRC-32C for "123456789" is e3069283
  expect(await checksumFile(await file('digits', Buffer.from('123456789')))).toMatchObject({
    sizeBytes: 9,
    crc32c: Buffer.from('e3069283', 'hex').toString('base64'),
    md5: md5(Buffer.from('123456789')),
  })
})

test('a small object goes in one multipart request of known length', async () => {
  const path = await file('a.txt', Buffer.from('hello'))
  handle = (request, response, body) => {
    expect(request.url).toBe('/storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=multipart&name=dir%2Fa.txt&ifGenerationMatch=0')
    expect(Number(request.headers['content-length'])).toBe(body.length)
    const boundary = /boundary=(\S+)/.exec(request.headers['content-type'] ?? '')?.[1] ?? ''
    const parts = body.toString().split(`--${boundary}`)
    expect(JSON.parse(parts[1]?.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      name: 'dir/a.txt',
      contentType: 'text/plain',
      md5Hash: md5(Buffer.from('hello')),
      metadata: { k: 'v' },
    })
    expect(parts[2]).toBe('\r\ncontent-type: text/plain\r\n\r\nhello\r\n')
    response.end(JSON.stringify({ bucket: 'b', name: 'dir/a.txt', generation: '7', size: '5', md5Hash: md5(Buffer.from('hello')) }))
  }
  const object = await uploadObject(clients(), { bucket: 'b', name: 'dir/a.txt', file: path, contentType: 'text/plain', metadata: { k: 'v' }, ifGenerationMatch: '0' })
  expect(object.generation).toBe('7')
})

test('other bytes in the reply are refused', async () => {
  const path = await file('a.txt', Buffer.from('hello'))
  handle = (_request, response) => response.end(JSON.stringify({ generation: '1', md5Hash: md5(Buffer.from('other')) }))
  await expect(uploadObject(clients(), { bucket: 'b', name: 'a', file: path })).rejects.toThrow('arrived with other bytes')
})

test('a large object goes on where the connection broke', async () => {
  const bytes = randomBytes(900_000)
  const path = await file('big', bytes)
  let got: Buffer = Buffer.alloc(0)
  const ranges: string[] = []
  handle = (request, response, body) => {
    if (request.method === 'POST') {
      expect(request.headers['x-upload-content-length']).toBe('900000')
      return void response.setHeader('location', `${root}/session/1`).end()
    }
    const range = request.headers['content-range'] ?? ''
    ranges.push(range)
    if (range.startsWith('bytes */')) {
      if (got.length > 0) response.setHeader('range', `bytes=0-${got.length - 1}`)
      return void response.writeHead(308).end()
    }
    if (ranges.length === 1) {
      // keep a part and drop the connection without an answer
      got = body.subarray(0, 262_144)
      return void request.socket.destroy()
    }
    got = Buffer.concat([got, body])
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ generation: '2', size: String(got.length), md5Hash: md5(got) }))
  }
  const object = await uploadObject(clients(), { bucket: 'b', name: 'big', file: path, resumableAboveBytes: 1000 })
  expect(object.size).toBe('900000')
  expect(ranges).toEqual(['bytes 0-899999/900000', 'bytes */900000', 'bytes 262144-899999/900000'])
  expect(got.equals(bytes)).toBe(true)
})

const metadataText = 'Metadata-Version: 2.1\nName: moshi-server\nVersion: 0.1.0\nClassifier: A\nClassifier: B\nRequires-Dist: gunicorn\nRequires-Python: >=3.9\n\nLong text\n'

test('metadata becomes twine’s form fields', () => {
  expect(parseMetadata(metadataText)).toEqual([
    ['metadata_version', '2.1'],
    ['name', 'moshi-server'],
    ['version', '0.1.0'],
    ['classifiers', 'A'],
    ['classifiers', 'B'],
    ['requires_dist', 'gunicorn'],
    ['requires_python', '>=3.9'],
    ['description', 'Long text\n'],
  ])
})

/** A zip of one deflated entry; checksums are not looked at by the reader. */
function zipOf(name: string, content: string): Buffer {
  const data = deflateRawSync(Buffer.from(content))
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(name.length, 26)
  const central = Buffer.alloc(46)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(8, 10)
  central.writeUInt32LE(data.length, 20)
  central.writeUInt16LE(name.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(46 + name.length, 12)
  end.writeUInt32LE(30 + name.length + data.length, 16)
  return Buffer.concat([local, Buffer.from(name), data, central, Buffer.from(name), end])
}

test('a wheel is sent as twine sends it; the same bytes again are fine, others are E_PACKAGE_EXISTS', async () => {
  const wheel = zipOf('moshi_server-0.1.0.dist-info/METADATA', metadataText)
  const path = await file('moshi_server-0.1.0-py3-none-any.whl', wheel)
  const sha256 = createHash('sha256').update(wheel).digest('hex')
  let form = ''
  let published = ''
  handle = (request, response, body) => {
    expect(request.headers.authorization).toBe(`Basic ${Buffer.from('oauth2accesstoken:tok').toString('base64')}`)
    if (request.method === 'GET') {
      expect(request.url).toBe('/us-central1-python.pkg.dev/p/pypi/simple/moshi-server/')
      return void response.end(`<a href="../../x/moshi_server-0.1.0-py3-none-any.whl#sha256=${published}">moshi_server-0.1.0-py3-none-any.whl</a>`)
    }
    form = body.toString('latin1')
    if (published === '') response.end()
    else response.writeHead(409).end('{"error":{"code":409,"message":"exists"}}')
  }
  const options = { repositoryUrl: `${root}/us-central1-python.pkg.dev/p/pypi/`, file: path, accessToken: async () => 'tok', retry: { attempts: 1 } }
  expect(await uploadDistribution(options)).toEqual({ fileName: 'moshi_server-0.1.0-py3-none-any.whl', name: 'moshi-server', version: '0.1.0', sha256 })
  for (const [field, value] of [
    [':action', 'file_upload'],
    ['filetype', 'bdist_wheel'],
    ['pyversion', 'py3'],
    ['name', 'moshi-server'],
    ['sha256_digest', sha256],
  ]) {
    expect(form).toContain(`form-data; name="${field}"\r\n\r\n${value}\r\n`)
  }
  expect(form).toContain(`name="content"; filename="moshi_server-0.1.0-py3-none-any.whl"\r\nContent-Type: application/octet-stream\r\n\r\n${wheel.toString('latin1')}\r\n--`)
  published = sha256
  expect((await uploadDistribution(options)).sha256).toBe(sha256)
  published = 'f'.repeat(64)
  await expect(uploadDistribution(options)).rejects.toMatchObject({ code: 'E_PACKAGE_EXISTS' })
})

test('a refusal before the end of the body is told as it is', async () => {
  // far more than the socket's buffers hold, so that the server answers while bytes are still on their way
  const path = await file('huge', Buffer.alloc(24 * 1024 * 1024))
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'POST') return void request.resume().on('end', () => response.setHeader('location', '/session/1').end())
    response.writeHead(413, { 'content-type': 'application/json', connection: 'close' }).end('{"error":{"code":413,"message":"too large"}}')
  })
  await expect(uploadObject(clients(), { bucket: 'b', name: 'huge', file: path })).rejects.toMatchObject({ status: 413, message: expect.stringContaining('too large') })
})

test('an abort stops a large upload', async () => {
  const path = await file('huge', Buffer.alloc(24 * 1024 * 1024))
  const controller = new AbortController()
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'POST') return void request.resume().on('end', () => response.setHeader('location', '/session/1').end())
    request.once('data', () => {
      request.pause()
      controller.abort(new Error('stopped'))
    })
  })
  await expect(uploadObject(clients(), { bucket: 'b', name: 'huge', file: path, signal: controller.signal })).rejects.toThrow('stopped')
})
