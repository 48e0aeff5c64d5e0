/** What is found before anything is changed, against the real rooms of a pocket cloud. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { KilnError } from '../../base/errors.ts'
import { createClients } from '../../client/clients.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { parseStack } from '../../config/checks.ts'
import type { StackInput } from '../../config/schema.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { createRooms } from '../cloud/rooms.ts'
import { requireAll } from './findings.ts'
import type { GcpFinding } from './findings.ts'
import { preflight } from './preflight.ts'

const billingAccount = '000000-AAAAAA-BBBBBB'
const stack: StackInput = {
  project: { id: 'stack-one', billingAccount },
  location: { region: 'us-central1' },
  images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/opt/srv/run' } },
  dev: { image: 'srv', machineType: 'e2-small' },
}
const desired: readonly DesiredResource[] = [
  { kind: 'service', address: 'service/compute.googleapis.com', props: { service: 'compute.googleapis.com' }, dependsOn: [] },
  { kind: 'instance', address: 'instance/dev', props: {}, dependsOn: [] },
  { kind: 'secret', address: 'secret/key', props: {}, dependsOn: [] },
]

let cloud: TestCloud
let bin: string
const signal = new AbortController().signal

beforeAll(async () => {
  const publicImages = { images: [], provide: () => Promise.reject(new Error('none')) }
  cloud = await startTestCloud(() => createRooms({ driver: createFakeDriver(), publicImages, ownerRefreshToken: 'none', guests: { socket: '/nowhere', authority: '' } }))
  cloud.addProject('stack-one')
  bin = await mkdtemp(join(tmpdir(), 'kiln-preflight-'))
  await writeFile(join(bin, 'terraform'), '#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
  await chmod(join(bin, 'terraform'), 0o755)
})

beforeEach(() => {
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`)
})

afterEach(() => {
  vi.unstubAllEnvs()
})

afterAll(async () => {
  await cloud.close()
  await rm(bin, { recursive: true })
})

interface Scenario {
  readonly stack?: Partial<StackInput>
  readonly token?: () => Promise<string>
  readonly env?: Readonly<Record<string, string>>
  /** Answers in place of the cloud's. */
  readonly answer?: (url: string) => Response | undefined
}

async function look(scenario: Scenario = {}): Promise<readonly GcpFinding[]> {
  const clients = createClients({
    rootUrl: cloud.url(),
    accessToken: scenario.token ?? (async () => cloud.ownerToken()),
    retry: { attempts: 1 },
    fetch: async (input, init) => scenario.answer?.(String(input)) ?? fetch(input, init),
  })
  return preflight({ config: parseStack({ ...stack, ...scenario.stack }), desired, clients, signal, env: scenario.env ?? {} })
}

const find = (findings: readonly GcpFinding[], check: string): GcpFinding | undefined => findings.find((finding) => finding.check === check)

test('a project that is ready: everything is there', async () => {
  const put = await cloud.call('PUT', 'cloudbilling.googleapis.com/v1/projects/stack-one/billingInfo', { body: { billingAccountName: `billingAccounts/${billingAccount}` } })
  expect(put.status).toBe(200)
  const findings = await look()
  expect(Object.fromEntries(findings.map(({ check, state }) => [check, state]))).toEqual({
    terraform: 'ok',
    credentials: 'ok',
    project: 'ok',
    billing: 'ok',
    permissions: 'ok',
    APIs: 'ok',
    quotas: 'ok',
    GitHub: 'ok',
  })
  expect(() => requireAll(findings)).not.toThrow()
})

test('no Terraform', async () => {
  vi.stubEnv('PATH', '/nowhere')
  expect(find(await look(), 'terraform')).toMatchObject({ state: 'missing', remedy: expect.stringContaining('https://') })
})

test('no credentials: what depends on them is not guessed', async () => {
  const findings = await look({
    token: () => Promise.reject(new KilnError('E_PERMISSION', 'there are no usable Google credentials', { hint: 'run: gcloud auth application-default login' })),
  })
  expect(find(findings, 'credentials')).toMatchObject({ state: 'missing', remedy: 'run: gcloud auth application-default login' })
  expect(find(findings, 'permissions')?.state).toBe('later')
  expect(() => requireAll(findings)).toThrow(expect.objectContaining({ code: 'E_PREFLIGHT', hint: 'run: gcloud auth application-default login' }))
})

test('credentials that expired', async () => {
  expect(find(await look({ token: async () => 'expired' }), 'credentials')).toMatchObject({ state: 'missing', remedy: 'sign in again: gcloud auth application-default login' })
})

test('a project of somebody else, or none yet', async () => {
  const findings = await look({ stack: { project: { id: 'not-there-1', billingAccount } } })
  expect(find(findings, 'project')).toMatchObject({ state: 'later', detail: expect.stringContaining('not-there-1 does not exist') })
  expect(find(findings, 'billing')).toMatchObject({ state: 'later' })
})

test('missing permissions are named with the roles that have them, and the commands that give them', async () => {
  const email = 'dev@example.com'
  const policy = {
    bindings: [
      { role: 'roles/owner', members: ['user:owner@kiln.local'] },
      { role: 'roles/viewer', members: [`user:${email}`] },
    ],
  }
  await cloud.call('POST', 'cloudresourcemanager.googleapis.com/v1/projects/stack-one:setIamPolicy', { body: { policy } })
  const finding = find(await look({ token: async () => cloud.userToken(email) }), 'permissions')
  expect(finding).toMatchObject({
    state: 'missing',
    detail: expect.stringMatching(/dev@example\.com lacks \d+ of \d+: .*roles\/secretmanager\.admin \(secretmanager\.secrets\.create/),
  })
  expect(finding?.remedy).toContain(`gcloud projects add-iam-policy-binding stack-one --member=user:${email} --role=roles/secretmanager.admin`)
})

test('a closed billing account', async () => {
  const answer = (url: string): Response | undefined => {
    if (url.endsWith('/billingInfo')) return Response.json({ billingAccountName: '', billingEnabled: false })
    return url.includes('/billingAccounts/') ? Response.json({ open: false }) : undefined
  }
  expect(find(await look({ answer }), 'billing')).toMatchObject({ state: 'missing', detail: `the billing account ${billingAccount} is closed` })
})

test('no billing at all', async () => {
  const answer = (url: string): Response | undefined => (url.endsWith('/billingInfo') ? Response.json({ billingEnabled: false }) : undefined)
  expect(find(await look({ stack: { project: { id: 'stack-one' } }, answer }), 'billing')).toMatchObject({
    state: 'missing',
    remedy: expect.stringContaining('gcloud billing projects link stack-one'),
  })
})

test('a quota that is too small', async () => {
  const findings = await look({
    stack: { dev: { image: 'srv', machineType: 'e2-standard-16' } },
    answer: (url) => (url.endsWith('/regions/us-central1') ? Response.json({ quotas: [{ metric: 'CPUS', limit: 8, usage: 2 }] }) : undefined),
  })
  expect(find(findings, 'quota CPUS')).toMatchObject({
    state: 'missing',
    detail: 'the stack needs 16 more in us-central1, and 6 of 8 are left',
    remedy: expect.stringContaining('iam-admin/quotas?project=stack-one'),
  })
})

test('APIs that are off are what `up` enables', async () => {
  cloud.addProject('stack-two', ['serviceusage.googleapis.com', 'cloudresourcemanager.googleapis.com', 'cloudbilling.googleapis.com'])
  const findings = await look({ stack: { project: { id: 'stack-two', billingAccount } } })
  expect(find(findings, 'APIs')).toMatchObject({ state: 'later', detail: '`up` enables compute.googleapis.com' })
  expect(find(findings, 'quotas')?.state).toBe('later')
})

test('what only a person can do is told with link or command, and does not stop the run', async () => {
  const github = { repository: 'owner/repo' }
  const findings = await look({ stack: { github } })
  expect(find(findings, 'GitHub')).toMatchObject({ state: 'person', remedy: expect.stringContaining('https://github.com/settings/personal-access-tokens/new') })
  expect(() => requireAll(findings)).not.toThrow()
  expect(find(await look({ stack: { github }, env: { GITHUB_TOKEN: 'x' } }), 'GitHub')?.state).toBe('ok')
})
