/**
 * A driver without machines, for tests of what is above this layer. It keeps each machine in its folder as the real one does, so that
 * adoption by a new driver instance can be tested. Two drivers see the same machine; nothing runs.
 */
import { randomInt } from 'node:crypto'
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { sameJson } from '../../base/json.ts'
import { sleep } from '../../base/wait.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { MakeOptions, PortForward, SerialChunk, SnapshotFiles, StartOptions, Vm, VmDriver, VmSpec, VmState } from '../driver.ts'
import { readSerialFile } from '../serial.ts'

/** What the "guest" does. The test decides. */
export interface FakeDriver extends VmDriver {
  /** The guest powers off by itself (clean), or the machine dies (not clean). @throws KilnError E_VM when it does not run. */
  end(folder: string, reason?: string, clean?: boolean): Promise<void>
  /** The guest writes to its serial port. */
  writeSerial(folder: string, text: string): Promise<void>
  /** From now on guests do not react to the power button, so that `stop` ends them hard. */
  ignorePowerButton(ignore: boolean): void
  /** The next `start` fails with this error, once. */
  failNextStart(error: Error): void
  /** The next machine that goes on from a snapshot does not get its identity, once. */
  failNextResume(error: Error): void
  /** The guest of a snapshot's machine does not get ready, from now on, until called without an error. */
  failSnapshots(error: Error | undefined): void
  /** Snapshots wait for this before they are whole. */
  holdSnapshots(until: Promise<unknown>): void
  /** The machine of a snapshot had so much processor time; one takes 10 s of it. */
  setSeedProcessorMs(processorMs: number): void
  /** As after an update of what machines are made with. */
  setFingerprint(fingerprint: string): void
  /** What was asked of the driver so far, oldest first: "start dev", "reset dev", "kill dev", "snapshot seed", "hurry seed", "resume dev". */
  readonly calls: readonly string[]
}

interface FakeRecord {
  readonly spec: VmSpec
  readonly pid: number
  readonly state: VmState
}

/** Fake pids lie above Linux's largest (2^22, proc(5)), so nobody can end a real process with one by mistake. */
const firstPid = 2 ** 22 + 1

/**
 * @example
 * const driver = createFakeDriver()
 * const vm = await driver.start(folder, spec)
 * await driver.end(folder, 'guest power-off')
 */
export function createFakeDriver(): FakeDriver {
  const calls: string[] = []
  const controls = {
    ignorePowerButton: false,
    startError: undefined as Error | undefined,
    resumeError: undefined as Error | undefined,
    snapshotError: undefined as Error | undefined,
    snapshotHold: undefined as Promise<unknown> | undefined,
    seedProcessorMs: 0,
    fingerprint: 'fake 1',
  }

  async function openVm(folder: string): Promise<Vm | undefined> {
    const record = await readRecord(folder)
    return record === undefined ? undefined : fakeVm(resolve(folder), record, calls, controls)
  }

  async function makeSnapshot(folder: string, spec: VmSpec, files: SnapshotFiles, options: MakeOptions): Promise<{ readonly processorMs: number }> {
    calls.push(`snapshot ${spec.name}`)
    options.onBegun?.({ processorMs: async () => controls.seedProcessorMs, hurry: async () => void calls.push(`hurry ${spec.name}`) })
    try {
      await mkdir(folder, { recursive: true })
      await writeFile(files.memory, `memory of ${spec.name}`)
      const held = controls.snapshotHold ?? Promise.resolve()
      await (options.signal === undefined ? held : Promise.race([held, aborted(options.signal)]))
      if (controls.snapshotError !== undefined) throw controls.snapshotError
      await writeFile(files.state, `state of ${spec.name} with ${spec.cpus} processors and ${spec.memoryMib} MiB`)
      return { processorMs: 10_000 }
    } catch (error) {
      for (const path of [files.memory, files.state]) await rm(path, { force: true })
      throw error
    }
  }

  async function start(folder: string, spec: VmSpec, signal?: AbortSignal, how: StartOptions = {}): Promise<Vm> {
    signal?.throwIfAborted()
    calls.push(`start ${spec.name}`)
    const failure = controls.startError
    controls.startError = undefined
    if (failure !== undefined) throw failure
    const record = await readRecord(folder)
    if (record?.state.status === 'running') {
      if (!sameJson({ ...record.spec, forwards: [] }, { ...spec, forwards: [] }))
        throw new KilnError('E_VM', `the machine ${spec.name} already runs in ${folder} with other settings`, { hint: 'stop it first' })
      const vm = fakeVm(resolve(folder), record, calls, controls)
      await vm.setForwards(spec.forwards)
      return vm
    }
    for (const forward of spec.forwards) await requireFree(forward)
    await mkdir(folder, { recursive: true })
    if (how.note !== undefined) await appendFile(serialPath(folder), `${how.note}\n`)
    if (how.snapshot !== undefined) await resume(how.snapshot, spec)
    const fresh: FakeRecord = { spec, pid: record === undefined ? firstPid + randomInt(2 ** 30) : record.pid + 1, state: { status: 'running' } }
    await writeRecord(folder, fresh)
    await appendFile(
      serialPath(folder),
      how.snapshot === undefined ? `fake machine ${spec.name} started\n` : `fake machine ${spec.name} goes on from a snapshot as ${spec.hostname}\n`,
    )
    return fakeVm(resolve(folder), fresh, calls, controls)
  }

  async function resume(snapshot: SnapshotFiles, spec: VmSpec): Promise<void> {
    calls.push(`resume ${spec.name}`)
    const failure = controls.resumeError
    controls.resumeError = undefined
    if (failure !== undefined) throw failure
    const state = (await readTextIfExists(snapshot.state)) ?? ''
    if (!state.endsWith(`with ${spec.cpus} processors and ${spec.memoryMib} MiB`)) throw new KilnError('E_VM', `the machine ${spec.name} could not go on from a snapshot`)
  }

  return {
    id: 'fake',
    start,
    open: openVm,
    snapshots: { fingerprint: async () => controls.fingerprint, make: makeSnapshot },
    failNextResume: (error) => (controls.resumeError = error),
    failSnapshots: (error) => (controls.snapshotError = error),
    holdSnapshots: (until) => (controls.snapshotHold = until),
    setSeedProcessorMs: (processorMs) => (controls.seedProcessorMs = processorMs),
    setFingerprint: (fingerprint) => (controls.fingerprint = fingerprint),
    end: async (folder, reason = 'guest power-off', clean = reason === 'guest power-off') => {
      const record = await readRecord(folder)
      if (record?.state.status !== 'running') throw new KilnError('E_VM', `no machine runs in ${folder}`)
      await writeRecord(folder, { ...record, state: { status: 'stopped', reason, clean } })
    },
    writeSerial: async (folder, text) => appendFile(serialPath(folder), text),
    ignorePowerButton: (ignore) => (controls.ignorePowerButton = ignore),
    failNextStart: (error) => (controls.startError = error),
    calls,
  }
}

function fakeVm(folder: string, first: FakeRecord, calls: string[], controls: { readonly ignorePowerButton: boolean }): Vm {
  let spec = first.spec

  /** The record of this very run: when the folder was started again, this run is over. */
  async function current(): Promise<FakeRecord> {
    const record = await readRecord(folder)
    if (record?.pid === first.pid) return record
    return { ...first, state: { status: 'stopped', reason: 'the machine was started again', clean: false } }
  }

  async function end(reason: string, clean: boolean): Promise<void> {
    const record = await current()
    if (record.state.status === 'running') await writeRecord(folder, { ...record, state: { status: 'stopped', reason, clean } })
  }

  async function requireRunning(what: string): Promise<FakeRecord> {
    const record = await current()
    if (record.state.status !== 'running') throw new KilnError('E_VM', `cannot ${what} the machine ${spec.name}: it is not running`)
    return record
  }

  return {
    folder,
    get spec() {
      return spec
    },
    pid: first.pid,
    state: async () => (await current()).state,
    waitStopped: async (signal) => {
      for (;;) {
        const { state } = await current()
        if (state.status === 'stopped') return state
        await sleep(10, signal)
      }
    },
    stop: async () => {
      calls.push(`stop ${spec.name}`)
      if (controls.ignorePowerButton) await end('ended by Kiln', false)
      else await end('guest power-off', true)
    },
    kill: async () => {
      calls.push(`kill ${spec.name}`)
      await end('ended by Kiln', false)
    },
    reset: async () => {
      calls.push(`reset ${spec.name}`)
      await requireRunning('reset')
      await appendFile(serialPath(folder), `fake machine ${spec.name} reset\n`)
    },
    setForwards: async (forwards) => {
      const record = await requireRunning('change the forwards of')
      for (const forward of forwards) {
        if (!record.spec.forwards.some((kept) => sameJson(kept, forward))) await requireFree(forward)
      }
      spec = { ...record.spec, forwards }
      await writeRecord(folder, { ...record, spec })
    },
    readSerial: async (startOffset, maxBytes): Promise<SerialChunk> => readSerialFile(serialPath(folder), startOffset, maxBytes),
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

/** Refuses what the real driver refuses: an address that others reach, and a TCP port that is in use. */
async function requireFree(forward: PortForward): Promise<void> {
  if (!/^127\.\d+\.\d+\.\d+$/.test(forward.hostAddress)) {
    throw new KilnError('E_VM', `a port of a machine can be forwarded only from a loopback address, not from ${forward.hostAddress}:${forward.hostPort}`)
  }
  if (forward.protocol === 'udp') return
  const server = createServer()
  const failed = await new Promise<boolean>((done) => {
    server.once('error', () => done(true))
    server.listen(forward.hostPort, forward.hostAddress, () => server.close(() => done(false)))
  })
  if (failed) throw new KilnError('E_PORT_TAKEN', `the port ${forward.hostAddress}:${forward.hostPort} cannot be forwarded to the machine`)
}

function recordPath(folder: string): string {
  return join(folder, 'fake.json')
}

function serialPath(folder: string): string {
  return join(folder, 'serial.log')
}

async function readRecord(folder: string): Promise<FakeRecord | undefined> {
  const text = await readTextIfExists(recordPath(folder))
  return text === undefined ? undefined : (JSON.parse(text) as FakeRecord)
}

async function writeRecord(folder: string, record: FakeRecord): Promise<void> {
  await writeFileDurable(recordPath(folder), JSON.stringify(record))
}
