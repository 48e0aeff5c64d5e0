import { createHmac, generateKeyPairSync } from 'node:crypto'
import { assert, constantFrom, dictionary, jsonValue, property } from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestIssuer } from './testing-issuer.ts'
import type { TestIssuer } from './testing-issuer.ts'
import { conditionError, mappingError } from './attributes.ts'
import { evaluateToken } from './evaluate.ts'
import type { Evaluation, StepName } from './evaluate.ts'
import { federatedPrincipal, parseProviderAudience, poolOfMember } from './provider.ts'
import type { OidcProvider } from './provider.ts'

const audience = 'https://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/github/providers/actions'
const claims = {
  aud: audience,
  sub: 'repo:moshi/server:ref:refs/heads/main',
  repository: 'moshi/server',
  repository_id: '424242',
  repository_owner_id: 7,
  ref: 'refs/heads/main',
  groups: ['deployers', 'readers'],
}
let issuer: TestIssuer
let elliptic: TestIssuer

beforeAll(async () => {
  ;[issuer, elliptic] = await Promise.all([startTestIssuer(), startTestIssuer('ES256')])
})
afterAll(() => Promise.all([issuer.close(), elliptic.close()]))

function provider(change: Partial<OidcProvider> = {}): OidcProvider {
  return {
    projectNumber: '123456789012',
    poolId: 'github',
    providerId: 'actions',
    issuerUri: issuer.url,
    allowedAudiences: [],
    attributeMapping: { 'google.subject': 'assertion.sub', 'attribute.repository_id': 'assertion.repository_id' },
    attributeCondition: '',
    ...change,
  }
}

function evaluate(token: string, change: Partial<OidcProvider> = {}, nowMs = Date.now()): Evaluation {
  return evaluateToken({ token, provider: provider(change), keys: [...issuer.keys(), ...elliptic.keys()], nowMs })
}

test('a good token passes every step, under either form of the audience and either algorithm', async () => {
  const { steps, failure, identity } = evaluate(await issuer.sign(claims))
  expect(failure).toBeUndefined()
  expect(steps.map((step) => step.status)).toEqual(Array<string>(9).fill('ok'))
  expect(identity).toEqual({ subject: claims.sub, groups: [], attributes: { repository_id: '424242' } })
  expect(evaluate(await issuer.sign({ ...claims, aud: ['other', audience.replace('https:', '')] })).failure).toBeUndefined()
  expect(evaluate(await elliptic.sign(claims), { issuerUri: elliptic.url }).failure).toBeUndefined()
  expect(evaluate(await issuer.sign({ ...claims, aud: 'mine' }), { allowedAudiences: ['mine'] }).failure).toBeUndefined()
  expect(evaluate(await issuer.sign(claims), { allowedAudiences: ['mine'] }).failure?.name, 'a list replaces the default').toBe('audience')
})

test('each kind of bad token fails in its own step, and the message names the claim', async () => {
  const now = Math.floor(Date.now() / 1000)
  const good = await issuer.sign(claims)
  const [header = '', body = '', signature = ''] = good.split('.')
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const hmac = `${encode({ alg: 'HS256', kid: issuer.keys()[0]?.['kid'] })}.${body}`
  const cases: readonly [token: string, step: StepName, claim: string | undefined, message: RegExp][] = [
    ['nonsense', 'shape', undefined, /not a JWT/],
    ['a.b.c', 'shape', undefined, /not a JWT/],
    [`${encode([])}.${body}.${signature}`, 'shape', undefined, /not a JWT/],
    [`${encode({ alg: 'none' })}.${body}.`, 'algorithm', 'alg', /"none"/],
    [`${encode({ alg: 'toString' })}.${body}.`, 'algorithm', 'alg', /not supported/],
    [`${hmac}.${createHmac('sha256', JSON.stringify(issuer.keys()[0])).update(hmac).digest('base64url')}`, 'algorithm', 'alg', /HS256/],
    [await issuer.sign({ ...claims, iss: 'https://evil.example.com' }), 'issuer', 'iss', /evil\.example\.com/],
    [await issuer.sign({ ...claims, iss: `${issuer.url}/` }), 'issuer', 'iss', /does not match/],
    [await issuer.sign({ ...claims, aud: 'https://other.example.com' }), 'audience', 'aud', /other\.example\.com.*workloadIdentityPools\/github/],
    [await issuer.sign({ ...claims, aud: undefined }), 'audience', 'aud', /missing/],
    [await issuer.sign({ ...claims, iat: now - 900, nbf: now - 900, exp: now - 300 }), 'times', 'exp', /stale to sign-in.*expired/],
    [await issuer.sign({ ...claims, nbf: now + 300 }), 'times', 'nbf', /not valid before/],
    [await issuer.sign({ ...claims, iat: now + 300, nbf: undefined }), 'times', 'iat', /ahead/],
    [await issuer.sign({ ...claims, exp: now + 90_000 }), 'times', 'exp', /24 hours/],
    [await issuer.sign({ ...claims, exp: undefined }), 'times', 'exp', /exp/],
    [
      await issuer.sign({ ...claims, exp: 'soon' }).catch(() => `${header}.${encode({ ...claims, iss: issuer.url, iat: now, exp: 'soon' })}.${signature}`),
      'times',
      'exp',
      /number/,
    ],
    [await issuer.sign(claims, { kid: 'never-seen' }), 'key', 'kid', /never-seen/],
    [`${header}.${encode({ ...claims, iss: issuer.url, iat: now, exp: now + 60, repository_id: '1' })}.${signature}`, 'signature', undefined, /signature/],
    [`${header}.${body}.`, 'signature', undefined, /signature/],
    [await issuer.sign({ ...claims, sub: undefined }), 'mapping', 'assertion.sub', /google\.subject.*No such key: sub/],
    [await issuer.sign({ ...claims, sub: 'x'.repeat(128) }), 'mapping', 'assertion.sub', /127 bytes/],
    [await issuer.sign({ ...claims, repository_id: 424242 }), 'mapping', 'assertion.repository_id', /attribute\.repository_id.*STRING.*an int/],
  ]
  for (const [token, name, claim, message] of cases) {
    const { failure } = evaluate(token)
    expect({ name: failure?.name, claim: failure?.claim, error: failure?.error }).toEqual({ name, claim, error: 'invalid_grant' })
    expect(failure?.message).toMatch(message)
  }
})

test('a clock may be a minute off, not more', async () => {
  const token = await issuer.sign(claims)
  const at = (seconds: number): string | undefined => evaluate(token, {}, Date.now() + seconds * 1000).failure?.claim
  expect([at(-50), at(640)]).toEqual([undefined, undefined])
  expect([at(-70), at(670)]).toEqual(['nbf', 'exp'])
})

test('short RSA keys and keys of another kind verify nothing', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const kid = String(issuer.keys()[0]?.['kid'])
  const token = await issuer.sign(claims)
  const with_ = (keys: readonly object[]): string | undefined => evaluateToken({ token, provider: provider(), keys: keys as never, nowMs: Date.now() }).failure?.name
  expect(with_([{ ...publicKey.export({ format: 'jwk' }), kid }])).toBe('signature')
  expect(with_([{ kty: 'RSA', kid, n: '!', e: 'AQAB' }])).toBe('signature')
  expect(with_([{ kty: 'oct', kid, k: 'AAAA' }])).toBe('key')
  expect(with_([{ ...issuer.keys()[0], use: 'enc' }])).toBe('key')
  expect(with_([])).toBe('key')
  expect(evaluateToken({ token, provider: provider(), nowMs: Date.now() }).steps.find((step) => step.name === 'signature')?.status, 'without keys').toBe('skipped')
})

test('a condition that is not met names the part and the value that it saw', async () => {
  const attributeCondition =
    "assertion.repository_id == '424242' && assertion.ref == 'refs/heads/main' && google.subject.startsWith('repo:') && attribute.repository_id == '424242'"
  const decide = async (change: object, condition = attributeCondition) => evaluate(await issuer.sign({ ...claims, ...change }), { attributeCondition: condition }).failure
  expect(await decide({})).toBeUndefined()
  expect(await decide({ ref: 'refs/heads/evil' })).toMatchObject({
    name: 'condition',
    claim: 'assertion.ref',
    error: 'unauthorized_client',
    message: expect.stringMatching(/rejected by the attribute condition\. assertion\.ref == .* is false: assertion\.ref is "refs\/heads\/evil"/),
  })
  expect(await decide({ sub: 'x:y' })).toMatchObject({ claim: 'google.subject', message: expect.stringContaining('google.subject is "x:y"') })
  expect(await decide({ ref: undefined })).toMatchObject({ message: expect.stringContaining('assertion.ref is missing') })
  expect(await decide({}, 'assertion.repository_owner_id == 8')).toMatchObject({ claim: 'assertion.repository_owner_id' })
  expect(await decide({}, 'assertion.repository_owner_id == 7 && "deployers" in assertion.groups')).toBeUndefined()
})

test("IAM's functions work in mappings", async () => {
  const map = async (source: string) => evaluate(await issuer.sign(claims), { attributeMapping: { 'google.subject': source } }).identity?.subject
  expect(await map("assertion.sub.extract('repo:{name}:')")).toBe('moshi/server')
  expect(await map("assertion.sub.extract('ref:{name}')")).toBe('refs/heads/main')
  expect(await map("'r' + assertion.repository.split('/')[1]")).toBe('rserver')
  expect(await map("assertion.repository.split('/').join('-')")).toBe('moshi-server')
  expect(await map("string(assertion.repository_owner_id) + '/' + assertion.repository_id")).toBe('7/424242')
  expect(await map("has(assertion.environment) ? assertion.environment : 'none'")).toBe('none')
  expect(await map("assertion.sub.extract('{a}{b}')"), 'a template with two holes').toBeUndefined()
  const grouped = evaluate(await issuer.sign(claims), { attributeMapping: { 'google.subject': 'assertion.sub', 'google.groups': 'assertion.groups' } }).identity
  expect(grouped?.groups).toEqual(['deployers', 'readers'])
})

test('mappings and conditions are checked before any token comes', () => {
  const subject = { 'google.subject': 'assertion.sub' }
  expect(mappingError(subject)).toBeUndefined()
  expect(mappingError({ ...subject, 'attribute.a_1': 'assertion.a', 'google.groups': 'assertion.g' })).toBeUndefined()
  for (const [mapping, message] of [
    [{}, /google\.subject/],
    [{ 'attribute.a': 'assertion.a' }, /google\.subject/],
    [{ ...subject, 'attribute.A': 'assertion.a' }, /attribute\.A/],
    [{ ...subject, 'google.email': 'assertion.a' }, /google\.email/],
    [{ ...subject, 'attribute.a': 'assertion.' }, /compiling.*attribute\.a/],
    [{ ...subject, 'attribute.a': 'attribute.b' }, /Unknown variable/],
    [{ ...subject, 'attribute.a': '1 + 1' }, /string/],
    [{ ...subject, [`attribute.${'a'.repeat(101)}`]: 'assertion.a' }, /100/],
    [{ ...subject, 'attribute.a': `'${'a'.repeat(2048)}'` }, /2048/],
    [{ ...subject, ...Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`attribute.a${index}`, 'assertion.a'])) }, /50/],
  ] as const) {
    expect(mappingError(mapping)).toMatch(message)
  }
  expect(conditionError('', 'https://issuer.example.com')).toBeUndefined()
  expect(conditionError('assertion.a ==', 'https://issuer.example.com')).toMatch(/compiling the attribute condition/)
  expect(conditionError("'text'", 'https://issuer.example.com')).toMatch(/bool/)
  const github = 'https://token.actions.githubusercontent.com'
  for (const empty of ['', 'true', "'assertion.a' == 'assertion.a'"]) expect(conditionError(empty, github), empty).toMatch(/must reference one of the provider's claims/)
  expect(conditionError("assertion.repository_id == '1'", github)).toBeUndefined()
})

test('a federated caller has its subject, groups, attributes and the pool as names', () => {
  const pool = { projectNumber: '1', poolId: 'p' }
  const base = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p'
  expect(federatedPrincipal(pool, { subject: 'repo:o/r', groups: ['g'], attributes: { ref: 'refs/heads/main' } })).toEqual({
    member: `principal:${base}/subject/repo:o/r`,
    email: `principal:${base}/subject/repo:o/r`,
    sets: [`principalSet:${base}/group/g`, `principalSet:${base}/attribute.ref/refs/heads/main`, `principalSet:${base}/*`],
  })
  expect(poolOfMember(`principalSet:${base}/attribute.ref/refs/heads/main`)).toEqual({ ...pool, rest: 'attribute.ref/refs/heads/main' })
  expect(poolOfMember('user:a@example.com')).toBeUndefined()
  expect(parseProviderAudience(`${base}/providers/a`)).toEqual({ ...pool, providerId: 'a' })
  for (const bad of ['', base, `${base}/providers/`, `${base}/providers/a/b`, 'https://example.com']) expect(parseProviderAudience(bad), bad).toBeUndefined()
})

test('whatever is changed in a good token, it is admitted no more, and nothing throws', async () => {
  const good = await issuer.sign(claims)
  expect(evaluate(good).failure).toBeUndefined()
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // The last character of a base64url part carries bits that decoders drop, so that another one may mean the same.
  const places = [...good].flatMap((character, index) => (character === '.' || good[index + 1] === '.' || index === good.length - 1 ? [] : [index]))
  assert(
    property(constantFrom(...places), constantFrom(...alphabet, '.', '', '=', ' ', '\u0000'), (index, character) => {
      if (character === good[index]) return
      expect(evaluate(`${good.slice(0, index)}${character}${good.slice(index + 1)}`).failure).toBeDefined()
    }),
    { numRuns: 300 },
  )
})

test('claims of any shape are judged without throwing, and never admitted by another issuer', () => {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  assert(
    property(dictionary(constantFrom('iss', 'aud', 'sub', 'exp', 'iat', 'nbf', 'repository_id', '__proto__', 'x'), jsonValue()), jsonValue(), (random, header) => {
      const token = `${encode(header)}.${encode({ ...claims, ...random })}.AAAA`
      const evaluation = evaluateToken({
        token,
        provider: provider({ attributeCondition: "assertion.x.y == 'z' && 'a' in assertion.aud" }),
        keys: [{ ...key.publicKey.export({ format: 'jwk' }), kid: 'k' }],
        nowMs: Date.now(),
      })
      expect(evaluation.failure?.message).toMatch(/./)
      expect(evaluation.steps).toHaveLength(9)
    }),
    { numRuns: 300 },
  )
})
