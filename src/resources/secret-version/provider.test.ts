/** Values of secrets against a fake Secret Manager. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secretDigest } from '../../client/secret-values.ts'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeSecretVersions } from '../testing/fake-management.ts'
import { secretVersionKind } from './provider.ts'
import { secretVersionTerraform } from './terraform.ts'

const name = 'projects/p/secrets/token'
const first = 'correct horse battery staple'
const digests = { first: await secretDigest(Buffer.from(first), name), second: await secretDigest(Buffer.from('second'), name) }
const props = { projectId: 'p', secretId: 'token', from: 'env:KILN_TEST_FIRST', digest: digests.first, oldVersions: 'destroy' }
const second = { ...props, from: 'env:KILN_TEST_SECOND', digest: digests.second }

let folder = ''
beforeAll(async () => {
  process.env['KILN_TEST_FIRST'] = first
  process.env['KILN_TEST_SECOND'] = 'second'
  folder = await mkdtemp(join(tmpdir(), 'kiln-secret-'))
})
afterAll(async () => {
  delete process.env['KILN_TEST_FIRST']
  delete process.env['KILN_TEST_SECOND']
  await rm(folder, { recursive: true })
})

kindContract(secretVersionKind, {
  fake: () => fakeSecretVersions('destroy'),
  props,
  variants: [{ props: second, paths: ['value'] }],
  drift: { change: (service) => service.versions.push({ state: 'ENABLED', data: 'somebody else' }), paths: ['value', 'oldVersions'] },
})

test('old versions are disabled by default, destroyed or kept when asked', async () => {
  for (const [oldVersions, state] of [
    ['disable', 'DISABLED'],
    ['destroy', 'DESTROYED'],
    ['keep', 'ENABLED'],
  ] as const) {
    const service = fakeSecretVersions('all')
    const fake = await startFake(service)
    await secretVersionKind.create(contextOf(fake), secretVersionKind.parse({ ...props, oldVersions }))
    const parsed = secretVersionKind.parse({ ...second, oldVersions })
    const observed = await secretVersionKind.observe(contextOf(fake), secretVersionKind.identity(parsed))
    if (observed === undefined) throw new Error('there is no version')
    await secretVersionKind.update(contextOf(fake), parsed, observed, secretVersionKind.diff(parsed, observed))
    expect(service.versions.map((version) => version.state)).toEqual([state, 'ENABLED'])
    await fake.close()
  }
})

test('a newest version that somebody disabled is replaced: readers of `latest` would get nothing', async () => {
  const service = fakeSecretVersions('all')
  const fake = await startFake(service)
  const parsed = secretVersionKind.parse(props)
  await secretVersionKind.create(contextOf(fake), parsed)
  Object.assign(service.versions[0] ?? {}, { state: 'DISABLED' })
  const observed = await secretVersionKind.observe(contextOf(fake), secretVersionKind.identity(parsed))
  if (observed === undefined) throw new Error('there is no version')
  expect(secretVersionKind.diff(parsed, observed)).toEqual([{ path: 'state', from: 'version 1 is DISABLED', to: 'ENABLED' }])
  await secretVersionKind.update(contextOf(fake), parsed, observed, [])
  expect(service.versions.map((version) => version.state)).toEqual(['DESTROYED', 'ENABLED'])
  await fake.close()
})

test('neither the value nor its digest is in a plan, and the value is not in the attributes', async () => {
  const fake = await startFake(fakeSecretVersions('all'))
  const observed = await secretVersionKind.create(contextOf(fake), secretVersionKind.parse(props))
  const differences = JSON.stringify(secretVersionKind.diff(secretVersionKind.parse(second), observed))
  expect(differences).toBe('[{"path":"value","from":"version 1","to":"the value of env:KILN_TEST_SECOND"}]')
  for (const form of [first, Buffer.from(first).toString('base64')]) expect(JSON.stringify([observed, differences])).not.toContain(form)
  await fake.close()
})

test('without a value here, the live one stays; the first one has to come from somewhere', async () => {
  const fake = await startFake(fakeSecretVersions('all'))
  const observed = await secretVersionKind.create(contextOf(fake), secretVersionKind.parse(props))
  const absent = secretVersionKind.parse({ ...props, from: 'env:KILN_TEST_ABSENT', digest: undefined })
  expect(secretVersionKind.diff(absent, observed)).toEqual([])
  await secretVersionKind.remove(contextOf(fake), secretVersionKind.identity(absent))
  await expect(secretVersionKind.create(contextOf(fake), absent)).rejects.toMatchObject({
    code: 'E_CONFIG_INVALID',
    message: 'the environment variable KILN_TEST_ABSENT is not set',
  })
  await fake.close()
})

test('files: the bytes as they are; one that changed after the plan is refused', async () => {
  const service = fakeSecretVersions('all')
  const fake = await startFake(service)
  const file = join(folder, 'token')
  await writeFile(file, 'first line\n')
  const parsed = secretVersionKind.parse({ ...props, from: `file:${file}`, digest: await secretDigest(Buffer.from('first line\n'), name) })
  await secretVersionKind.create(contextOf(fake), parsed)
  expect(service.versions.map((version) => version.data)).toEqual(['first line\n'])
  await secretVersionKind.remove(contextOf(fake), secretVersionKind.identity(parsed))
  await writeFile(file, 'other')
  await expect(secretVersionKind.create(contextOf(fake), parsed)).rejects.toMatchObject({ code: 'E_APPLY' })
  await fake.close()
})

test('Terraform has none', () => {
  expect(secretVersionTerraform('token', secretVersionKind.parse(props))).toEqual({ noEquivalent: expect.stringContaining('gcloud secrets versions add token') })
})
