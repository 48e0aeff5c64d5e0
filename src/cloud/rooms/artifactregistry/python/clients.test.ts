/** Debian's own pip and twine against the index, in an environment that knows nothing of this machine's settings. Skipped, with the reason, where they are not installed. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../../../host/exec.ts'
import type { RunResult } from '../../../../host/exec.ts'
import { api, startTestIndex } from './test-index.ts'
import type { TestIndex } from './test-index.ts'
import { makeWheel } from './testing.ts'

const PYTHON = '/usr/bin/python3'
const hasPip = works(PYTHON, ['-m', 'pip', '--version'], 'python3-pip')
const hasTwine = works('/usr/bin/twine', ['--version'], 'twine')

function works(program: string, args: readonly string[], debianPackage: string): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    process.stdout.write(`skipped: ${[program, ...args].join(' ')} does not work here (apt-get install ${debianPackage})\n`)
    return false
  }
}

let index: TestIndex
let folder: string
let env: Record<string, string>

beforeAll(async () => {
  index = await startTestIndex()
  folder = await mkdtemp(join(tmpdir(), 'kiln-clients-'))
  env = { PATH: '/usr/bin:/bin', HOME: folder, LC_ALL: 'C.UTF-8', PIP_CONFIG_FILE: '/dev/null', PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1', PIP_RETRIES: '0' }
})
afterAll(async () => {
  await index.cloud.close()
  await rm(folder, { recursive: true, force: true })
})

function address(credentials: string): string {
  return `${index.cloud.url().replace('http://', `http://${credentials}`)}/us-central1-python.pkg.dev/p-one/pypi/`
}

function call(program: string, args: readonly string[]): Promise<RunResult> {
  return run({ program, args, env, cleanEnv: true }, { okCodes: [0, 1], timeoutMs: 50_000 })
}

function pip(verb: readonly string[], credentials: string): Promise<RunResult> {
  return call(PYTHON, ['-m', 'pip', ...verb, '--index-url', `${address(credentials)}simple/`])
}

// Every call starts a Python interpreter, which is slow on a busy machine.
describe.skipIf(!hasPip)('pip', { timeout: 180_000 }, () => {
  test('downloads and installs the newest fitting version; 401 without a token, 403 without the role', async () => {
    await index.uploadWheel('moshi_server', '1.0.0')
    const newest = await index.uploadWheel('moshi_server', '1.1.0')
    await index.uploadWheel('moshi_server', '2.0.0', { requiresPython: '>=99' })
    const downloads = join(folder, 'downloads')
    const owner = `oauth2accesstoken:${index.cloud.ownerToken()}@`
    const downloaded = await pip(['download', '--no-deps', '--dest', downloads, 'Moshi.Server'], owner)
    expect(downloaded).toMatchObject({ exitCode: 0 })
    expect(await readdir(downloads)).toEqual([newest.filename])
    expect((await readFile(join(downloads, newest.filename))).equals(newest.bytes)).toBe(true)

    const target = join(folder, 'installed')
    expect(await pip(['install', '--target', target, 'moshi-server==1.0.0'], owner)).toMatchObject({ exitCode: 0 })
    expect(await readFile(join(target, 'moshi_server', '__init__.py'), 'utf8')).toBe("VERSION = '1.0.0'\n")

    const anonymous = await pip(['download', '-vv', '--dest', downloads, 'moshi-server'], '')
    expect(anonymous.exitCode).toBe(1)
    expect(anonymous.stdout + anonymous.stderr).toContain('401 Client Error')
    const token = index.cloud.userToken('nobody@example.com')
    const denied = await pip(['download', '-vv', '--dest', downloads, 'moshi-server'], `oauth2accesstoken:${token}@`)
    expect(denied.exitCode).toBe(1)
    expect(denied.stdout + denied.stderr).toContain("403 Client Error: Permission 'artifactregistry.repositories.downloadArtifacts' denied")
    await index.cloud.call('POST', `${api}/repositories/pypi:setIamPolicy`, {
      body: { policy: { bindings: [{ role: 'roles/artifactregistry.reader', members: ['user:nobody@example.com'] }] } },
    })
    expect(await pip(['download', '--no-deps', '--dest', downloads, 'moshi-server'], `oauth2accesstoken:${token}@`)).toMatchObject({ exitCode: 0 })
  })

  test('refuses a file that is not what the index says', async () => {
    const wheel = await index.uploadWheel('swapped', '1.0.0')
    const other = makeWheel('swapped', '1.0.0', { requiresPython: '>=3' })
    const { database, blobs } = index.cloud.kernel()
    const row = database.get<{ sha256: string }>('SELECT sha256 FROM artifactregistry_files WHERE filename = ?', wheel.filename)
    await writeFile(blobs.path(row?.sha256 ?? ''), other.bytes)
    const answer = await pip(['download', '--no-deps', '--dest', join(folder, 'swapped'), 'swapped'], `oauth2accesstoken:${index.cloud.ownerToken()}@`)
    expect(answer.exitCode).toBe(1)
    expect(answer.stderr).toContain('THESE PACKAGES DO NOT MATCH THE HASHES')
  })
})

describe.skipIf(!hasTwine)('twine', { timeout: 180_000 }, () => {
  async function upload(path: string, token: string, ...more: string[]): Promise<RunResult> {
    return call('/usr/bin/twine', ['upload', '--non-interactive', '--disable-progress-bar', '--repository-url', address(''), '-u', 'oauth2accesstoken', '-p', token, ...more, path])
  }

  test('uploads, shows why it was refused, and recognises what is there already', async () => {
    const dist = join(folder, 'dist')
    await mkdir(dist)
    const wheel = makeWheel('twined', '1.0.0', { requiresPython: '>=3.9' })
    const path = join(dist, wheel.filename)
    await writeFile(path, wheel.bytes)
    const owner = index.cloud.ownerToken()
    expect(await upload(path, owner)).toMatchObject({ exitCode: 0 })
    expect((await index.cloud.call('GET', `us-central1-python.pkg.dev/p-one/pypi/twined/${wheel.filename}.metadata`)).text).toBe(wheel.metadata)
    expect(await upload(path, owner)).toMatchObject({ exitCode: 0 })
    await writeFile(path, makeWheel('twined', '1.0.0', { requiresPython: '>=3.10' }).bytes)
    const again = await upload(path, owner)
    expect(again.exitCode).toBe(1)
    expect(again.stdout + again.stderr).toContain('409 Conflict')
    expect((again.stdout + again.stderr).replace(/\s+/g, ' ')).toContain('File already exists: twined-1.0.0-py3-none-any.whl was uploaded before with other bytes')
    const denied = await upload(path, index.cloud.userToken('stranger@example.com'))
    expect((denied.stdout + denied.stderr).replace(/\s+/g, ' ')).toContain("Permission 'artifactregistry.repositories.uploadArtifacts' denied")
  })
})
