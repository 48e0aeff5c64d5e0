/** What is in Kiln's data folder before its daemon is measured, written by the code that the daemon runs. Nothing may serve the folder meanwhile. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pino } from 'pino'
import { KIB } from '../../src/base/units.ts'
import { openKernel } from '../../src/cloud/kernel/kernel.ts'
import type { Kernel } from '../../src/cloud/kernel/kernel.ts'
import { serviceAccountPrincipal } from '../../src/cloud/kernel/principal.ts'
import { selfLink } from '../../src/cloud/rooms/compute/links.ts'
import { head } from '../../src/cloud/rooms/compute/shapes.ts'
import { computeMigrations, createComputeStore } from '../../src/cloud/rooms/compute/store.ts'
import { createServices } from '../../src/cloud/rooms/storage/service.ts'
import { createObjectStore } from '../../src/cloud/rooms/storage/store.objects.ts'
import { storageMigrations } from '../../src/cloud/rooms/storage/store.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { filesBucket, manyBucket, manyName, project, transferBucket, zone } from './workloads.ts'

const account = serviceAccountPrincipal(`reader@${project}.iam.gserviceaccount.com`)
const BATCH = 20_000

async function withKernel<T>(home: KilnHome, work: (kernel: Kernel) => Promise<T>): Promise<T> {
  const kernel = await openKernel({ home, log: pino({ level: 'silent' }), rootUrl: () => 'http://127.0.0.1:0' })
  try {
    return await work(kernel)
  } finally {
    await kernel.close()
  }
}

/** A project with buckets and instances. Returns the access token of a service account that has three roles on the project. */
export async function seedProject(home: KilnHome): Promise<string> {
  return withKernel(home, async (kernel) => {
    kernel.database.migrate(storageMigrations)
    kernel.database.migrate(computeMigrations)
    kernel.projects.insert({ projectId: project, projectNumber: '100000000001', displayName: project, labels: {}, state: 'ACTIVE', createTime: new Date().toISOString() })
    for (const service of ['storage', 'compute', 'artifactregistry']) kernel.projects.setService(project, `${service}.googleapis.com`, true)
    for (const role of ['roles/storage.admin', 'roles/compute.viewer', 'roles/artifactregistry.reader']) kernel.policies.grant(`projects/${project}`, role, account.member)
    const { buckets } = createServices(kernel)
    for (const name of [filesBucket, transferBucket, manyBucket]) buckets.create(project, { name, location: 'US-CENTRAL1' })
    kernel.database.transaction(() => addInstances(kernel, 20))
    return kernel.tokens.mint(account, { lifetimeSeconds: 12 * 3600 }).accessToken
  })
}

/** Instances that are stopped, so that no machine is started. */
function addInstances(kernel: Kernel, count: number): void {
  const store = createComputeStore(kernel.database)
  for (let index = 0; index < count; index += 1) {
    const key = { projectId: project, scope: `zones/${zone}`, collection: 'instances', name: `server-${index}` }
    const id = String(1_000_000_000_000_000_000n + BigInt(index))
    const link = (scope: string, collection: string, name: string): string => selfLink({ projectId: project, scope, collection, name })
    const disk = {
      kind: 'compute#attachedDisk',
      type: 'PERSISTENT',
      mode: 'READ_WRITE',
      source: link(key.scope, 'disks', key.name),
      deviceName: 'persistent-disk-0',
      index: 0,
      boot: true,
      autoDelete: true,
      interface: 'SCSI',
      diskSizeGb: '10',
    }
    const nic = {
      kind: 'compute#networkInterface',
      name: 'nic0',
      network: link('global', 'networks', 'default'),
      subnetwork: link('regions/us-central1', 'subnetworks', 'default'),
      networkIP: `10.128.0.${index + 2}`,
      accessConfigs: [{ kind: 'compute#accessConfig', type: 'ONE_TO_ONE_NAT', name: 'external-nat', networkTier: 'PREMIUM' }],
    }
    const record = {
      ...head('instance', key, id),
      zone: link('global', 'zones', zone).replace('/global', ''),
      status: 'TERMINATED',
      machineType: link(key.scope, 'machineTypes', 'e2-small'),
      labels: { app: 'moshi', role: 'server' },
      tags: { items: ['http-server'], fingerprint: 'nYJLFVZvyAU=' },
      metadata: { kind: 'compute#metadata', fingerprint: 'nYJLFVZvyAU=', items: [{ key: 'enable-oslogin', value: 'FALSE' }] },
      disks: [disk],
      networkInterfaces: [nic],
    }
    store.insert({ ...key, id, record, hidden: { diskIds: [] } })
  }
}

/** Objects of one kibibyte, all with the same bytes: what counts is their metadata. Returns how many a second were written. */
export async function seedObjects(home: KilnHome, count: number, signal: AbortSignal): Promise<number> {
  return withKernel(home, async (kernel) => {
    const started = performance.now()
    const { database, blobs } = kernel
    const store = createObjectStore(database)
    const blob = await blobs.write([Buffer.alloc(KIB, 'one of many ')] as unknown as AsyncIterable<Uint8Array>)
    const timeCreated = new Date().toISOString()
    const fields = { storageClass: 'STANDARD', contentType: 'application/octet-stream', metadata: { origin: 'bench' } }
    for (let first = 0; first < count; first += BATCH) {
      signal.throwIfAborted()
      const generation = Date.now() * 1000
      database.transaction(() => {
        for (let index = first; index < Math.min(first + BATCH, count); index += 1) {
          const name = manyName(index)
          const { sha256, md5, crc32c, sizeBytes } = blob
          store.insert({
            bucket: manyBucket,
            name,
            generation: generation + index,
            metageneration: 1,
            sizeBytes,
            sha256,
            md5,
            crc32c,
            componentCount: undefined,
            timeCreated,
            updated: timeCreated,
            timeDeleted: undefined,
            fields,
          })
          blobs.retain(`storage/${manyBucket}/${name}/${generation + index}`, sha256)
        }
      })
      await nextTurn()
    }
    return count / ((performance.now() - started) / 1000)
  })
}
