/** From the sections for database, sign-in, repository and secrets to resources. */
import { expect, test } from 'vitest'
import { Stack } from '../config/schema.ts'
import type { StackInput } from '../config/schema.ts'
import { resourceKinds } from '../resources/kinds.ts'
import { compileStack } from './compile.ts'
import { secretsToRead, textsToRead } from './facts.ts'

const index = {
  collectionGroup: 'lessons',
  fields: [
    { fieldPath: 'user', order: 'ASCENDING' as const },
    { fieldPath: 'time', order: 'DESCENDING' as const },
  ],
}
const bare: StackInput = {
  project: { id: 'moshi-3' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh' } },
  serviceAccounts: { 'srv-sa': {}, 'other-sa': {} },
}
const sections: Partial<StackInput> = {
  firestore: { location: 'nam5', rules: './firestore.rules', indexes: [index], deleteProtection: false },
  auth: { providers: ['email', 'google'], authorizedDomains: ['app.example.com'], google: { clientId: '1.apps', clientSecret: 'env:GOOGLE_SECRET' } },
  github: { repository: 'moshi/server', repositoryId: '42', environment: 'production' },
  secrets: { token: { from: 'file:./token', accessors: ['srv-sa'] } },
  dev: { image: 'srv', serviceAccount: 'srv-sa' },
}
const facts = { stackDir: '/stack', files: {}, texts: { '/stack/firestore.rules': 'service cloud.firestore {}' }, secretDigests: { 'projects/moshi-3/secrets/token': 'digest' } }

function compiled(change: Partial<StackInput> = sections) {
  return compileStack(Stack.parse({ ...bare, ...change }), facts)
}

function propsOf(address: string, change?: Partial<StackInput>) {
  return compiled(change).find((one) => one.address === address)?.props
}

function apis(change: Partial<StackInput>): readonly string[] {
  return compiled(change).flatMap((one) => (one.kind === 'service' ? [String(one.props['service']).replace('.googleapis.com', '')] : []))
}

test('without the sections nothing of them is there, and none of their APIs', () => {
  const addresses = compiled({}).map((one) => one.address)
  expect(addresses.filter((address) => /^(firestore|firebase|identity|workload|secret|service-account-iam|bucket-iam)/.test(address))).toEqual([])
  expect(apis({}).filter((api) => ['firestore', 'firebaserules', 'identitytoolkit', 'sts', 'secretmanager'].includes(api))).toEqual([])
})

test('each section turns on its own APIs', () => {
  const basic = apis({})
  const added = (change: Partial<StackInput>) => apis(change).filter((api) => !basic.includes(api))
  expect(added({ firestore: { location: 'nam5' } })).toEqual(['firestore'])
  expect(added({ firestore: { location: 'nam5', rules: './firestore.rules' } })).toEqual(['firestore', 'firebaserules'])
  expect(added({ auth: { providers: ['email'] } })).toEqual(['identitytoolkit'])
  expect(added({ github: { repository: 'a/b' } })).toEqual(['sts'])
  expect(added({ secrets: { token: { from: 'env:X' } } })).toEqual(['secretmanager'])
})

test('every resource takes its props, and what it depends on comes before it', () => {
  const seen = new Set<string>()
  for (const one of compiled()) {
    for (const before of one.dependsOn) expect([one.address, before, seen.has(before)]).toEqual([one.address, before, true])
    seen.add(one.address)
    const text = JSON.stringify(one.props).replaceAll(/\{"\$ref":"([^"]+)","attribute":"[^"]+"\}/g, '"$1"')
    const entry = resourceKinds.get(one.kind)
    if (entry !== undefined) expect(() => entry.terraform('x', JSON.parse(text))).not.toThrow()
  }
})

test('the database, an index under a name of its shape, and rules by their text', () => {
  expect(propsOf('firestore-database/default')).toEqual({ projectId: 'moshi-3', database: '(default)', location: 'nam5', deleteProtection: false })
  expect(propsOf('firestore-index/lessons/user-asc+time-desc')).toMatchObject({ queryScope: 'COLLECTION', fields: index.fields })
  expect(propsOf('firebase-ruleset/cloud.firestore')).toMatchObject({ content: 'service cloud.firestore {}' })
  expect(propsOf('firebase-release/cloud.firestore')).toMatchObject({ rulesetId: { $ref: 'firebase-ruleset/cloud.firestore', attribute: 'rulesetId' } })
  expect(textsToRead(Stack.parse({ ...bare, firestore: { location: 'nam5', rules: './r', indexes: './i.json' } }), '/stack')).toEqual(['/stack/r', '/stack/i.json'])
})

test('sign-in leads back to the server, and a client secret is only referred to', () => {
  expect(propsOf('identity-platform/moshi-3', { ...sections, server: { image: 'srv', domains: ['dev.example.com'] } })).toMatchObject({
    email: true,
    phone: false,
    authorizedDomains: ['localhost', 'moshi-3.firebaseapp.com', 'moshi-3.web.app', 'dev.example.com', 'app.example.com'],
  })
  expect(propsOf('identity-provider/google.com')).toEqual({ projectId: 'moshi-3', idpId: 'google.com', clientId: '1.apps', secretFrom: 'env:GOOGLE_SECRET' })
})

test('GitHub: by id, branch and environment; without an id, by name', () => {
  expect(propsOf('workload-identity-provider/actions')).toMatchObject({
    issuerUri: 'https://token.actions.githubusercontent.com',
    attributeCondition: "assertion.repository_id == '42' && assertion.ref == 'refs/heads/main' && assertion.environment == 'production'",
  })
  expect(propsOf('service-account-iam-member/github-deployer/github')).toMatchObject({
    role: 'roles/iam.workloadIdentityUser',
    principalSet: { pool: { $ref: 'workload-identity-pool/kiln-github', attribute: 'name' }, attribute: 'repository_id', value: '42' },
  })
  const byName = { ...sections, github: { repository: 'moshi/server', branch: 'release' } }
  const provider = propsOf('workload-identity-provider/actions', byName)
  expect(provider?.['attributeCondition']).toBe("assertion.repository == 'moshi/server' && assertion.ref == 'refs/heads/release'")
  expect(provider?.['attributeMapping']).not.toHaveProperty('attribute.environment')
  expect(propsOf('service-account-iam-member/github-deployer/github', byName)).toMatchObject({ principalSet: { attribute: 'repository', value: 'moshi/server' } })
})

test('the account of GitHub gets each role on the smallest thing, and may act as the machines’ accounts alone', () => {
  const member = 'serviceAccount:github-deployer@moshi-3.iam.gserviceaccount.com'
  const granted = compiled().filter((one) => one.props['member'] === member)
  expect(
    granted
      .filter((one) => one.kind !== 'project-iam-member')
      .map((one) => [one.kind, one.props['role'], one.props['accountId'] ?? one.props['bucket'] ?? one.props['repository']]),
  ).toEqual([
    ['artifact-repository-iam-member', 'roles/artifactregistry.writer', 'pypi'],
    ['bucket-iam-member', 'roles/storage.objectAdmin', 'moshi-3-kiln-images'],
    ['bucket-iam-member', 'roles/storage.legacyBucketReader', 'moshi-3-kiln-images'],
    ['service-account-iam-member', 'roles/iam.serviceAccountUser', 'srv-sa'],
  ])
  for (const one of granted) expect(String(one.props['role'])).not.toMatch(/owner|editor|[aA]dmin$(?<!objectAdmin)/)
})

test('where Packer makes an image, the account of GitHub may act as the one that reads the index, which the VM of the build is', () => {
  const reader = { 'artifact-reader': { repositoryRoles: ['roles/artifactregistry.reader'] } }
  const actsAs = (engine: 'offline' | 'packer') => {
    const images = Object.fromEntries(Object.entries(bare.images).map(([name, image]) => [name, { ...image, engine }]))
    return compiled({ ...sections, images, serviceAccounts: { ...bare.serviceAccounts, ...reader } }).flatMap((one) =>
      one.props['role'] === 'roles/iam.serviceAccountUser' ? [one.props['accountId']] : [],
    )
  }
  expect(actsAs('offline')).not.toContain('artifact-reader')
  expect(actsAs('packer')).toContain('artifact-reader')
})

test('the account of GitHub writes the ledger of releases, after it is there; blue/green lets it move requests', () => {
  const ledger = (change: object) => compiled({ ...sections, ...change }).find((one) => one.kind === 'release-ledger')
  const served = ledger({ server: { image: 'srv' } })
  expect(served?.props['writers']).toEqual(['serviceAccount:github-deployer@moshi-3.iam.gserviceaccount.com'])
  expect(served?.dependsOn).toContain('service-account/github-deployer')
  expect(ledger({ server: { image: 'srv' }, github: undefined })?.props).not.toHaveProperty('writers')
  const roles = (strategy: 'rolling' | 'blue-green') =>
    compiled({ ...sections, server: { image: 'srv', strategy } }).flatMap((one) =>
      one.address.startsWith('project-iam-member/github-deployer/') ? [String(one.props['role'])] : [],
    )
  expect(roles('rolling')).toContain('roles/monitoring.viewer')
  expect(roles('rolling')).not.toContain('roles/compute.loadBalancerAdmin')
  expect(roles('blue-green')).toContain('roles/compute.loadBalancerAdmin')
})

test('secrets: where the value is, its digest, and who may read that one', () => {
  expect(propsOf('secret-version/token')).toEqual({ projectId: 'moshi-3', secretId: 'token', from: 'file:/stack/token', digest: 'digest', oldVersions: 'disable' })
  expect(propsOf('secret-iam-member/token/srv-sa')).toMatchObject({
    role: 'roles/secretmanager.secretAccessor',
    member: 'serviceAccount:srv-sa@moshi-3.iam.gserviceaccount.com',
  })
  expect(secretsToRead(Stack.parse({ ...bare, ...sections }), '/stack')).toEqual([
    { name: 'projects/moshi-3/secrets/token', from: 'file:/stack/token' },
    { name: 'projects/moshi-3/defaultSupportedIdpConfigs/google.com', from: 'env:GOOGLE_SECRET' },
  ])
})

test('a machine starts after the database, and after the secrets that its account reads', () => {
  const needs = (account: string) => compiled({ ...sections, dev: { image: 'srv', serviceAccount: account } }).find((one) => one.kind === 'instance')?.dependsOn ?? []
  expect(needs('srv-sa')).toEqual(expect.arrayContaining(['firestore-database/default', 'secret-version/token', 'secret-iam-member/token/srv-sa']))
  expect(needs('other-sa')).toContain('firestore-database/default')
  expect(needs('other-sa')).not.toContain('secret-version/token')
})
