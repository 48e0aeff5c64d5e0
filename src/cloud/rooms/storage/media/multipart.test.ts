import { randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { parseBoundary, parseMultipart } from './multipart.ts'

interface Parsed {
  readonly metadata: string
  readonly contentType: string | undefined
  readonly content: Buffer
}

async function* pieces(body: Buffer, size: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length;) {
    const end = Math.min(body.length, at + size())
    yield body.subarray(at, end)
    at = end
  }
}

async function parse(body: Buffer, size: () => number, boundary = 'B-1'): Promise<Parsed> {
  const upload = await parseMultipart(pieces(body, size), boundary)
  const content: Uint8Array[] = []
  for await (const chunk of upload.content) content.push(Buffer.from(chunk))
  return { metadata: upload.metadata, contentType: upload.contentType, content: Buffer.concat(content) }
}

function encode(content: Buffer, lineEnd: string, boundary = 'B-1'): Buffer {
  const head = [`--${boundary}`, 'Content-Type: application/json', '', '{"name":"x"}', `--${boundary}`, 'Content-Type: text/x', 'Content-Transfer-Encoding: binary', '', ''].join(
    lineEnd,
  )
  return Buffer.concat([Buffer.from(head), content, Buffer.from(`${lineEnd}--${boundary}--${lineEnd}`)])
}

/** Contents that look like the end without being it. */
const contents = ['', '\r', '\n', '\r\n', '--', '\r\n--B-', '\n--B-1x', '\r\n--B-12--\r\n', '\r\n\r\n--B', 'a\r\n-', '\n-\n--\n--B\n--B-\n', '\u0000']

/** Random bytes that cannot complete a boundary by chance. */
function harmless(sizeBytes: number): Buffer {
  return Buffer.from(randomBytes(sizeBytes).map((byte) => ([0x0a, 0x0d, 0x2d, 0x31].includes(byte) ? 0x41 : byte)))
}

test('whatever the chunks and the line ends, the content comes back byte by byte', async () => {
  for (const lineEnd of ['\r\n', '\n']) {
    for (const text of contents) {
      const body = encode(Buffer.from(text), lineEnd)
      for (const size of [1, 2, 3, 5, 7, 11, 64, 100_000]) {
        const parsed = await parse(body, () => size)
        expect(parsed, JSON.stringify({ lineEnd, text, size })).toEqual({ metadata: '{"name":"x"}', contentType: 'text/x', content: Buffer.from(text) })
      }
    }
    for (let round = 0; round < 40; round += 1) {
      const content = Buffer.concat([harmless(randomInt(3000)), Buffer.from(contents[randomInt(contents.length)] ?? ''), harmless(randomInt(3)), Buffer.from(`${lineEnd}--B-1z`)])
      const parsed = await parse(encode(content, lineEnd), () => 1 + randomInt(200))
      expect(parsed.content.equals(content), content.toString('base64')).toBe(true)
    }
  }
})

test('a body that is cut anywhere is refused', async () => {
  for (const lineEnd of ['\r\n', '\n']) {
    const body = encode(Buffer.from('some content'), lineEnd)
    const closing = body.length - lineEnd.length
    for (let end = 0; end < closing; end += 1) {
      await expect(
        parse(body.subarray(0, end), () => 4),
        `cut at ${end}`,
      ).rejects.toThrow('Malformed multipart body')
    }
    expect((await parse(body.subarray(0, closing), () => 4)).content.toString()).toBe('some content')
  }
})

test('three parts, encoded parts and endless headers are refused', async () => {
  const three = Buffer.from('--B-1\n\n{}\n--B-1\n\none\n--B-1\n\ntwo\n--B-1--\n')
  await expect(parse(three, () => 9)).rejects.toThrow('exactly two parts')
  await expect(parse(Buffer.from('--B-1\n\n{}\n--B-1\nContent-Transfer-Encoding: base64\n\nYQ==\n--B-1--\n'), () => 9)).rejects.toThrow('base64')
  await expect(parse(Buffer.from(`--B-1\nx: ${'y'.repeat(40_000)}\n\n{}`), () => 1000)).rejects.toThrow('too long')
})

test('boundaries with every kind of quotes', () => {
  expect(parseBoundary("multipart/related; boundary='===============12=='")).toBe('===============12==')
  expect(parseBoundary('multipart/related; boundary="a b"')).toBe('a b')
  expect(parseBoundary('multipart/related;type="application/json";boundary=abc')).toBe('abc')
  expect(() => parseBoundary('application/json')).toThrow('boundary is needed')
})
