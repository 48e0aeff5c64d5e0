/** For this room's tests: the ports of other rooms as plain maps, archives to import, and calls that wait for their operation. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { mkdir, mkdtemp, open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { expect } from 'vitest'
import { sha256Hex } from '../../../base/ids.ts'
import { GIB, KIB, MIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { removeAll } from '../../../host/files.ts'
import type { ObjectInfo } from '../../kernel/ports.ts'
import { kilnHome } from '../../../host/home.ts'
import { createFakeDriver } from '../../../vm/fake/driver.ts'
import type { FakeDriver } from '../../../vm/fake/driver.ts'
import { serveMetadata } from '../../../vm/metadata-server.ts'
import type { Room } from '../../kernel/room.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createComputeRoom } from './index.ts'
import type { ComputeDeps } from './index.ts'

export const api = 'compute.googleapis.com/compute/v1/projects/p-one'
export const zone = `${api}/zones/us-central1-c`

export interface FakeWorld {
  /** `bucket/object` -> file on disk. */
  readonly objects: Map<string, string>
  /** Accounts that exist; true: disabled. */
  readonly accounts: Map<string, boolean>
  /** While set, reading an object ends after this many bytes and never finishes. */
  stallAfterBytes?: number
  /** Called when the next daemon starts, before the compute room does: what happens while no daemon is there. */
  whileDown?: () => Promise<void>
}

/** A room that provides what the storage and iam rooms would. */
export function portsRoom(world: FakeWorld): Room {
  return {
    id: 'toyports',
    service: 'toyports.googleapis.com',
    hosts: [{ name: 'api', match: 'toyports.googleapis.com' }],
    migrations: { namespace: 'toyports', steps: [] },
    routes(kernel) {
      kernel.ports.provide('objects', {
        stat(bucket, name): ObjectInfo | undefined {
          const path = world.objects.get(`${bucket}/${name}`)
          return path === undefined ? undefined : { bucket, name, generation: '1', sizeBytes: statSync(path).size, sha256: sha256Hex(path), projectId: 'p-one' }
        },
        read(object) {
          const path = world.objects.get(`${object.bucket}/${object.name}`) ?? ''
          if (world.stallAfterBytes === undefined) return createReadStream(path)
          const stalled = new PassThrough()
          createReadStream(path, { end: world.stallAfterBytes }).pipe(stalled, { end: false })
          return stalled
        },
      })
      kernel.ports.provide('serviceAccounts', {
        find: (email) =>
          world.accounts.has(email)
            ? { email, uniqueId: `1${sha256Hex(email).replaceAll(/\D/g, '').slice(0, 19)}`, projectId: 'p-one', disabled: world.accounts.get(email) === true }
            : undefined,
        verifyKeyFile: async () => undefined,
        signJwt: async (email, claims) => `${email}.${JSON.stringify(claims)}`,
      })
      return []
    },
    start: async () => world.whileDown?.(),
  }
}

export interface Archives {
  readonly folder: string
  readonly rawSha256: string
  readonly sparse: string
  /** Holds `other.img` instead of disk.raw. */
  readonly wrongName: string
  readonly oddSize: string
  /** Without holes: takes seconds to make. */
  plain(): Promise<string>
  remove(): Promise<void>
}

/** A 1 GiB disk with some data in it, as the archives that `tar` makes. */
export async function makeArchives(): Promise<Archives> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-archives-'))
  const raw = join(folder, 'disk.raw')
  const file = await open(raw, 'w')
  for (const [index, offset] of [0, 4096 * 77, 3 * MIB + 512, GIB - 4096].entries()) await file.write(Buffer.alloc(4096, `data ${index} `), 0, 4096, offset)
  // Enough separate pieces that the sparse map needs more than one extension block.
  for (let index = 0; index < 60; index += 1) await file.write(Buffer.from(`piece ${index}`), 0, undefined, 5 * MIB + index * 64 * KIB)
  await file.truncate(GIB)
  await file.close()
  const odd = join(folder, 'odd')
  await mkdir(odd)
  await writeFile(join(odd, 'disk.raw'), Buffer.alloc(5000))
  const tar = async (name: string, args: readonly string[]): Promise<string> => {
    const path = join(folder, name)
    await run({ program: 'tar', args: ['-C', folder, '--use-compress-program', 'gzip -1', '-cf', path, ...args] })
    return path
  }
  return {
    folder,
    rawSha256: await sha256File(raw),
    sparse: await tar('sparse.tar.gz', ['--format=oldgnu', '--sparse', 'disk.raw']),
    wrongName: await tar('wrong.tar.gz', ['--format=oldgnu', '--sparse', '--transform', 's/disk.raw/other.img/', 'disk.raw']),
    oddSize: await tar('odd.tar.gz', ['--format=oldgnu', '-C', odd, 'disk.raw']),
    plain: () => tar('plain.tar.gz', ['--format=gnu', 'disk.raw']),
    remove: () => removeAll(folder),
  }
}

/** Hex. */
export async function sha256File(path: string): Promise<string> {
  const sha256 = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) sha256.update(chunk as Buffer)
  return sha256.digest('hex')
}

/** Calls, expects an operation, waits for it as gcloud does, and gives it when it is DONE. */
export async function operate(cloud: TestCloud, method: string, path: string, body?: unknown, token?: string): Promise<CallResult['json']> {
  const started = await cloud.call(method, path, { ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) })
  expect(started.status, started.text).toBe(200)
  expect(started.json.kind).toBe('compute#operation')
  const place = started.json.selfLink.replace('https://www.googleapis.com/', 'www.googleapis.com/')
  const done = await cloud.call('POST', `${place}/wait`)
  expect(done.json.status, done.text).toBe('DONE')
  return done.json
}

/** The same, and the operation must have no error. */
export async function succeed(cloud: TestCloud, method: string, path: string, body?: unknown): Promise<CallResult['json']> {
  const done = await operate(cloud, method, path, body)
  expect(done.error, JSON.stringify(done.error)).toBeUndefined()
  return done
}

/** An image that is there at once: made from an import of the sparse archive. */
export async function importImage(cloud: TestCloud, name: string, fields: object = {}): Promise<void> {
  await succeed(cloud, 'POST', `${api}/global/images`, { name, rawDisk: { source: 'https://storage.googleapis.com/storage/v1/b/up/o/sparse.tar.gz' }, ...fields })
}

/** The body that gcloud sends for `instances create NAME --image-family=srv`, shortened. */
export function instanceBody(name: string, fields: object = {}): object {
  return {
    name,
    machineType: 'https://compute.googleapis.com/compute/v1/projects/p-one/zones/us-central1-c/machineTypes/e2-small',
    disks: [
      {
        autoDelete: true,
        boot: true,
        initializeParams: { sourceImage: 'https://compute.googleapis.com/compute/v1/projects/p-one/global/images/family/srv' },
        mode: 'READ_WRITE',
        type: 'PERSISTENT',
      },
    ],
    networkInterfaces: [{ accessConfigs: [{ name: 'external-nat', type: 'ONE_TO_ONE_NAT' }], network: 'global/networks/default' }],
    metadata: { items: [null, null, { key: 'greeting', value: 'hello' }] },
    ...fields,
  }
}

export interface ComputeCloud {
  readonly cloud: TestCloud
  readonly driver: FakeDriver
  readonly world: FakeWorld
  readonly archives: Archives
  /** Memory that the host has left. */
  availableMib: number
  readonly home: ReturnType<typeof kilnHome>
  /** The JSON of a GET that succeeds. */
  get(path: string): Promise<CallResult['json']>
  close(): Promise<void>
}

/** A cloud with this room over the fake driver: project `p-one` with the account `srv` and the image `srv-1` of the family `srv`. */
export async function startComputeCloud(deps: Partial<ComputeDeps> = {}): Promise<ComputeCloud> {
  const archives = await makeArchives()
  const world: FakeWorld = { objects: new Map(), accounts: new Map([['srv@p-one.iam.gserviceaccount.com', false]]) }
  for (const name of ['sparse', 'wrongName', 'oddSize'] as const) world.objects.set(`up/${name}.tar.gz`, archives[name])
  const driver = createFakeDriver()
  const cloud = await startTestCloud(() => [portsRoom(world), createComputeRoom({ driver, serveMetadata, availableMemoryMib: async () => bed.availableMib, ...deps })])
  const bed: ComputeCloud = {
    cloud,
    driver,
    world,
    archives,
    availableMib: 100_000,
    home: kilnHome({ KILN_HOME: cloud.folder }),
    async get(path) {
      const answer = await cloud.call('GET', path)
      expect(answer.status, answer.text).toBe(200)
      return answer.json
    },
    async close() {
      await cloud.close()
      await archives.remove()
    },
  }
  cloud.addProject('p-one')
  await importImage(cloud, 'srv-1', { family: 'srv', guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }], labels: { key: 'abc' } })
  return bed
}
