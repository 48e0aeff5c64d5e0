/** For the tests of warm starts: a cloud with an image whose guest can go on as somebody else, and what its fake machines did. */
import { mkdtemp, open, readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '../../../base/wait.ts'
import { GIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { removeAll } from '../../../host/files.ts'
import { warmPartition } from '../../../vm/warm-protocol.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { api, instanceBody, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

/** Read anew by each daemon of the bed. */
export interface WarmLimits {
  warmLimitBytes?: number
  idleMs?: () => Promise<number>
}

export interface Wish {
  readonly image?: string
  readonly items?: readonly { key: string; value: string }[]
  readonly disk?: object
  readonly moreDisks?: readonly object[]
  readonly fields?: object
}

export interface WarmBed {
  readonly bed: ComputeCloud
  readonly cloud: TestCloud
  /** For the test's own files; `disk.raw` in it is the image's disk. */
  readonly folder: string
  /** Where snapshots lie. */
  readonly warm: string
  /** Makes an image like `warm-1`, with bytes of its own. */
  makeMarked(name: string, fields?: object): Promise<void>
  body(name: string, wish?: Wish): object
  create(name: string, wish?: Wish): Promise<void>
  /** As `create`, and then until each snapshot that is wanted was made, or could not be. */
  createAndSettle(name: string, wish?: Wish): Promise<void>
  settle(): Promise<void>
  /** What the driver did in this test for machines and snapshots, without ids. */
  calls(): string[]
  callsOf(verb: string): string[]
  untilCall(text: string): Promise<void>
  serial(name: string): Promise<string>
  warmFiles(ending?: string): Promise<string[]>
  diskFile(name: string): Promise<string>
  /** Snapshots are not ended from now on, until the returned function is called. */
  hold(): () => void
  /** Before each test: no machines, no snapshots, no faults. */
  clean(): Promise<void>
  close(): Promise<void>
}

/** Who makes the machines of a managed group. */
export const inGroup = { items: [{ key: 'created-by', value: 'projects/1/zones/us-central1-c/instanceGroupManagers/web' }] }

/** A project with the marked image `warm-1`, and `srv-1`, which is not marked. */
export async function startWarmBed(limits: WarmLimits = {}): Promise<WarmBed> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-warm-test-'))
  const bed = await startComputeCloud(limits)
  const { cloud } = bed
  const warm = join(bed.home.cloud, 'warm')
  const held: (() => void)[] = []
  /** How many calls of the driver belong to earlier tests. */
  let past = 0
  await writeDisk(join(folder, 'disk.raw'), [warmPartition, 'kiln-root'])
  await run({ program: 'tar', args: ['-C', folder, '--format=oldgnu', '--sparse', '--use-compress-program', 'gzip -1', '-cf', join(folder, 'warm.tar.gz'), 'disk.raw'] })
  bed.world.objects.set('up/warm.tar.gz', join(folder, 'warm.tar.gz'))

  /** Of a disk, since an import reads all of it. */
  async function makeMarked(name: string, fields: object = {}): Promise<void> {
    await succeed(cloud, 'POST', `${api}/global/images`, { name, sourceDisk: 'zones/us-central1-c/disks/warm-origin', ...fields })
  }

  function body(name: string, wish: Wish = {}): object {
    const disk = { boot: true, autoDelete: true, initializeParams: { sourceImage: `global/images/${wish.image ?? 'warm-1'}`, ...wish.disk } }
    return instanceBody(name, { disks: [disk, ...(wish.moreDisks ?? [])], metadata: { items: wish.items ?? [] }, ...wish.fields })
  }

  async function create(name: string, wish: Wish = {}): Promise<void> {
    await succeed(cloud, 'POST', `${zone}/instances`, body(name, wish))
  }

  async function names(): Promise<readonly string[]> {
    return readdir(warm).catch(() => [])
  }

  /** What the driver was asked for, without what ends machines. */
  function recent(): readonly string[] {
    return bed.driver.calls.slice(past).filter((call) => !call.startsWith('kill') && !call.startsWith('stop'))
  }

  async function settle(): Promise<void> {
    await waitFor({ what: 'every wanted snapshot', timeoutMs: 10_000, intervalMs: 10 }, async () => {
      const notes = await Promise.all((await names()).filter((name) => name.endsWith('.notes')).map((name) => readFile(join(warm, name), 'utf8').catch(() => '')))
      return notes.some((text) => text.includes('wanted')) ? { done: false, status: notes.join(' ') } : { done: true, value: undefined }
    })
  }

  function release(): void {
    for (const end of held.splice(0)) end()
    bed.driver.holdSnapshots(Promise.resolve())
  }

  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'warm-1', rawDisk: { source: 'gs://up/warm.tar.gz' } })
  await succeed(cloud, 'POST', `${zone}/disks`, { name: 'warm-origin', sourceImage: 'global/images/warm-1' })
  return {
    bed,
    cloud,
    folder,
    warm,
    makeMarked,
    body,
    create,
    async createAndSettle(name, wish) {
      await create(name, wish)
      await settle()
    },
    settle,
    calls: () => recent().map((call) => call.replace(/-\d{6,}.*$/, '')),
    callsOf: (verb) => recent().filter((call) => call.startsWith(verb)),
    async untilCall(text) {
      await waitFor({ what: `the driver was asked to ${text}`, timeoutMs: 10_000, intervalMs: 10 }, async () =>
        recent().some((call) => call.startsWith(text)) ? { done: true, value: undefined } : { done: false, status: recent().join(', ') },
      )
    },
    serial: async (name) => (await bed.get(`${zone}/instances/${name}/serialPort`)).contents as string,
    warmFiles: async (ending = '.json') => (await names()).filter((name) => name.endsWith(ending)),
    diskFile: async (name) => join(bed.home.cloud, 'disks', `${(await bed.get(`${zone}/disks/${name}`)).id}.qcow2`),
    hold() {
      bed.driver.holdSnapshots(new Promise<void>((resolve) => held.push(resolve)))
      return release
    },
    async clean() {
      release()
      cloud.kernel().faults.clear()
      bed.driver.failSnapshots(undefined)
      bed.driver.setSeedProcessorMs(0)
      await settle()
      for (const instance of (await bed.get(`${zone}/instances`)).items ?? []) await succeed(cloud, 'DELETE', `${zone}/instances/${instance.name}`)
      await removeAll(warm)
      past = bed.driver.calls.length
    },
    async close() {
      release()
      await bed.close()
      await removeAll(folder)
    },
  }
}

/** A GiB with a partition table that has these names, and nothing else. */
async function writeDisk(path: string, names: readonly string[]): Promise<void> {
  const header = Buffer.alloc(92)
  header.write('EFI PART', 'latin1')
  header.writeBigUInt64LE(2n, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  const table = Buffer.alloc(128 * names.length)
  for (const [index, name] of names.entries()) table.write(name, 128 * index + 56, 'utf16le')
  const file = await open(path, 'w')
  await file.write(header, 0, header.length, 512)
  await file.write(table, 0, table.length, 1024)
  await file.truncate(GIB)
  await file.close()
}
