import { expect, test } from 'vitest'
import { hostOf, parseTimeoutMs, toRestHeaders } from './metadata.ts'
import { encodeGrpcMessage } from './status.ts'

test.each([
  ['100m', 100],
  ['5S', 5000],
  ['2M', 120_000],
  ['1H', 3_600_000],
  ['500u', 0.5],
  ['0n', 0],
  ['99999999H', undefined],
  ['123456789S', undefined],
  ['5', undefined],
  ['-1S', undefined],
  ['5s', undefined],
  [undefined, undefined],
])('grpc-timeout %s is %s ms', (text, expected) => expect(parseTimeoutMs(text)).toBe(expected))

test('metadata for the room is passed, what belongs to the transport is not', () => {
  const headers = {
    ':path': '/x',
    te: 'trailers',
    'content-type': 'application/grpc',
    'grpc-timeout': '1S',
    'grpc-encoding': 'gzip',
    'trace-bin': 'AA',
    'accept-encoding': 'gzip',
    host: 'h',
    authorization: 'Bearer t',
    'x-goog-user-project': 'p',
    'x-many': ['a', 'b'],
  }
  expect(toRestHeaders(headers)).toEqual({ authorization: 'Bearer t', 'x-goog-user-project': 'p', 'x-many': 'a, b' })
})

test('hosts lose their port and case', () => {
  expect(['Secretmanager.Googleapis.com:443', 'a.b', '127.0.0.1:8080', undefined].map(hostOf)).toEqual(['secretmanager.googleapis.com', 'a.b', '127.0.0.1', ''])
})

test('messages are percent-encoded UTF-8', () => {
  expect(encodeGrpcMessage('a%b\nü~')).toBe('a%25b%0A%C3%BC~')
})
