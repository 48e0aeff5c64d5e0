/** The package kind against the real registry; only building is replaced. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { startTestIndex } from '../../cloud/rooms/artifactregistry/python/test-index.ts'
import { makeWheel } from '../../cloud/rooms/artifactregistry/python/testing.ts'
import type { KindContext } from '../../engine/types.ts'
import { removeAll } from '../../host/files.ts'
import { pythonPackageKind } from './python-package.ts'
import type { BuiltWheel, PackageAttributes, PackageProps } from './python-package.ts'

let cloud: TestCloud
let folder: string

beforeAll(async () => {
  cloud = (await startTestIndex()).cloud
  folder = await mkdtemp(join(tmpdir(), 'kiln-package-kind-'))
})
afterAll(async () => {
  await cloud.close()
  await removeAll(folder)
})

let wheels = 0

/** A wheel as a build gives it; `code` makes other bytes of the same version. */
async function wheelOf(name: string, version: string, code = ''): Promise<BuiltWheel> {
  const { filename, bytes } = makeWheel(name.replaceAll('-', '_'), version, { extra: [{ name: 'code.py', data: code }] })
  wheels += 1
  const path = join(folder, String(wheels), filename)
  await mkdir(join(folder, String(wheels)))
  await writeFile(path, bytes)
  return { path, fileName: filename, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function contextOf(): KindContext<Clients> {
  const clients = createClients({
    rootUrl: cloud.url(),
    accessToken: async () => cloud.ownerToken(),
    retry: { attempts: 1 },
  })
  return { clients, progress: { note: () => {} }, signal: new AbortController().signal }
}

interface Run {
  readonly outcome: 'create' | 'update' | 'noop'
  readonly paths: readonly string[]
  readonly attributes: PackageAttributes
  readonly builds: number
}

/** What the engine does for a source of this version, built before or not. */
async function apply(
  name: string,
  version: string,
  wheel: BuiltWheel,
  options: { readonly built: boolean; readonly token?: string; readonly beforeUpload?: () => Promise<void> },
): Promise<Run> {
  let builds = 0
  const kind = pythonPackageKind({
    wantedVersion: version,
    async uploadToken() {
      await options.beforeUpload?.()
      return options.token ?? cloud.ownerToken()
    },
    async build() {
      builds += 1
      return wheel
    },
  })
  const given: PackageProps = { project: 'p-one', location: 'us-central1', repository: 'pypi', name, version, sourceDigest: 'f'.repeat(64) }
  const props = kind.parse(options.built ? { ...given, builtSha256: wheel.sha256 } : given)
  const context = contextOf()
  const observed = await kind.observe(context, kind.identity(props))
  if (observed === undefined) return { outcome: 'create', paths: [], attributes: await kind.create(context, props), builds }
  const differences = kind.diff(props, observed)
  if (differences.length === 0) return { outcome: 'noop', paths: [], attributes: observed, builds }
  return { outcome: 'update', paths: differences.map((each) => each.path), attributes: await kind.update(context, props, observed, differences), builds }
}

/** File name -> SHA-256, as pip sees it. */
async function published(name: string): Promise<Readonly<Record<string, string>>> {
  const index = await cloud.call('GET', `us-central1-python.pkg.dev/p-one/pypi/simple/${name}/`, { headers: { accept: 'application/vnd.pypi.simple.v1+json' } })
  const files = (index.json.files ?? []) as readonly { readonly filename: string; readonly hashes: { readonly sha256: string } }[]
  return Object.fromEntries(files.map((file) => [file.filename, file.hashes.sha256]))
}

test('publishes, keeps older versions, and finds nothing to do for what is published', async () => {
  const one = await wheelOf('moshi-server', '0.1.0')
  const first = await apply('moshi-server', '0.1.0', one, { built: false })
  expect(first).toMatchObject({
    outcome: 'create',
    builds: 1,
    attributes: { name: 'moshi-server', version: '0.1.0', fileName: one.fileName, sha256: one.sha256, indexUrl: `${cloud.url()}/us-central1-python.pkg.dev/p-one/pypi/simple/` },
  })
  expect(await apply('moshi-server', '0.1.0', one, { built: true })).toMatchObject({ outcome: 'noop', builds: 0, attributes: first.attributes })

  const two = await wheelOf('moshi-server', '0.2.0')
  expect(await apply('moshi-server', '0.2.0', two, { built: true })).toMatchObject({ outcome: 'update', paths: ['version'], attributes: { version: '0.2.0', sha256: two.sha256 } })
  const both = { [one.fileName]: one.sha256, [two.fileName]: two.sha256 }
  expect(await published('moshi-server')).toEqual(both)

  expect(await apply('moshi-server', '0.1.0', one, { built: true }), 'back to the older version').toMatchObject({ outcome: 'noop', builds: 0, attributes: first.attributes })
  expect(await published('moshi-server')).toEqual(both)
})

test('a source that this machine never built is compared by building it', async () => {
  const wheel = await wheelOf('elsewhere', '1.0')
  await apply('elsewhere', '1.0', wheel, { built: false })
  const again = await apply('elsewhere', '1.0', wheel, { built: false })
  expect(again).toMatchObject({ outcome: 'update', paths: ['wheel'], builds: 1, attributes: { sha256: wheel.sha256 } })
  expect(await published('elsewhere')).toEqual({ [wheel.fileName]: wheel.sha256 })
})

test.each([true, false])('other bytes under a published version are refused and nothing is lost (built before: %s)', async (built) => {
  const name = `taken-${String(built)}`
  const wheel = await wheelOf(name, '1.0')
  await apply(name, '1.0', wheel, { built: false })
  const other = await wheelOf(name, '1.0', 'changed = True')
  const error = await apply(name, '1.0', other, { built }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'E_PACKAGE_EXISTS', hint: expect.stringContaining('raise the version in pyproject.toml') as unknown })
  expect(String(error)).toContain(`${name} 1.0`)
  expect(await published(name)).toEqual({ [wheel.fileName]: wheel.sha256 })
})

test('the version is the one of the wheel where pyproject.toml has another form of it', async () => {
  const wheel = await wheelOf('spelled', '1.0b1')
  const made = await apply('spelled', '1.0-beta.1', wheel, { built: false })
  expect(made.attributes.version).toBe('1.0b1')
  expect(await apply('spelled', '1.0b1', wheel, { built: true })).toMatchObject({ outcome: 'noop', attributes: made.attributes })
  expect((await apply('spelled', '1.0-beta.1', wheel, { built: false })).attributes).toEqual(made.attributes)
})

test('an account without the role is refused, and the error names the role', async () => {
  const wheel = await wheelOf('refused', '1.0')
  const token = cloud.serviceAccountToken('reader@p-one.iam.gserviceaccount.com')
  const error = await apply('refused', '1.0', wheel, { built: false, token }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'E_PERMISSION', hint: expect.stringContaining('roles/artifactregistry.writer') as unknown })
  expect(await published('refused')).toEqual({})
})

test('an upload that meets its own bytes, sent by a try whose answer was lost, is a success', async () => {
  const wheel = await wheelOf('lost', '1.0')
  let tries = 0
  const made = await apply('lost', '1.0', wheel, {
    built: false,
    async beforeUpload() {
      tries += 1
      if (tries === 1) await apply('lost', '1.0', wheel, { built: false })
    },
  })
  expect(tries).toBe(1)
  expect(made.attributes).toMatchObject({ version: '1.0', sha256: wheel.sha256 })
  expect(await published('lost')).toEqual({ [wheel.fileName]: wheel.sha256 })
})

test('removing keeps what is published, since its repository owns it', async () => {
  const wheel = await wheelOf('kept', '1.0')
  await apply('kept', '1.0', wheel, { built: false })
  const kind = pythonPackageKind({ wantedVersion: '1.0', uploadToken: async () => '', build: async () => wheel })
  expect(kind.keepOnDestroy).toBe(true)
  await kind.remove(contextOf(), { project: 'p-one', location: 'us-central1', repository: 'pypi', name: 'kept' })
  expect(await published('kept')).toEqual({ [wheel.fileName]: wheel.sha256 })
})
