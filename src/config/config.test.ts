/** What a config may say, and what is said about one that may not. */
import { describe, expect, test } from 'vitest'
import { editDistance, nearest } from '../base/suggest.ts'
import { defineStack } from '../index.ts'
import type { StackInput } from '../index.ts'
import { imageOrder, parseStack } from './checks.ts'
import { isZone, regionNames, zoneNames } from './data/locations.ts'
import { isServerImage } from './schema.images.ts'

const server = { from: 'python3', python: ['moshi-server'], files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' }, user: 'moshi', health: { path: '/healthz', port: 8080 } }
const stack = defineStack({
  project: { id: 'moshi-3', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  apis: ['texttospeech.googleapis.com', 'speech.googleapis.com', 'translate.googleapis.com'],
  package: { source: './server', repository: 'pypi' },
  images: { 'moshi-srv': server, python3: { debian: 'bookworm', packages: ['python3', 'python3-venv', 'gunicorn'] } },
  serviceAccounts: { 'artifact-reader': { roles: ['roles/artifactregistry.reader'] }, 'moshi-srv-sa': { roles: ['roles/datastore.user', 'roles/secretmanager.secretAccessor'] } },
  buckets: { 'moshi-storage': { objects: { 'entrypoint.sh': './entrypoint.sh' } } },
  dev: { image: 'moshi-srv', machineType: 'e2-small' },
  server: { image: 'moshi-srv', machineType: 'e2-micro', size: 2, strategy: 'rolling', domains: ['dev.chatmoshi.com'] },
  github: { repository: 'OWNER/REPO', branch: 'main' },
  firestore: { location: 'nam5' },
  auth: { providers: ['email'] },
  dns: { zone: 'chatmoshi.com' },
})

const index = {
  collectionGroup: 'lessons',
  fields: [
    { fieldPath: 'user', order: 'ASCENDING' },
    { fieldPath: 'time', order: 'DESCENDING' },
  ],
}

/** The stack with one value replaced (or, without a value, removed) at a path of keys. */
function changed(path: readonly (string | number)[], value?: unknown): unknown {
  const copy = structuredClone(stack) as unknown
  let place = copy as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) place = place[key] as Record<string | number, unknown>
  const last = path.at(-1) ?? ''
  if (value === undefined) delete place[last]
  else place[last] = value
  return copy
}

function problem(input: unknown): string {
  try {
    parseStack(input)
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `${String(error.code)} ${error.message}`
    throw error
  }
  return 'no problem'
}

describe('a good stack', () => {
  test('is taken, with the documented defaults filled in', () => {
    const config = parseStack(stack)
    expect(config.project.name).toBe('moshi-3')
    expect(config.buckets['moshi-storage']?.location).toBe('us-central1')
    expect(config.dev).toEqual({ image: 'moshi-srv', name: 'moshi-srv-dev', machineType: 'e2-small', metadata: {}, labels: {} })
    const image = config.images['moshi-srv']
    expect(image !== undefined && isServerImage(image) && image.entrypoint).toBe('/opt/moshi/entrypoint.sh')
    expect(imageOrder(config)).toEqual(['python3', 'moshi-srv'])
  })

  test('needs little', () => {
    const small: StackInput = {
      project: { id: 'moshi-3' },
      location: { region: 'europe-west1' },
      images: { base: { debian: 'trixie' }, srv: { from: 'base', entrypoint: '/usr/bin/true' } },
    }
    expect(parseStack(small)).toMatchObject({
      location: { zone: 'europe-west1-b' },
      apis: [],
      package: { source: './server', repository: 'pypi' },
      images: { base: { packages: [] }, srv: { python: [], files: {}, user: 'app', environment: {}, health: { path: '/healthz', port: 8080, timeoutSeconds: 600 } } },
      serviceAccounts: {},
      buckets: {},
    })
  })

  test('sections say what they do without being told', () => {
    const config = parseStack({ ...(changed(['firestore', 'indexes'], [index]) as object), secrets: { token: { from: 'env:TOKEN', accessors: ['moshi-srv-sa'] } } })
    expect(config.firestore).toEqual({ location: 'nam5', deleteProtection: true, indexes: [{ ...index, queryScope: 'COLLECTION' }] })
    expect(config.auth).toEqual({ providers: ['email'], authorizedDomains: [] })
    expect(config.secrets).toEqual({ token: { from: 'env:TOKEN', accessors: ['moshi-srv-sa'], oldVersions: 'disable' } })
  })

  test('python names are kept in the form of PEP 503', () => {
    const config = parseStack(changed(['images', 'moshi-srv', 'python'], ['Moshi_Server']))
    expect(config.images['moshi-srv']).toMatchObject({ python: ['moshi-server'] })
  })
})

describe('bad input is named with its key path', () => {
  const cases: readonly (readonly [path: readonly (string | number)[], value: unknown, message: string])[] = [
    [['images', 'moshi-srv', 'health', 'port'], 'x', 'images.moshi-srv.health.port: expected a number between 1 and 65535, got "x"'],
    [['images', 'moshi-srv', 'health', 'port'], 70_000, 'images.moshi-srv.health.port: expected a number between 1 and 65535, got 70000'],
    [['images', 'moshi-srv', 'health', 'port'], 80.5, 'images.moshi-srv.health.port: expected a number between 1 and 65535, got 80.5'],
    [['images', 'moshi-srv', 'helth'], {}, 'images.moshi-srv.helth: unknown key; did you mean "health"?'],
    [['images', 'python3', 'files'], {}, 'images.python3.files: unknown key; known here: debian, packages'],
    [['images', 'moshi-srv', 'debian'], 'bookworm', 'images.moshi-srv: expected an image with either "debian"'],
    [['images', 'python3', 'debian'], 'bookwurm', 'images.python3.debian: expected one of "bullseye", "bookworm", "trixie", got "bookwurm"; did you mean "bookworm"?'],
    [['images', 'Base'], { debian: 'bookworm' }, 'images.Base: expected a name of 1 to 63'],
    [['images'], {}, 'images: expected at least one image'],
    [['images', 'moshi-srv', 'from'], 'python', 'images.moshi-srv.from: expected an image of this config, got "python"; did you mean "python3"?'],
    [['images', 'moshi-srv', 'user'], 'root', 'images.moshi-srv.user: the server may not run as root'],
    [['images', 'moshi-srv', 'files'], { './e': 'opt/e' }, 'images.moshi-srv.files["./e"]: expected an absolute path in the image'],
    [['images', 'moshi-srv', 'files'], { './e': '/opt/../etc/passwd/entrypoint.sh' }, 'images.moshi-srv.files["./e"]: expected an absolute path in the image'],
    [['images', 'moshi-srv', 'files'], {}, 'images.moshi-srv.entrypoint: expected the path in the image of the program to start, since no file'],
    [
      ['images', 'moshi-srv', 'files', './other.sh'],
      '/opt/moshi/entrypoint.sh',
      'images.moshi-srv.entrypoint: expected the path in the image of the program to start, since several files',
    ],
    [['images', 'moshi-srv', 'files', './other'], '/opt/moshi-srv/venv/bin/x', 'images.moshi-srv.files["./other"]: files cannot be put into /opt/moshi-srv/venv'],
    [
      ['images', 'moshi-srv', 'files', './other'],
      '/opt/moshi',
      'images.moshi-srv.files["./other"]: /opt/moshi and /opt/moshi/entrypoint.sh (from ./entrypoint.sh) cannot both be files',
    ],
    [['images', 'moshi-srv', 'engine'], 'docker', 'images.moshi-srv.engine: expected'],
    [['images', 'python3', 'engine'], 'packer', 'images.moshi-srv.engine: expected "packer", since Packer makes "python3"'],
    [['images', 'moshi-srv', 'python'], ['moshi-server', 'moshi_server'], 'images.moshi-srv.python[1]: "moshi-server" is in the list already'],
    [['images', 'moshi-srv', 'python'], ['moshi server'], 'images.moshi-srv.python[0]: expected the name of a Python package, got "moshi server"'],
    [['images', 'moshi-srv', 'environment'], { PORT: '1' }, 'images.moshi-srv.environment.PORT: PORT and names that start with KILN_ are set by Kiln'],
    [['location', 'region'], 'us-centrall', 'location.region: expected a Google Cloud region such as us-central1, got "us-centrall"; did you mean "us-central1"?'],
    [['location', 'zone'], 'us-east1-b', 'location.zone: expected a zone of us-central1 (us-central1-a'],
    [['location', 'zone'], 'us-central1-z', 'location.zone: expected a Google Cloud zone such as us-central1-c, got "us-central1-z"; did you mean "us-central1-a"?'],
    [['project', 'id'], 'Moshi', 'project.id: expected a project id'],
    [['project', 'id'], undefined, 'project.id: expected a project id (6 to 30 lower-case letters, digits and hyphens, first a letter, last no hyphen), but it is missing'],
    [['project', 'billingAccount'], '1', 'project.billingAccount: expected a billing account id'],
    [['project'], 'moshi-3', 'project: expected an object: { id, name, billingAccount }, got "moshi-3"'],
    [['apis', 0], 'speech', 'apis[0]: expected the full name of a Google API'],
    [['apis'], 'speech.googleapis.com', 'apis: expected a list of API names, got "speech.googleapis.com"'],
    [['serviceAccounts', 'ab'], {}, 'serviceAccounts.ab: expected a service account name'],
    [['serviceAccounts', 'artifact-reader', 'roles'], ['reader'], 'serviceAccounts.artifact-reader.roles[0]: expected a role'],
    [['buckets', 'goog-moshi'], {}, 'buckets.goog-moshi: expected a bucket name'],
    [['buckets', 'moshi-storage', 'location'], 'mars', 'buckets.moshi-storage.location: expected a region'],
    [['dev', 'image'], 'python3', 'dev.image: "python3" has no server in it; expected an image that is made with "from": moshi-srv'],
    [['dev', 'image'], 'moshi-sv', 'dev.image: expected an image of this config, got "moshi-sv"; did you mean "moshi-srv"?'],
    [['dev', 'machineType'], 'small', 'dev.machineType: expected a machine type'],
    [['dev', 'serviceAccount'], 'moshi-srv-s', 'dev.serviceAccount: expected an account of `serviceAccounts`, got "moshi-srv-s"; did you mean "moshi-srv-sa"?'],
    [['dev', 'metadata'], { 'a b': 'x' }, 'dev.metadata["a b"]: expected a metadata key'],
    [['dev', 'metadata'], { a: 3 }, 'dev.metadata.a: expected a text of at most 262144 bytes, got 3'],
    [['dev', 'labels'], { a: 'B' }, 'dev.labels.a: expected a label value'],
    [['server', 'size'], 0, 'server.size: expected a number between 1 and 1000, got 0'],
    [['github', 'repositoryId'], 'x', 'github.repositoryId: expected a GitHub repository id, digits as text such as "123456789"'],
    [['github', 'repositoryId'], 123, 'github.repositoryId: expected a GitHub repository id'],
    [['github', 'environment'], "it's", 'github.environment: expected the name of a GitHub environment'],
    [['github', 'branch'], "a'||true||'", 'github.branch: expected a branch name'],
    [['serviceAccounts', 'github-deployer'], {}, 'serviceAccounts.github-deployer: this account belongs to the section github'],
    [['firestore', 'indexes'], 7, 'firestore.indexes: expected a list of indexes, or the path of a file'],
    [['firestore', 'indexes'], [{ collectionGroup: 'a/b', fields: index.fields }], 'firestore.indexes[0].collectionGroup: expected the name of a collection'],
    [['firestore', 'indexes'], [{ collectionGroup: 'a', fields: [{ fieldPath: 'x', order: 'ASCENDING' }] }], 'firestore.indexes[0].fields: expected at least two fields'],
    [
      ['firestore', 'indexes'],
      [
        {
          collectionGroup: 'a',
          fields: [
            { fieldPath: 'x', order: 'ASCENDING' },
            { fieldPath: 'x', arrayConfig: 'CONTAINS' },
          ],
        },
      ],
      'firestore.indexes[0].fields: the field x is there twice',
    ],
    [
      ['firestore', 'indexes'],
      [
        {
          collectionGroup: 'a',
          fields: [
            { fieldPath: 'x', order: 'UP' },
            { fieldPath: 'y', order: 'ASCENDING' },
          ],
        },
      ],
      'firestore.indexes[0].fields[0].order: expected one of "ASCENDING", "DESCENDING", got "UP"',
    ],
    [['firestore', 'indexes'], [{ ...index, fields: [{ fieldPath: 'x' }, ...index.fields] }], 'firestore.indexes[0].fields[0]: expected either order or arrayConfig'],
    [['firestore', 'indexes'], [index, index], 'firestore.indexes[1]: is in the list already'],
    [['firestore', 'deleteProtection'], 'no', 'firestore.deleteProtection: expected true or false, got "no"'],
    [['auth', 'providers'], [], 'auth.providers: expected at least one way to sign in'],
    [['auth', 'providers'], ['email', 'email'], 'auth.providers[1]: "email" is in the list already'],
    [['auth', 'providers'], ['google'], 'auth.google: expected { clientId, clientSecret } for the provider "google", but it is missing'],
    [['auth', 'google'], { clientId: 'a', clientSecret: 'env:X' }, 'auth.google: "google" is not in auth.providers'],
    [['auth', 'authorizedDomains'], ['x'], 'auth.authorizedDomains[0]: expected a domain name'],
    [['auth'], { providers: ['google'], google: { clientId: 'a', clientSecret: 'shh' } }, 'auth.google.clientSecret: expected where the value is: "env:VARIABLE" or "file:./path"'],
    [['secrets'], { token: { from: 'correct horse' } }, 'secrets.token.from: expected where the value is: "env:VARIABLE" or "file:./path"'],
    [['secrets'], { 'a b': { from: 'env:X' } }, 'secrets["a b"]: expected a secret name'],
    [
      ['secrets'],
      { token: { from: 'env:X', accessors: ['moshi-srv-s'] } },
      'secrets.token.accessors[0]: expected an account of `serviceAccounts`, got "moshi-srv-s"; did you mean "moshi-srv-sa"?',
    ],
    [['secrets'], { token: { from: 'env:X', oldVersions: 'burn' } }, 'secrets.token.oldVersions: expected one of "disable", "destroy", "keep"'],
    [['github', 'repository'], 'kiln', 'github.repository: expected a GitHub repository as OWNER/REPO'],
    [['dns', 'zone'], 'chatmoshi', 'dns.zone: expected a domain name'],
    [['fire-store'], {}, 'fire-store: unknown key; did you mean "firestore"?'],
  ]
  test.each(cases)('%j = %j', (path, value, message) => {
    expect(problem(changed(path, value))).toContain(`E_CONFIG_INVALID ${message}`)
  })

  test('several problems are all listed', () => {
    const input = { ...stack, project: { id: 'X' }, nope: 1 }
    expect(() => parseStack(input)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('kiln.config.ts has 2 problems; the first: project.id'), detail: expect.stringContaining('nope: unknown key') }),
    )
  })

  test('a circle of images is named', () => {
    expect(problem({ ...stack, images: { ...stack.images, python3: { from: 'moshi-srv', entrypoint: '/x' } } })).toContain(
      'E_CONFIG_CYCLE images.moshi-srv.from: the images are made from each other in a circle: moshi-srv -> python3 -> moshi-srv',
    )
  })

  test.each([[3], [null], [[]], ['x']])('not a stack at all: %j', (input) => {
    expect(problem(input)).toContain('E_CONFIG_INVALID the config: expected a stack')
  })
})

test.each([
  'e2-micro',
  'e2-small',
  'f1-micro',
  'n2-standard-4',
  'c3-standard-4-lssd',
  'e2-custom-2-4096',
  'custom-2-4096',
  'n2d-highmem-8',
  'a2-highgpu-1g',
  'm1-ultramem-40',
  't2a-standard-1',
])('machine type %s is taken', (machineType) => {
  expect(problem(changed(['dev', 'machineType'], machineType))).toBe('no problem')
})

test('every region has zones, and every zone is known', () => {
  expect(regionNames().length).toBeGreaterThan(40)
  for (const region of regionNames()) {
    expect(zoneNames(region).length).toBeGreaterThanOrEqual(3)
    expect(zoneNames(region).every((zone) => isZone(zone))).toBe(true)
  }
})

test('the nearest word', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('helth', 'helht')).toBe(1)
  expect(nearest('helth', ['path', 'health'])).toBe('health')
  expect(nearest('zebra', ['path', 'health'])).toBeUndefined()
})
