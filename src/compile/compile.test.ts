/** The design's example compiles to a list that is kept as a file; changes of it are looked at in review. */
import { expect, test } from 'vitest'
import { Stack } from '../config/schema.ts'
import type { StackInput } from '../config/schema.ts'
import { resourceKinds } from '../resources/kinds.ts'
import { compileStack } from './compile.ts'
import { filesToRead } from './facts.ts'
import { imageBucketName, imageTag } from './names.ts'

const example: StackInput = {
  project: { id: 'moshi-3', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  apis: ['texttospeech.googleapis.com', 'speech.googleapis.com', 'translate.googleapis.com'],
  package: { source: './server', repository: 'pypi' },
  images: {
    'moshi-srv': { from: 'python3', python: ['moshi-server'], files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' }, user: 'moshi', health: { path: '/healthz', port: 8080 } },
    python3: { debian: 'bookworm', packages: ['python3', 'python3-venv', 'gunicorn'] },
  },
  serviceAccounts: {
    'artifact-reader': { repositoryRoles: ['roles/artifactregistry.reader'] },
    'moshi-srv-sa': { roles: ['roles/datastore.user', 'roles/secretmanager.secretAccessor'] },
  },
  buckets: { 'moshi-storage': { objects: { 'entrypoint.sh': './entrypoint.sh' } } },
  dev: { image: 'moshi-srv', machineType: 'e2-small', serviceAccount: 'moshi-srv-sa', metadata: { mode: 'dev' }, labels: { team: 'srv' } },
}

const facts = { stackDir: '/stack', packageName: 'moshi-server', files: { '/stack/entrypoint.sh': { md5: 'rL0Y20zC+Fzt72VPzMSk2A==' } } }

function compiled(change: Partial<StackInput> = {}) {
  return compileStack(Stack.parse({ ...example, ...change }), facts)
}

test('the example', async () => {
  await expect(`${JSON.stringify(compiled(), null, 2)}\n`).toMatchFileSnapshot('./__fixtures__/moshi.golden')
})

test('the same config gives the same list', () => {
  expect(compiled()).toEqual(compiled())
})

test('addresses are unique, and everything a resource depends on comes before it', () => {
  const seen = new Set<string>()
  for (const one of compiled()) {
    expect(seen.has(one.address)).toBe(false)
    for (const before of one.dependsOn) expect([one.address, seen.has(before), before]).toEqual([one.address, true, before])
    for (const value of Object.values(one.props)) {
      if (typeof value === 'object' && value !== null && '$ref' in value) expect(seen.has(String(value.$ref))).toBe(true)
    }
    seen.add(one.address)
  }
})

test('every kind takes the props that it is given, and gives the same identity and Terraform block each time', () => {
  for (const one of compiled()) {
    const entry = resourceKinds.get(one.kind)
    if (entry === undefined) {
      expect(['image', 'python-package']).toContain(one.kind)
      continue
    }
    const props = 'image' in one.props ? { ...one.props, image: 'projects/moshi-3/global/images/moshi-srv-1' } : one.props
    const parsed: unknown = entry.kind.parse(props)
    expect(Object.keys(entry.kind.identity(parsed)).length).toBeGreaterThan(0)
    expect(entry.terraform('x', props)).toHaveProperty('type')
  }
})

test('without billing account and dev VM neither appears', () => {
  const kinds = new Set(compiled({ project: { id: 'moshi-3' }, dev: undefined }).map((one) => one.kind))
  expect(kinds.has('billing')).toBe(false)
  expect(kinds.has('instance')).toBe(false)
  expect(kinds.has('firewall')).toBe(false)
})

test('an API that the stack needs anyway is not listed twice', () => {
  const services = compiled({ apis: ['compute.googleapis.com'] }).filter((one) => one.kind === 'service')
  expect(services.filter((one) => one.props['service'] === 'compute.googleapis.com')).toHaveLength(1)
})

test('a file whose checksum is missing is refused', () => {
  const config = Stack.parse(example)
  expect(filesToRead(config, '/stack')).toEqual(['/stack/entrypoint.sh'])
  expect(() => compileStack(config, { ...facts, files: {} })).toThrow('/stack/entrypoint.sh')
})

test('derived names fit their limits', () => {
  expect(imageBucketName('a'.repeat(30))).toBe(`${'a'.repeat(30)}-kiln-images`)
  expect(imageBucketName('example.com:web')).toBe('example-com-web-kiln-images')
  expect(imageTag('i'.repeat(63))).toHaveLength(63)
})
