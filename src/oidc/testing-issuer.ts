/** An OpenID Connect issuer for tests: real keys, real discovery document, on a loopback port. Stands in for GitHub Actions and its like. */
import { createServer } from 'node:http'
import type { JsonWebKey } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface TestIssuer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string
  /** A signed token: `iss`, `iat`, `nbf` and `exp` (ten minutes) are set unless given; `undefined` leaves a claim out. `header` overrides `alg`, `kid`, `typ`. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
  /** The public keys, as the issuer serves them. */
  keys(): readonly JsonWebKey[]
  /** Signs with a new key from now on; the old one is served no more. */
  rotate(): Promise<void>
  /** How often the keys were fetched. */
  keyRequests(): number
  /** Makes the issuer answer this instead of its keys; undefined: keys again. */
  answerWith(answer: { readonly status: number; readonly body: string } | undefined): void
  close(): Promise<void>
}

/** Starts an issuer on a free port. `algorithm`: RS256 (default) or ES256. */
export async function startTestIssuer(algorithm: 'RS256' | 'ES256' = 'RS256'): Promise<TestIssuer> {
  let current = await newKey(algorithm)
  let requests = 0
  let instead: { readonly status: number; readonly body: string } | undefined
  const server = createServer((request, response) => {
    const isKeys = request.url === '/keys'
    if (isKeys) requests += 1
    const body = isKeys ? { keys: [current.publicJwk] } : { issuer: url, jwks_uri: `${url}/keys`, id_token_signing_alg_values_supported: [algorithm] }
    if (!isKeys && request.url !== '/.well-known/openid-configuration') {
      response.writeHead(404).end()
      return
    }
    response.writeHead(instead?.status ?? 200, { 'content-type': 'application/json' }).end(instead?.body ?? JSON.stringify(body))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`

  return {
    url,
    async sign(claims, header = {}) {
      const now = Math.floor(Date.now() / 1000)
      const full = Object.fromEntries(Object.entries({ iss: url, iat: now, nbf: now, exp: now + 600, ...claims }).filter(([, value]) => value !== undefined))
      return new SignJWT(full).setProtectedHeader({ alg: algorithm, kid: current.publicJwk.kid, typ: 'JWT', ...header }).sign(current.privateKey)
    },
    keys: () => [current.publicJwk],
    async rotate() {
      current = await newKey(algorithm)
    },
    keyRequests: () => requests,
    answerWith: (answer) => void (instead = answer),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

let count = 0

async function newKey(algorithm: string) {
  count += 1
  const { publicKey, privateKey } = await generateKeyPair(algorithm)
  return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid: `test-key-${count}`, alg: algorithm, use: 'sig' } }
}
