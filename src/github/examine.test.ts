import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestIssuer } from '../oidc/testing-issuer.ts'
import type { TestIssuer } from '../oidc/testing-issuer.ts'
import { examineToken, issuerOf, tokenFromText } from './examine.ts'
import type { TokenReport } from './examine.ts'
import { chooseProvider, providerFromJson } from './provider.ts'
import type { LiveProvider } from './provider.ts'

const name = 'projects/123456/locations/global/workloadIdentityPools/github/providers/moshi'
const audience = `https://iam.googleapis.com/${name}`
let issuer: TestIssuer
let provider: LiveProvider
beforeAll(async () => {
  issuer = await startTestIssuer()
  provider = providerFromJson({
    name,
    oidc: { issuerUri: issuer.url },
    attributeMapping: { 'google.subject': 'assertion.sub', 'attribute.repository_id': 'assertion.repository_id', 'attribute.ref': 'assertion.ref' },
    attributeCondition: "assertion.repository_id == '4711' && assertion.ref == 'refs/heads/main' && assertion.environment == 'production'",
  })
})
afterAll(() => issuer.close())

const claims = {
  sub: 'repo:moshi/moshi:environment:production',
  aud: audience,
  repository: 'moshi/moshi',
  repository_id: '4711',
  ref: 'refs/heads/main',
  environment: 'production',
}

async function examine(change: Readonly<Record<string, unknown>> = {}, header: Readonly<Record<string, unknown>> = {}, live = provider): Promise<TokenReport> {
  const token = await issuer.sign({ ...claims, ...change }, header)
  return examineToken({ token, provider: live, keys: issuer.keys(), nowMs: Date.now() })
}

test('a good token is admitted, and the report names whom policies mean', async () => {
  const report = await examine()
  expect(report.failure).toBeUndefined()
  expect(report.admitted).toBe(true)
  expect(report.steps.every((step) => step.status === 'ok')).toBe(true)
  expect(report.principal).toBe('principal://iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/github/subject/repo:moshi/moshi:environment:production')
  expect(report.principalSets).toContain('principalSet://iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/github/attribute.repository_id/4711')
})

const hour = 3600
const now = Math.floor(Date.now() / 1000)
const bad: readonly [title: string, change: Readonly<Record<string, unknown>>, step: string, claim: string | undefined, message: RegExp, next: RegExp][] = [
  ['another issuer', { iss: 'https://example.com' }, 'issuer', 'iss', /https:\/\/example\.com/, /GitHub Enterprise/],
  ['another audience', { aud: 'sigstore' }, 'audience', 'aud', /sigstore/, /audience=\/\/iam\.googleapis\.com\/projects\/123456/],
  ['an expired one', { iat: now - 2 * hour, nbf: now - 2 * hour, exp: now - hour }, 'times', 'exp', /expired/, /new one/],
  ['one that is not valid yet', { nbf: now + hour, exp: now + 2 * hour }, 'times', 'nbf', /not valid before/, /clocks/],
  ['another repository id', { repository_id: '4712' }, 'condition', 'assertion.repository_id', /"4712"/, /gh api/],
  ['another ref', { ref: 'refs/heads/evil' }, 'condition', 'assertion.ref', /refs\/heads\/evil/, /another branch/],
  ['another environment', { environment: 'staging' }, 'condition', 'assertion.environment', /staging/, /environment: NAME/],
  ['no environment', { environment: undefined }, 'condition', 'assertion.environment', /missing|No such key/, /environment: NAME/],
  ['no subject', { sub: undefined }, 'mapping', 'assertion.sub', /google\.subject/, /mapping/],
]
test.each(bad)('%s is told with its claim and the next action', async (_title, change, step, claim, message, next) => {
  const report = await examine(change)
  expect(report.admitted).toBe(false)
  expect(report.failure).toMatchObject({ name: step, message: expect.stringMatching(message), next: expect.stringMatching(next) })
  expect(report.failure?.claim).toBe(claim)
})

test('alg none, a shared secret and an unknown key id are told', async () => {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const body = part({ ...claims, iss: issuer.url, iat: now, nbf: now, exp: now + 600 })
  const look = (token: string): TokenReport => examineToken({ token, provider, keys: issuer.keys(), nowMs: Date.now() })
  expect(look(`${part({ alg: 'none' })}.${body}.`).failure).toMatchObject({ name: 'algorithm', claim: 'alg', message: expect.stringContaining('none') })
  const head = part({ alg: 'HS256', kid: issuer.keys()[0]?.['kid'] })
  const mac = createHmac('sha256', 'secret').update(`${head}.${body}`).digest('base64url')
  expect(look(`${head}.${body}.${mac}`).failure).toMatchObject({ name: 'algorithm', message: expect.stringContaining('HS256') })
  expect((await examine({}, { kid: 'of-nobody' })).failure).toMatchObject({ name: 'key', claim: 'kid', next: expect.stringContaining('rotated') })
  const good = await issuer.sign(claims)
  const bent = `${good.slice(0, -6)}${good.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA'}`
  expect(look(bent).failure).toMatchObject({ name: 'signature' })
  expect(look('not a token').failure).toMatchObject({ name: 'shape' })
})

test('without keys nobody is admitted, and the rest is examined all the same', async () => {
  const token = await issuer.sign({ ...claims, ref: 'refs/heads/evil' })
  const report = examineToken({ token, provider, keys: { unavailable: 'no network' }, nowMs: Date.now() })
  expect(report.admitted).toBe(false)
  expect(report.steps.filter((step) => step.status === 'failed').map((step) => step.name)).toEqual(['key', 'condition'])
})

test('a provider out of use admits nobody', async () => {
  const disabled = providerFromJson({ name, disabled: true, oidc: { issuerUri: issuer.url }, attributeMapping: { 'google.subject': 'assertion.sub' } })
  expect((await examine({}, {}, disabled)).failure).toMatchObject({ name: 'provider', message: expect.stringContaining('disabled') })
})

test('the provider that is meant', () => {
  const other = providerFromJson({ name: name.replace('providers/moshi', 'providers/gitlab'), oidc: { issuerUri: 'https://gitlab.com' } })
  const project = 'moshi-3'
  expect(chooseProvider([provider], { project })).toBe(provider)
  expect(chooseProvider([provider, other], { project, issuer: 'https://gitlab.com' })).toBe(other)
  expect(chooseProvider([provider, other], { project, name: 'github/moshi' })).toBe(provider)
  expect(() => chooseProvider([], { project })).toThrow(/no workload identity provider/)
  expect(() => chooseProvider([provider], { project, name: 'github/other' })).toThrow(/other/)
  expect(() => chooseProvider([provider, other], { project, issuer: 'https://example.com' })).toThrow(/several/)
  expect(() => providerFromJson({ name, saml: {} })).toThrow(/not an OIDC provider/)
})

test('tokens come alone or as GitHub answers them', async () => {
  const token = await issuer.sign(claims)
  expect(tokenFromText(`${token}\n`)).toBe(token)
  expect(tokenFromText(JSON.stringify({ count: 1, value: token }))).toBe(token)
  expect(() => tokenFromText('  \n')).toThrow(/no token/)
  expect(issuerOf(token)).toBe(issuer.url)
})
