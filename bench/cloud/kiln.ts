/** Kiln's side: the daemon as `kiln cloud start` runs it, a service account as the caller. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { makeForm, makeWheel, uploadParts } from '../../src/cloud/rooms/artifactregistry/python/testing.ts'
import { ownerToken } from '../../src/app/cloud/control.ts'
import { kilnHome } from '../../src/host/home.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { root } from '../../tools/imports.ts'
import { seedObjects, seedProject } from './kiln-data.ts'
import { startServer } from './server-process.ts'
import type { ServerProcess } from './server-process.ts'
import { downloadName, filesBucket, packageName, project, smallBody, smallObjects, storageLoads, transferBucket, workloads, zone } from './workloads.ts'
import type { Side } from './workloads.ts'

export interface KilnFacts {
  /** Resident memory of the daemon when it has just started. */
  readonly emptyBytes: number
  readonly startedWithManyBytes: number
  readonly seededPerSecond: number
  /** From the start of the process until it serves, with many objects. */
  readonly startMs: number
}

const STORAGE = '/storage.googleapis.com'
const INDEX = `/us-central1-python.pkg.dev/${project}/pypi`

/** Starts the daemon on an empty folder, fills it over HTTP, ends it, writes the many objects, and starts it again. */
export async function openKiln(options: {
  readonly folder: string
  readonly manyCount: number
  readonly bodyFile: (bodyBytes: number) => string
  readonly body: (bodyBytes: number) => Buffer
  readonly signal: AbortSignal
}): Promise<Side & { readonly facts: KilnFacts; readonly root: string; readonly headers: Readonly<Record<string, string>> }> {
  const { folder, manyCount, signal } = options
  const home = kilnHome({ KILN_HOME: join(folder, 'kiln') })
  await mkdir(home.root, { recursive: true })
  const token = await seedProject(home)
  const first = await startDaemon(home, folder, signal)
  const emptyBytes = (await first.memoryBytes()).now
  try {
    await fill(home, first.url, token, options.body, signal)
  } finally {
    await first.stop()
  }
  const seededPerSecond = await seedObjects(home, manyCount, signal)
  const started = performance.now()
  const server = await startDaemon(home, folder, signal)
  const startMs = performance.now() - started
  const headers = { authorization: `Bearer ${token}` }
  const loads = storageLoads(STORAGE, headers, options.bodyFile, () => manyCount)
  return {
    name: 'Kiln',
    server,
    root: STORAGE,
    headers,
    facts: { emptyBytes, startedWithManyBytes: (await server.memoryBytes()).now, seededPerSecond, startMs },
    load(workload) {
      if (workload === 'instances') return { method: 'GET', headers, paths: [`/compute.googleapis.com/compute/v1/projects/${project}/zones/${zone}/instances`] }
      if (workload === 'simple') return { method: 'GET', headers: { ...headers, accept: 'application/vnd.pypi.simple.v1+json' }, paths: [`${INDEX}/simple/${packageName}/`] }
      return loads[workload]()
    },
  }
}

async function startDaemon(home: KilnHome, folder: string, signal: AbortSignal): Promise<ServerProcess> {
  return startServer(
    {
      name: 'Kiln',
      program: { program: process.execPath },
      args: ['--disable-warning=ExperimentalWarning', join(root, 'src/app/cloud/daemon.ts'), '--port', '0'],
      env: { KILN_HOME: home.root },
      cwd: home.root,
      log: join(folder, 'kiln.log'),
      port: {
        ready(line) {
          const said = JSON.parse(line) as { readonly ready?: { readonly port: number }; readonly failed?: { readonly message: string } }
          if (said.ready === undefined) throw new Error(`the daemon did not start: ${said.failed?.message}`)
          return said.ready.port
        },
      },
    },
    signal,
  )
}

/** Over HTTP, as clients do it. */
async function fill(home: KilnHome, url: string, token: string, body: (bodyBytes: number) => Buffer, signal: AbortSignal): Promise<void> {
  const owner = (await ownerToken(home, url)).accessToken
  const send = async (path: string, init: RequestInit, as = token): Promise<Response> => {
    const response = await fetch(`${url}${path}`, { method: 'POST', ...init, headers: { authorization: `Bearer ${as}`, ...(init.headers as Record<string, string>) }, signal })
    if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
    return response
  }
  const upload = async (bucket: string, name: string, bytes: Buffer): Promise<unknown> =>
    send(`${STORAGE}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`, {
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/octet-stream' },
    })
  for (const [index, name] of smallObjects.entries()) await upload(filesBucket, name, smallBody(index))
  for (const { bodyBytes } of [workloads.downloadSmall, workloads.downloadLarge]) await upload(transferBucket, downloadName(bodyBytes), body(bodyBytes))
  const repository = JSON.stringify({ format: 'PYTHON', mode: 'MODE_UNSPECIFIED' })
  await send(
    `/artifactregistry.googleapis.com/v1/projects/${project}/locations/us-central1/repositories?repositoryId=pypi`,
    { body: repository, headers: { 'content-type': 'application/json' } },
    owner,
  )
  for (let minor = 0; minor < 20; minor += 1) {
    const wheel = makeWheel(packageName.replaceAll('-', '_'), `1.${minor}.0`, { requiresPython: '>=3.11' })
    const form = makeForm(uploadParts(wheel.filename, wheel.bytes, { name: packageName, version: `1.${minor}.0` }))
    await send(`${INDEX}/`, { body: form.body, headers: form.headers }, owner)
  }
}
