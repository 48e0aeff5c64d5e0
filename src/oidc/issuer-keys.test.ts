import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { startTestIssuer } from './testing-issuer.ts'
import { createIssuerKeys, issuerUriProblem, parseKeySetText } from './issuer-keys.ts'

test('keys are fetched once, kept while young, and fetched again when asked, but not too often', async () => {
  const issuer = await startTestIssuer()
  try {
    let now = 0
    const source = createIssuerKeys({ nowMs: () => now, maxAgeMs: 1000, minRefreshMs: 100 })
    const first = await source.keysOf(issuer.url)
    expect(first).toEqual(issuer.keys())
    await Promise.all([source.keysOf(issuer.url), source.keysOf(issuer.url)])
    expect(issuer.keyRequests()).toBe(1)
    await issuer.rotate()
    now = 50
    expect(await source.keysOf(issuer.url, { refresh: true }), 'asked too soon').toEqual(first)
    now = 150
    expect(await source.keysOf(issuer.url, { refresh: true })).toEqual(issuer.keys())
    now = 2000
    await Promise.all(Array.from({ length: 10 }, () => source.keysOf(issuer.url)))
    expect(issuer.keyRequests(), 'ten callers share one request').toBe(3)
    issuer.answerWith({ status: 500, body: '{}' })
    now = 4000
    await expect(source.keysOf(issuer.url)).rejects.toThrow(/answered 500/)
  } finally {
    await issuer.close()
  }
})

test('an issuer that lies, stalls, floods or redirects gives no keys', async () => {
  const wellKnown =
    (body: (url: string) => object | string): RequestListener =>
    (request, response) => {
      const url = `http://${request.headers.host}`
      const answer = request.url === '/keys' ? { keys: [] } : body(url)
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    }
  const cases: readonly [RequestListener, RegExp][] = [
    [wellKnown(() => ({ issuer: 'https://other.example.com', jwks_uri: 'https://other.example.com/keys' })), /another issuer/],
    [wellKnown((url) => ({ issuer: url, jwks_uri: 'http://example.com/keys' })), /no https jwks_uri/],
    [wellKnown((url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' })), /no https jwks_uri/],
    [wellKnown(() => '[]'), /JSON object/],
    [wellKnown(() => '{'), /could not be read/],
    [wellKnown(() => 'x'.repeat(600 * 1024)), /more than/],
    [(_request, response) => response.writeHead(302, { location: 'https://example.com/' }).end(), /could not be read/],
    [() => undefined, /did not answer within/],
  ]
  for (const [listener, message] of cases) {
    const server = createServer(listener)
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = address !== null && typeof address === 'object' ? address.port : 0
    await expect(createIssuerKeys({ timeoutMs: 300 }).keysOf(`http://127.0.0.1:${port}`), String(message)).rejects.toThrow(message)
    server.closeAllConnections()
    await new Promise((resolve) => void server.close(resolve))
  }
})

test('issuers are https, or on this machine', () => {
  for (const good of ['https://token.actions.githubusercontent.com', 'https://gitlab.com/a', 'http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:1']) {
    expect(issuerUriProblem(good), good).toBeUndefined()
  }
  for (const bad of [
    '',
    'x',
    'http://example.com',
    'ftp://127.0.0.1',
    'https://a@example.com',
    'https://example.com?q=1',
    'https://example.com#f',
    'http://127.0.0.1.example.com',
  ]) {
    expect(issuerUriProblem(bad), bad).toBeDefined()
  }
})

test('inline key sets are read as they are, and refused when they are none', () => {
  expect(parseKeySetText('{"keys":[{"kty":"RSA"}]}')).toEqual([{ kty: 'RSA' }])
  for (const bad of ['', '{}', '[]', '{"keys":{}}', JSON.stringify({ keys: Array.from({ length: 101 }, () => ({})) })]) expect(() => parseKeySetText(bad), bad).toThrow(/key/)
})
