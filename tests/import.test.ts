/** `kiln import` on the pocket cloud: a project that Kiln brought up gives back its config; what others made is listed; a draft is adopted without a change. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { importProject, writeDraft } from '../src/app/import/import.ts'
import type { ImportResult } from '../src/app/import/import.ts'
import { parseStack } from '../src/config/checks.ts'
import type { StackInput } from '../src/config/schema.ts'
import { createStackWorld } from './support/stack-world.ts'
import type { StackWorld } from './support/stack-world.ts'

const projectId = 'moshi-3'
const rules = 'service cloud.firestore { match /databases/{database}/documents { } }\n'
const member = `serviceAccount:srv-sa@${projectId}.iam.gserviceaccount.com`

const stack: StackInput = {
  project: { id: projectId, name: 'Moshi', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'europe-west1', zone: 'europe-west1-b' },
  apis: ['speech.googleapis.com'],
  package: { source: './server', repository: 'wheels' },
  images: { base: { debian: 'bookworm' } },
  serviceAccounts: {
    'artifact-reader': { displayName: 'Downloads packages', repositoryRoles: ['roles/artifactregistry.reader'] },
    'srv-sa': { roles: ['roles/datastore.user', 'roles/logging.logWriter'] },
  },
  buckets: { 'moshi-storage': { objects: { 'entrypoint.sh': './entrypoint.sh' } }, 'moshi-media': { location: 'eu' } },
  secrets: { 'session-key': { from: 'env:SESSION_KEY', accessors: ['srv-sa'] } },
  firestore: {
    location: 'eur3',
    rules: './firestore.rules',
    indexes: [
      {
        collectionGroup: 'lessons',
        queryScope: 'COLLECTION_GROUP',
        fields: [
          { fieldPath: 'user', order: 'ASCENDING' },
          { fieldPath: 'tags', arrayConfig: 'CONTAINS' },
        ],
      },
    ],
  },
  auth: {
    providers: ['email', 'anonymous', 'google'],
    authorizedDomains: ['app.example.com'],
    google: { clientId: '1.apps.googleusercontent.com', clientSecret: 'env:GOOGLE_CLIENT_SECRET' },
  },
  dns: { zone: 'example.com' },
  github: { repository: 'moshi/server', repositoryId: '42', branch: 'release', environment: 'production' },
}

let world: StackWorld
let out = ''
beforeAll(async () => {
  process.env['SESSION_KEY'] = 'correct horse'
  process.env['GOOGLE_CLIENT_SECRET'] = 'battery staple'
  out = await mkdtemp(join(tmpdir(), 'kiln-import-'))
  world = await createStackWorld(projectId, { 'firestore.rules': rules, 'entrypoint.sh': '#!/bin/sh\n' })
  await world.up(stack)
}, 300_000)
afterAll(async () => {
  delete process.env['SESSION_KEY']
  delete process.env['GOOGLE_CLIENT_SECRET']
  await world.close()
  await rm(out, { recursive: true, force: true })
})

function read(project = projectId): Promise<ImportResult> {
  return importProject({ clients: world.engine().clients, projectId: project, signal: new AbortController().signal, note: () => {} })
}

test('a project that Kiln brought up gives back its config; foreign is only who owns the project', async () => {
  const { stack: draft, foreign, files } = await read()
  expect(foreign.map((one) => one.what)).toEqual([`roles/owner on projects ${projectId} for user:owner@kiln.local`])
  // without a machine nothing says which zone, and images are not baked here
  const { location, images, ...rest } = draft
  const { location: _location, images: _images, ...wanted } = stack
  expect(location).toEqual({ region: 'europe-west1' })
  expect(images).toEqual({ base: { debian: 'bookworm' } })
  expect(rest).toEqual(wanted)
  expect(files).toEqual({ 'firestore.rules': rules })
})

test('the draft is a config that plans no change, and its text says the same as its value', async () => {
  const result = await read()
  expect(parseStack(result.stack)).toMatchObject({ project: { id: projectId } })
  expect(await world.todo({ ...result.stack, location: { ...result.stack.location, zone: 'europe-west1-b' } })).toEqual({})
  const written = await writeDraft({ ...result, files: { ...result.files, 'entrypoint.sh': '#!/bin/sh\n' } }, out)
  expect(written.map((path) => path.slice(out.length + 1))).toEqual(['firestore.rules', 'entrypoint.sh', 'kiln.config.ts'])
  const text = await readFile(join(out, 'kiln.config.ts'), 'utf8')
  const program = text.replace(/^import .*$/m, 'const defineStack = (value) => value')
  const module = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(program)}`)) as { readonly default: unknown }
  expect(parseStack(module.default)).toEqual(parseStack(result.stack))
  expect(text).toContain('// what is in the image is not in the cloud')
  for (const value of ['correct horse', 'battery staple']) expect(text).not.toContain(value)
  await expect(writeDraft(result, out)).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('exists, and is not written over') })
})

test('what others made is listed with the reason, and what a section can say is not', async () => {
  const compute = `compute.googleapis.com/compute/v1/projects/${projectId}/global`
  await world.change('POST', `${compute}/firewalls`, { name: 'allow-db', network: 'global/networks/default', allowed: [{ IPProtocol: 'tcp', ports: ['5432'] }] })
  await world.change('POST', `iam.googleapis.com/v1/projects/${projectId}/locations/global/workloadIdentityPools?workloadIdentityPoolId=gitlab-pool`, {})
  await world.change('POST', `iam.googleapis.com/v1/projects/${projectId}/locations/global/workloadIdentityPools/gitlab-pool/providers?workloadIdentityPoolProviderId=gitlab`, {
    attributeMapping: { 'google.subject': 'assertion.sub' },
    attributeCondition: "assertion.namespace_id == '7'",
    oidc: { issuerUri: 'https://gitlab.com' },
  })
  await world.change('POST', `secretmanager.googleapis.com/v1/projects/${projectId}/secrets?secretId=by-hand`, { replication: { automatic: {} } })
  await world.change('POST', `secretmanager.googleapis.com/v1/projects/${projectId}/secrets/by-hand:setIamPolicy`, {
    policy: { bindings: [{ role: 'roles/secretmanager.secretAccessor', members: ['user:ann@example.com', member] }] },
  })
  await world
    .change('POST', `artifactregistry.googleapis.com/v1/projects/${projectId}/locations/europe-west1/repositories?repositoryId=containers`, { format: 'DOCKER' })
    .catch(() => {})
  await world.change('POST', `storage.googleapis.com/upload/storage/v1/b/moshi-media/o?uploadType=media&name=photo`, 'bytes')
  await world.change('POST', `dns.googleapis.com/dns/v1/projects/${projectId}/managedZones/zone-example-com/changes`, {
    additions: [{ name: 'example.com.', type: 'MX', ttl: 300, rrdatas: ['10 mail.example.com.'] }],
  })
  const policy = await world.change('POST', `cloudresourcemanager.googleapis.com/v1/projects/${projectId}:getIamPolicy`, {})
  const bindings = [...policy.bindings, { role: 'roles/viewer', members: ['user:ann@example.com'] }]
  await world.change('POST', `cloudresourcemanager.googleapis.com/v1/projects/${projectId}:setIamPolicy`, { policy: { ...policy, bindings } })

  const { foreign, stack: draft } = await read()
  const whats = foreign.map((one) => one.what)
  for (const what of [
    'compute firewall-rules allow-db',
    'iam workload-identity-pools providers gitlab-pool/gitlab',
    'roles/secretmanager.secretAccessor on the secret by-hand for user:ann@example.com',
    'storage objects of gs://moshi-media',
    'dns record-sets example.com. MX',
    `roles/viewer on projects ${projectId} for user:ann@example.com`,
  ])
    expect(whats).toContain(what)
  expect(foreign.find((one) => one.what.includes('gitlab'))?.why).toBe("it takes tokens of https://gitlab.com when assertion.namespace_id == '7'")
  expect(draft.secrets).toMatchObject({ 'by-hand': { from: 'env:BY_HAND', accessors: ['srv-sa'] } })
  expect(draft.github).toEqual(stack.github)
})

test('a project that is not there', async () => {
  await expect(read('nobody-has-this')).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('nobody-has-this') })
})
