/**
 * Bakes from nothing, twice, into two data folders, and boots the result. Needs mmdebstrap, QEMU and the Debian archive.
 */
import { createServer } from 'node:http'
import { mkdir, mkdtemp, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Hex } from '../base/ids.ts'
import { run } from '../host/exec.ts'
import { kilnHome } from '../host/home.ts'
import { createQemuDriver } from '../vm/qemu/driver.ts'
import { createBaker } from './baker.ts'
import type { Baker, BakeResult } from './baker.ts'
import { bootTest } from './boot-test.ts'
import { asRoot } from './namespace.ts'
import { mergeLock } from './lock-file.ts'
import { packForCompute } from './pack.ts'
import type { BaseImageSpec, LockFile, PrivateIndex, ServerImageSpec } from './types.ts'
import type { BuiltWheel } from './wheel.ts'

const base: BaseImageSpec = { type: 'base', name: 'python3', suite: 'bookworm', packages: ['python3'] }
const token = 'token-of-the-test'

const pyproject = `[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "hello-server"
version = "0.1.0"

[project.scripts]
hello-server = "hello_server:main"

[tool.setuptools]
py-modules = ["hello_server"]
`
const program = `import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello from uid {os.getuid()}".encode()
        self.send_response(200 if self.path == "/healthz" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    print("hello is listening", flush=True)
    http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
`

interface Made {
  readonly baker: Baker
  readonly lock: LockFile
  readonly wheel: BuiltWheel
  readonly base: BakeResult
  readonly server: BakeResult
}

let folder = ''
const made: Made[] = []
const closers: (() => void)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-bake-'))
  await mkdir(join(folder, 'source'))
  await writeFile(join(folder, 'source/pyproject.toml'), pyproject)
  await writeFile(join(folder, 'source/hello_server.py'), program)
  const first = await makeAll(join(folder, 'home one'), undefined)
  made.push(first, await makeAll(join(folder, 'home-two'), first.lock))
})

afterAll(async () => {
  for (const close of closers) close()
  await run(asRoot({ program: 'rm', args: ['-rf', '--', folder] }))
})

/** An index with one wheel, as Artifact Registry asks for credentials. */
async function indexOf(wheel: BuiltWheel): Promise<PrivateIndex> {
  const expected = `Basic ${Buffer.from(`oauth2accesstoken:${token}`).toString('base64')}`
  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== expected) return response.writeHead(401, { 'www-authenticate': 'Basic' }).end()
    if (request.url === `/simple/${wheel.name}/`)
      return response.setHeader('content-type', 'text/html').end(`<a href="/files/${wheel.fileName}#sha256=${wheel.sha256}">${wheel.fileName}</a>`)
    if (request.url === `/files/${wheel.fileName}`) return response.end(await readFile(wheel.path))
    return response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}/simple/`, accessToken: async () => token }
}

function serverSpec(wheel: BuiltWheel): ServerImageSpec {
  const { name, version, fileName, sha256 } = wheel
  return {
    type: 'server',
    name: 'hello',
    from: base,
    packages: [],
    wheels: [{ name, version, fileName, sha256 }],
    files: [],
    user: 'hello',
    entrypoint: '/opt/hello/venv/bin/hello-server',
    port: 8080,
    environment: { GREETING: '100% "quoted"' },
  }
}

async function makeAll(root: string, lock: LockFile | undefined): Promise<Made> {
  const home = kilnHome({ KILN_HOME: root, HOME: root })
  const baker = createBaker({ home })
  const baseImage = await baker.bake(base, lock === undefined ? {} : { lock })
  let merged = mergeLock(lock ?? { version: 1, images: {} }, baseImage.lockAdditions)
  const wheel = await baker.buildWheel({ source: join(folder, 'source'), base, lock: merged })
  merged = mergeLock(merged, wheel.lockAdditions)
  const server = await baker.bake(serverSpec(wheel), { lock: merged, index: await indexOf(wheel) })
  return { baker, lock: mergeLock(merged, server.lockAdditions), wheel, base: baseImage, server }
}

function pair(): [Made, Made] {
  const [first, second] = made
  if (first === undefined || second === undefined) throw new Error('nothing was baked')
  return [first, second]
}

describe('two bakes from nothing', () => {
  test('give the same keys and the same bytes, for base image, wheel and server image', () => {
    const [first, second] = pair()
    expect(second.wheel.sha256).toBe(first.wheel.sha256)
    expect(second.base.key.key).toBe(first.base.key.key)
    expect(second.base.digest).toBe(first.base.digest)
    expect(second.server.key.key).toBe(first.server.key.key)
    expect(second.server.digest).toBe(first.server.digest)
    expect(second.lock).toEqual(first.lock)
    expect(first.base.sizeBytes % 2 ** 30).toBe(0)
  })

  test('nothing to do the second time, in well under a second; no index is asked', async () => {
    const [{ baker, lock, wheel, server }] = pair()
    const start = performance.now()
    const again = await baker.bake(serverSpec(wheel), { lock })
    expect(performance.now() - start).toBeLessThan(1000)
    expect(again).toMatchObject({ cached: true, digest: server.digest, changes: [] })
  })

  test('a plan says what a change would do, and the base image stays', async () => {
    const [{ baker, lock, wheel }] = pair()
    const spec = serverSpec(wheel)
    expect(await baker.plan(spec, lock)).toMatchObject({ cached: true, resolved: true, changes: [] })
    expect(await baker.plan({ ...spec, environment: { GREETING: 'hi' } }, lock)).toMatchObject({
      cached: false,
      changes: ['environment GREETING 100% "quoted" -> hi', 'system unit changed'],
    })
    expect(await baker.plan(base, lock)).toMatchObject({ cached: true })
  })

  test('neither the token nor pip is in the image, and no temporary folder is left', async () => {
    const [{ server }] = pair()
    const disk = await readFile(server.diskPath)
    expect(disk.includes(token)).toBe(false)
    expect(disk.includes('hello is listening')).toBe(true)
    const list = async (path: string): Promise<string> => (await run({ program: 'debugfs', args: ['-R', `ls -p ${path}`, `${server.diskPath}?offset=${49 * 2 ** 20}`] })).stdout
    expect(await list('/etc/ssh')).toContain('/sshd_config/')
    expect(await list('/etc/ssh')).not.toContain('ssh_host')
    expect(await list('/opt/hello/venv/bin')).toMatch(/\/hello-server\//)
    expect(await list('/opt/hello/venv/bin')).not.toContain('/pip')
    const cache = join(folder, 'home one', 'cache')
    expect(await readdir(join(cache, 'tmp'))).toEqual([])
    expect(await readdir(join(cache, 'locks'))).toEqual([])
  })

  test('archives for Compute Engine are equal and hold the disk', async () => {
    const [first, second] = pair()
    const one = await packForCompute(first.server.diskPath, join(folder, 'one.tar.gz'))
    const two = await packForCompute(second.server.diskPath, join(folder, 'two.tar.gz'))
    expect(two.sha256).toBe(one.sha256)
    await mkdir(join(folder, 'unpacked'))
    await run({ program: 'tar', args: ['-xzSf', one.path, '-C', join(folder, 'unpacked')] })
    expect(`sha256:${sha256Hex(await readFile(join(folder, 'unpacked/disk.raw')))}`).toBe(first.server.digest)
  })

  test('ext4 and GPT are clean', async () => {
    const [{ server }] = pair()
    await run({ program: 'sfdisk', args: ['--verify', server.diskPath] })
    const check = await run({ program: 'e2fsck', args: ['-fn', `${server.diskPath}?offset=${49 * 2 ** 20}`] })
    expect(check.stdout).toContain('kiln-root')
  })
})

describe('bad input', () => {
  test('Python packages that are not in the image are named, with who needs them', async () => {
    const [{ baker, lock }] = pair()
    const source = join(folder, 'needy')
    await mkdir(source)
    await writeFile(
      join(source, 'pyproject.toml'),
      pyproject.replace('version = "0.1.0"\n', 'version = "0.1.1"\ndependencies = ["no-such-package>=2", "unused; sys_platform == \'win32\'"]\n'),
    )
    await writeFile(join(source, 'hello_server.py'), program)
    const wheel = await baker.buildWheel({ source, base, lock })
    await expect(baker.bake({ ...serverSpec(wheel), name: 'needy' }, { lock, index: await indexOf(wheel) })).rejects.toMatchObject({
      code: 'E_BAKE',
      message: 'image needy lacks Python dependencies: hello-server needs no-such-package>=2, which is not in the image',
      hint: expect.stringContaining('packages'),
    })
  })

  test('a wrong hash, a wrong token and an entry point that is not there each say what is wrong', async () => {
    const [{ baker, lock, wheel }] = pair()
    const spec = serverSpec(wheel)
    const index = await indexOf(wheel)
    const forged = { ...spec, name: 'forged', wheels: [{ ...wheel, sha256: 'f'.repeat(64) }].map(({ name, version, fileName, sha256 }) => ({ name, version, fileName, sha256 })) }
    await expect(baker.bake(forged, { lock, index })).rejects.toMatchObject({ code: 'E_BAKE', message: expect.stringContaining('other bytes') })
    await expect(baker.bake({ ...spec, name: 'foreign' }, { lock, index: { ...index, accessToken: async () => 'wrong' } })).rejects.toMatchObject({ code: 'E_PERMISSION' })
    await expect(baker.bake({ ...spec, name: 'nowhere', entrypoint: '/opt/none' }, { lock, index })).rejects.toMatchObject({
      code: 'E_BAKE',
      message: expect.stringContaining('/opt/none'),
    })
  })

  test('a build that fails shows its output; an unknown Debian package is named', async () => {
    const [{ baker, lock, wheel }] = pair()
    const broken = join(folder, 'broken')
    await mkdir(broken)
    await writeFile(join(broken, 'pyproject.toml'), pyproject)
    await writeFile(join(broken, 'setup.py'), 'raise SystemExit("the reason of the failure")\n')
    await expect(baker.buildWheel({ source: broken, base, lock })).rejects.toMatchObject({ code: 'E_PACKAGE_BUILD', detail: expect.stringContaining('the reason of the failure') })
    await rename(join(broken, 'setup.py'), join(broken, 'other.py'))
    await expect(baker.buildWheel({ source: broken, base, lock })).rejects.toMatchObject({ code: expect.stringMatching(/E_PACKAGE_(BUILD|INVALID)/) })
    await expect(baker.bake({ ...serverSpec(wheel), packages: ['no-such-package-in-debian'] }, { lock, index: await indexOf(wheel) })).rejects.toMatchObject({
      code: 'E_BAKE',
      message: expect.stringContaining('no-such-package-in-debian'),
    })
  })

  test('a version that the archive does not have any more is named', async () => {
    const [{ baker, lock, wheel }] = pair()
    const entry = lock.images['python3/builder']
    if (entry === undefined) throw new Error('no entry for the builder')
    const stale = mergeLock(lock, { 'python3/builder': { ...entry, debian: entry.debian.map((item) => (item.name === 'python3-pip' ? { ...item, version: '0.0.1' } : item)) } })
    await expect(baker.bake({ ...serverSpec(wheel), name: 'stale' }, { lock: stale, index: await indexOf(wheel) })).rejects.toMatchObject({
      code: 'E_LOCK_STALE',
      message: expect.stringContaining('python3-pip'),
    })
  })
})

test('the server image boots, its server answers as its own user, and its log is on the serial port', async () => {
  const [{ server }] = pair()
  const home = kilnHome({ KILN_HOME: join(folder, 'home one'), HOME: folder })
  const report = await bootTest({ driver: createQemuDriver({ home }), disk: server.diskPath, health: { port: 8080, path: '/healthz' }, timeoutMs: 300_000 })
  expect(report).toMatchObject({ healthy: true })
  expect(report.answers.at(-1)).toBe('200 hello from uid 880')
  expect(report.serialTail).toContain('hello is listening')
  expect(`sha256:${sha256Hex(await readFile(server.diskPath))}`).toBe(server.digest)
})

test('the base image boots until SSH greets', async () => {
  const [first] = pair()
  const home = kilnHome({ KILN_HOME: join(folder, 'home one'), HOME: folder })
  const report = await bootTest({ driver: createQemuDriver({ home }), disk: first.base.diskPath, timeoutMs: 300_000 })
  expect(report).toMatchObject({ healthy: true, answers: expect.arrayContaining([expect.stringContaining('SSH-2.0')]) })
})
