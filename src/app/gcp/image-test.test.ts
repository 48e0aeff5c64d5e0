/** The test of an image in the project: the script against a real server on this machine, the VM against the compute room. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { createComputeRoom } from '../../cloud/rooms/compute/index.ts'
import { createIamRoom } from '../../cloud/rooms/iam/index.ts'
import type { Vm } from '../../vm/driver.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import type { FakeDriver } from '../../vm/fake/driver.ts'
import { serveMetadata } from '../../vm/metadata-server.ts'
import { startupScript, testImage, testVmName, wordOf } from './image-test.ts'

let status = 200
const server = createServer((request, response) => {
  response.writeHead(request.url === '/health?x=it%27s' ? status : 404).end()
})
let port: number
let cloud: TestCloud
let driver: FakeDriver
let clients: Clients
const folders = new Map<string, string>()

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  driver = createFakeDriver()
  const watching = {
    ...driver,
    async start(folder: string, ...rest: Parameters<FakeDriver['start']> extends [string, ...infer More] ? More : never): Promise<Vm> {
      const vm = await driver.start(folder, ...rest)
      folders.set(rest[0].name, folder)
      return vm
    },
  }
  cloud = await startTestCloud(() => [createIamRoom(), createComputeRoom({ driver: watching, serveMetadata })])
  cloud.addProject('p')
  clients = createClients({ rootUrl: cloud.url(), accessToken: async () => cloud.ownerToken() })
})
afterAll(async () => {
  server.close()
  await cloud.close()
})
beforeEach(() => {
  status = 200
})

/** What the script prints. */
async function said(health: { readonly path: string; readonly port: number; readonly timeoutSeconds: number } | undefined): Promise<string> {
  const child = spawn('/bin/bash', ['-c', startupScript(health)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise((resolve) => child.once('close', resolve))
  return Buffer.concat(chunks).toString()
}

const path = `/health?x=it%27s`

test('the script says healthy when the server answers 200, and else its last answer', async () => {
  expect(await said({ path, port, timeoutSeconds: 30 })).toBe('kiln-image-test: healthy\n')
  status = 503
  expect(wordOf(await said({ path, port, timeoutSeconds: 2 }))).toBe('HTTP/1.1 503 Service Unavailable')
  expect(wordOf(await said({ path, port: 1, timeoutSeconds: 2 }))).toContain('Connection refused')
  expect(wordOf(await said(undefined))).toBe('healthy')
})

test('the word is found among what a machine says when it starts', () => {
  expect(wordOf('[  1.2] systemd[1]: Started.\r\n')).toBeUndefined()
  expect(wordOf('Nov 27 google_metadata_script_runner[412]: startup-script: kiln-image-test: healthy\r\nlogin:')).toBe('healthy')
})

/** An image of the project, of an empty disk. */
async function image(name: string): Promise<void> {
  const zone = 'compute.googleapis.com/compute/v1/projects/p/zones/us-central1-c'
  expect((await cloud.call('POST', `${zone}/disks`, { body: { name: `${name}-disk`, sizeGb: '1' } })).status).toBe(200)
  await settled(`${zone}/disks/${name}-disk`, 'READY')
  const made = await cloud.call('POST', 'compute.googleapis.com/compute/v1/projects/p/global/images', { body: { name, sourceDisk: `zones/us-central1-c/disks/${name}-disk` } })
  expect(made.status, made.text).toBe(200)
  await settled(`compute.googleapis.com/compute/v1/projects/p/global/images/${name}`, 'READY')
}

async function settled(url: string, wanted: string): Promise<void> {
  await waitFor({ what: `${url} is ${wanted}`, timeoutMs: 60_000, intervalMs: 20 }, async () => {
    const { json } = await cloud.call('GET', url)
    return json.status === wanted ? { done: true, value: undefined } : { done: false, status: String(json.status) }
  })
}

/** Runs the test of an image whose machine says `word`. */
async function run(name: string, word: string): Promise<unknown> {
  await image(name)
  folders.clear()
  const notes: string[] = []
  const running = testImage({
    clients,
    signal: new AbortController().signal,
    note: (text) => void notes.push(text),
    project: 'p',
    zone: 'us-central1-c',
    image: name,
    family: 'moshi-srv',
    health: { path: '/healthz', port: 8080, timeoutSeconds: 30 },
  }).then(
    () => notes.at(-1),
    (error: unknown) => error,
  )
  const vm = testVmName('moshi-srv')
  const folder = await waitFor<string>({ what: 'the machine runs', timeoutMs: 60_000, intervalMs: 20 }, async () => {
    const found = [...folders].find(([machine]) => machine.startsWith(`${vm}-`))?.[1]
    return found === undefined ? { done: false, status: [...folders.keys()].join(' ') } : { done: true, value: found }
  })
  await driver.writeSerial(folder, `startup-script: kiln-image-test: ${word}\r\n`)
  const outcome = await running
  const left = await cloud.call('GET', `compute.googleapis.com/compute/v1/projects/p/zones/us-central1-c/instances/${vm}`)
  expect(left.status, 'the VM is gone').toBe(404)
  return outcome
}

test('an image that says it is healthy passes, and its machine is gone', async () => {
  expect(await run('moshi-srv-0123456789abcdef', 'healthy')).toMatch(/^boot test passed: healthy after /)
})

test('one that does not fails with its answer and its serial log, and its machine is gone too', async () => {
  expect(await run('moshi-srv-fedcba9876543210', 'HTTP/1.1 503 Service Unavailable')).toMatchObject({
    code: 'E_BOOT_TEST',
    message: 'image moshi-srv did not become healthy within 30 s; last answer of /healthz: HTTP/1.1 503 Service Unavailable',
    detail: expect.stringContaining('startup-script: kiln-image-test'),
  })
})
