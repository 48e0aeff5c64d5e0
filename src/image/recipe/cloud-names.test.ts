/** The program itself, under bash, against a metadata server and with files of its own. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readlink, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cloudNamesScript, cloudNamesUnit, trustEnvironment, trustLinksScript } from './cloud-names.ts'
import { baseGuestFiles, enabledUnits } from './guest-files.ts'

const execute = promisify(execFile)
const stockHosts = '127.0.0.1 localhost\n169.254.169.254 metadata.google.internal metadata\n'
const stockBundle = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

let folder: string
let port: number
let close: () => Promise<void>
let values: Record<string, string>
let refuse: boolean
let asked: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-names-'))
  values = {}
  refuse = false
  asked = []
  const server = createServer((request, response) => {
    asked.push(`${request.headers['metadata-flavor']} ${request.url}`)
    if (refuse) return void request.socket.destroy()
    const body = values[(request.url ?? '').replace(/^\/computeMetadata\/v1\/(kiln|instance)\//, '')]
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/text', 'Content-Length': Buffer.byteLength(body ?? 'no') })
    response.end(body ?? 'no')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  close = () => new Promise((resolve) => (server.listening ? server.close(() => resolve()) : resolve()))
  await writeFile(join(folder, 'names'), cloudNamesScript)
  await writeFile(join(folder, 'links'), trustLinksScript)
  await mkdir(join(folder, 'root/etc/ssl/certs'), { recursive: true })
  await write('etc/hosts', stockHosts)
  await write('etc/ssl/certs/ca-certificates.crt', stockBundle)
})

afterEach(async () => {
  await close()
  await rm(folder, { recursive: true })
})

const read = (path: string): Promise<string> => readFile(join(folder, 'root', path), 'utf8')
const write = (path: string, text: string): Promise<void> => writeFile(join(folder, 'root', path), text)

async function apply(): Promise<number> {
  try {
    await execute('bash', [join(folder, 'names'), join(folder, 'root'), '127.0.0.1', String(port)])
    await execute('bash', [join(folder, 'links'), join(folder, 'root')])
    return 0
  } catch (error) {
    return (error as { code: number }).code
  }
}

async function authority(name: string): Promise<string> {
  const { stdout } = await execute('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    '/dev/null',
    '-days',
    '2',
  ])
  return stdout
}

async function files(): Promise<Record<string, string>> {
  const paths = (await readdir(join(folder, 'root'), { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path.slice(join(folder, 'root').length + 1), await readFile(path, 'utf8')] as const)))
}

test('a cloud without own names, as Google, leaves every file as it is', async () => {
  const before = await files()
  expect(await apply()).toBe(0)
  expect(await files()).toEqual(before)
  expect(asked).toEqual(['trust', 'hosts'].map((name) => `Google /computeMetadata/v1/kiln/${name}`).concat('Google /computeMetadata/v1/instance/hostname'))
})

test('the machine has its name before any script of its user, unless it was given another', async () => {
  const file = 'proc/sys/kernel/hostname'
  await mkdir(join(folder, 'root/proc/sys/kernel'), { recursive: true })
  values = { hostname: 'web-1.us-central1-c.c.p-one.internal' }
  await write(file, 'localhost\n')
  expect(await apply()).toBe(0)
  expect(await read(file)).toBe('web-1\n')
  await write(file, 'by-hand\n')
  expect(await apply()).toBe(0)
  expect(await read(file)).toBe('by-hand\n')
  const scripts = baseGuestFiles('bookworm').filter((each) => /google-(startup|shutdown)-scripts.service.d/.test(each.path))
  expect(scripts.map((each) => each.content.includes('After=systemd-networkd.service kiln-names.service'))).toEqual([true, true])
})

test('names and trust are applied once, whatever the number of boots, and beside what others wrote', async () => {
  const pem = await authority('One')
  values = { trust: pem, hosts: '169.254.169.254 a.googleapis.com\n169.254.169.254 b.pkg.dev\n' }
  expect(await apply()).toBe(0)
  const applied = await files()
  expect(applied['etc/hosts']).toBe(
    `${stockHosts}# begin: from the metadata server\n169.254.169.254 a.googleapis.com\n169.254.169.254 b.pkg.dev\n# end: from the metadata server\n`,
  )
  expect(applied['etc/ssl/certs/ca-certificates.crt']).toBe(`${stockBundle}# begin: from the metadata server\n${pem}# end: from the metadata server\n`)
  expect(applied['usr/local/share/ca-certificates/kiln-cloud.crt']).toBe(pem)
  const hash = (await execute('openssl', ['x509', '-noout', '-hash', '-in', join(folder, 'root/etc/ssl/certs/kiln-cloud.pem')])).stdout.trim()
  expect(await readlink(join(folder, `root/etc/ssl/certs/${hash}.0`))).toBe('kiln-cloud.pem')
  await execute('openssl', ['verify', '-no-CAfile', '-CApath', join(folder, 'root/etc/ssl/certs'), join(folder, 'root/usr/local/share/ca-certificates/kiln-cloud.crt')])
  expect(await apply()).toBe(0)
  expect(await files()).toEqual(applied)
  await write('etc/hosts', `${applied['etc/hosts']}10.0.0.9 mine`)
  values['hosts'] = '169.254.169.254 c.googleapis.com\n'
  expect(await apply()).toBe(0)
  expect(await read('etc/hosts')).toBe(`${stockHosts}10.0.0.9 mine\n# begin: from the metadata server\n169.254.169.254 c.googleapis.com\n# end: from the metadata server\n`)
})

test('another authority takes the place of the former one; a cloud without own names gets the stock files back', async () => {
  const before = await files()
  const [first, second] = [await authority('One'), await authority('Two')]
  values = { trust: first, hosts: '169.254.169.254 a.googleapis.com\n' }
  await apply()
  // As update-ca-certificates leaves it: the authority without marks.
  await write('etc/ssl/certs/ca-certificates.crt', `${stockBundle}${first}`)
  expect(await apply()).toBe(0)
  expect((await read('etc/ssl/certs/ca-certificates.crt')).split(first)).toHaveLength(2)
  values['trust'] = second
  expect(await apply()).toBe(0)
  expect(await read('etc/ssl/certs/ca-certificates.crt')).toBe(`${stockBundle}# begin: from the metadata server\n${second}# end: from the metadata server\n`)
  expect((await readdir(join(folder, 'root/etc/ssl/certs'))).filter((name) => name.endsWith('.0'))).toHaveLength(1)
  values = {}
  expect(await apply()).toBe(0)
  expect(await files()).toEqual(before)
})

test('what a killed boot left is completed', async () => {
  values = { trust: await authority('One'), hosts: '169.254.169.254 a.googleapis.com\n' }
  await apply()
  const applied = await files()
  await write('etc/hosts', stockHosts)
  await write('etc/ssl/certs/ca-certificates.crt', `${stockBundle}# begin: from the metadata server\n${values['trust']?.slice(0, 40)}`)
  await rm(join(folder, 'root/etc/ssl/certs/kiln-cloud.pem'))
  expect(await apply()).toBe(0)
  expect(await files()).toEqual(applied)
})

test('no answer is a failure that changes nothing, so that the unit tries again', async () => {
  values = { trust: await authority('One'), hosts: '169.254.169.254 a.googleapis.com\n' }
  await apply()
  const applied = await files()
  refuse = true
  expect(await apply()).toBe(1)
  expect(await files()).toEqual(applied)
  expect(cloudNamesUnit).toMatch(/^Restart=on-failure$/m)
  await close()
  expect(await apply(), 'no server at all, as in a boot test').toBe(0)
  expect(await files()).toEqual(applied)
})

test('every image runs it, and points libraries with authorities of their own to the system', () => {
  const written = new Map(baseGuestFiles('bookworm').map((file) => [file.path, file]))
  expect(written.get('/usr/lib/kiln/names')).toMatchObject({ content: cloudNamesScript, mode: 0o755 })
  expect(cloudNamesUnit).toContain('ExecStart=/usr/lib/kiln/names\n')
  expect(enabledUnits.map(({ path }) => path)).toContain('/etc/systemd/system/kiln-names.service')
  for (const [name, value] of Object.entries(trustEnvironment)) {
    expect(written.get('/etc/environment')?.content).toContain(`${name}=${value}\n`)
    expect(written.get('/etc/systemd/system.conf.d/kiln.conf')?.content).toMatch(new RegExp(`^DefaultEnvironment=.*\\b${name}=${value}( |$)`, 'm'))
  }
})
