/**
 * The machines behind instance rows: starting, ending, watching, adopting. Everything that changes a machine runs under its instance's turn
 * (`compute.exclusive`), so that a death seen by the watcher and a command never cross.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { describeError, isKilnError } from '../../../base/errors.ts'
import { exists, removeAll } from '../../../host/files.ts'
import { tailLines } from '../../../host/exec.ts'
import type { PortForward, SerialChunk, Vm, VmSpec } from '../../../vm/driver.ts'
import type { MetadataServer } from '../../../vm/metadata.ts'
import { poolExhausted, toOperationFailure } from './errors.ts'
import { lastSegment } from './links.ts'
import type { Compute } from './service.ts'
import type { Files } from './service.files.ts'
import type { Instance } from './service.instances.ts'
import { createMachineSpecs } from './service.machine-specs.ts'
import type { MetadataSources } from './service.metadata.ts'
import type { WarmStarts } from './service.warm.ts'

export interface Machines {
  /** Starts the machine of an instance, or finds it running. Repeatable; call it in the instance's turn. @throws ApiError, KilnError */
  start(instance: Instance, signal: AbortSignal): Promise<void>
  /** Power button, then the hard way; in the instance's turn. */
  stop(instance: Instance): Promise<void>
  /** In the instance's turn. */
  reset(instance: Instance): Promise<void>
  /** Ends the machine at once and removes its folder; in the instance's turn. */
  destroy(instanceId: string): Promise<void>
  /** Serial port 1 from a byte offset on. */
  readSerial(instanceId: string, startOffset: number): Promise<SerialChunk>
  /** Brings forwards of running machines in line with the rules. */
  refreshForwards(projectId: string): Promise<void>
  /** At daemon start: takes over what runs, marks what died, removes what nobody owns. */
  adopt(): Promise<void>
  /** At daemon stop: lets go; machines run on. */
  release(): Promise<void>
  destroyAll(): Promise<void>
}

/** Time for a guest to shut down (Google gives 90 s and more). */
const STOP_GRACE_MS = 90_000
/** Lines of the serial port that go into a status message. */
const SERIAL_TAIL_LINES = 20

interface Live {
  readonly vm: Vm
  readonly watch: AbortController
}

export interface MachineParts {
  readonly files: Files
  readonly sources: MetadataSources
  readonly warm: WarmStarts
  /** What load balancing needs besides what the firewall opens to this host. */
  readonly backendForwards: (instance: Instance) => Promise<readonly PortForward[]>
}

export function createMachines(compute: Compute, { files, sources, warm, backendForwards }: MachineParts): Machines {
  const { store, deps, kernel } = compute
  const { specOf, forwardsOf } = createMachineSpecs(compute, { files, socketOf, backendForwards })
  const live = new Map<string, Live>()
  const servers = new Map<string, MetadataServer>()
  let released = false

  function find(instanceId: string): Instance | undefined {
    return store.byId(instanceId) as Instance | undefined
  }

  function folderOf(instanceId: string): string {
    return join(compute.folders.vms, instanceId)
  }

  function socketOf(instanceId: string): string {
    return join(kernel.home.sockets, `m-${instanceId}`)
  }

  function setRecord(instanceId: string, fields: compute_v1.Schema$Instance): void {
    const instance = find(instanceId)
    if (instance !== undefined) store.update({ ...instance, record: { ...instance.record, ...fields } })
  }

  async function requireMemory(instance: Instance, neededMib: number): Promise<void> {
    if ((await deps.availableMemoryMib()) >= neededMib) return
    // What is made for later gives way to what is asked for now.
    await warm.giveWay()
    const freeMib = await deps.availableMemoryMib()
    if (freeMib >= neededMib) return
    throw poolExhausted(
      lastSegment(instance.scope),
      `The machine type ${lastSegment(instance.record.machineType ?? '')} needs ${neededMib} MiB of memory, and this host has ${freeMib} MiB available. Stop other VMs or choose a smaller machine type.`,
    )
  }

  async function openMetadata(instanceId: string): Promise<void> {
    if (!released && !servers.has(instanceId)) servers.set(instanceId, await deps.serveMetadata(socketOf(instanceId), sources.sourceFor(instanceId)))
  }

  async function closeMetadata(instanceId: string): Promise<void> {
    const server = servers.get(instanceId)
    servers.delete(instanceId)
    await server?.close()
  }

  function watch(instanceId: string, vm: Vm): void {
    // A start that ends after the daemon let go: the next daemon adopts the machine.
    if (released) return
    live.get(instanceId)?.watch.abort()
    const entry: Live = { vm, watch: new AbortController() }
    live.set(instanceId, entry)
    vm.waitStopped(entry.watch.signal)
      .then(
        (state) =>
          compute.exclusive(instanceId, async () => {
            if (live.get(instanceId) !== entry) return
            live.delete(instanceId)
            await markStopped(instanceId, vm, state.reason)
          }),
        (error: unknown) => {
          if (!entry.watch.signal.aborted) kernel.log.error({ err: error, instanceId }, 'watching a machine failed')
        },
      )
      .catch((error: unknown) => kernel.log.error({ err: error, instanceId }, 'a stopped machine could not be recorded'))
  }

  async function markStopped(instanceId: string, vm: Vm | undefined, reason: string): Promise<void> {
    const serial = vm === undefined ? '' : await serialTail(vm)
    setRecord(instanceId, {
      status: 'TERMINATED',
      statusMessage: `The machine ended by itself: ${reason}.${serial === '' ? '' : ` Last lines of its serial port:\n${serial}`}`,
      lastStopTimestamp: new Date().toISOString(),
    })
    await closeMetadata(instanceId)
  }

  async function letGo(instanceId: string): Promise<Vm | undefined> {
    const entry = live.get(instanceId)
    live.delete(instanceId)
    entry?.watch.abort()
    return entry?.vm ?? (await deps.driver.open(folderOf(instanceId)))
  }

  async function adoptOne(instance: Instance): Promise<void> {
    const vm = await deps.driver.open(folderOf(instance.id))
    const state = await vm?.state()
    const { status } = instance.record
    if (vm !== undefined && state?.status === 'running') {
      if (status === 'TERMINATED') {
        await vm.kill()
        return
      }
      await openMetadata(instance.id)
      watch(instance.id, vm)
      await vm.setForwards(await forwardsOf(instance))
      return
    }
    // The other states have an unfinished operation, which goes on by itself.
    if (status === 'RUNNING') await markStopped(instance.id, vm, state?.status === 'stopped' ? state.reason : 'it is gone')
  }

  /** From a snapshot where there is one and it works, else by booting. */
  async function begin(instance: Instance, spec: VmSpec, mayWarm: boolean, signal: AbortSignal): Promise<Vm> {
    const folder = folderOf(instance.id)
    const how = await warm.begin(instance, spec, mayWarm, signal)
    try {
      return await deps.driver.start(folder, spec, signal, how)
    } catch (error) {
      // A port in use is so for a boot too.
      if (how.snapshot === undefined || signal.aborted || (isKilnError(error) && error.code === 'E_PORT_TAKEN')) throw error
      return deps.driver.start(folder, spec, signal, await warm.giveUp(instance, error, how.snapshot.name))
    }
  }

  /** The machine that a killed daemon had started. One that cannot be brought to the end of its warm start boots instead. */
  async function adoptStarting(instance: Instance, spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    try {
      return await deps.driver.start(folderOf(instance.id), spec, signal)
    } catch (error) {
      const vm = await deps.driver.open(folderOf(instance.id))
      if (signal.aborted || (await vm?.state())?.status === 'running') throw error
      return deps.driver.start(folderOf(instance.id), spec, signal, await warm.giveUp(instance, error))
    }
  }

  async function destroyFolder(instanceId: string): Promise<void> {
    const vm = await letGo(instanceId)
    if (vm !== undefined && (await vm.state()).status === 'running') await vm.kill()
    await closeMetadata(instanceId)
    await removeAll(folderOf(instanceId))
    await removeAll(socketOf(instanceId))
  }

  return {
    async start(instance, signal) {
      const spec = await specOf(instance)
      const before = await deps.driver.open(folderOf(instance.id))
      const isRunning = (await before?.state())?.status === 'running'
      if (!isRunning) await requireMemory(instance, spec.memoryMib)
      await openMetadata(instance.id)
      try {
        const delayMs = kernel.faults.bootDelayMs(instance.name, instance.projectId)
        if (delayMs > 0) await sleep(delayMs, undefined, { signal })
        const vm = isRunning ? await adoptStarting(instance, spec, signal) : await begin(instance, spec, delayMs === 0, signal)
        warm.began(instance)
        setRecord(instance.id, { status: 'RUNNING', statusMessage: undefined, lastStartTimestamp: new Date().toISOString() })
        watch(instance.id, vm)
      } catch (error) {
        await closeMetadata(instance.id)
        throw error
      }
    },
    async stop(instance) {
      const vm = await letGo(instance.id)
      if (vm !== undefined && (await vm.state()).status === 'running') await vm.stop(STOP_GRACE_MS)
      await closeMetadata(instance.id)
      setRecord(instance.id, { status: 'TERMINATED', statusMessage: undefined, lastStopTimestamp: new Date().toISOString() })
    },
    async reset(instance) {
      const vm = live.get(instance.id)?.vm
      await vm?.reset()
    },
    destroy: destroyFolder,
    async readSerial(instanceId, startOffset) {
      const vm = live.get(instanceId)?.vm ?? (await deps.driver.open(folderOf(instanceId)))
      return vm === undefined ? { text: '', startOffset: 0, nextOffset: 0 } : vm.readSerial(startOffset)
    },
    async refreshForwards(projectId) {
      const instances = store.list('instances', projectId) as readonly Instance[]
      const results = await Promise.allSettled(
        instances.map((listed) =>
          compute.exclusive(listed.id, async () => {
            const instance = find(listed.id)
            const vm = live.get(listed.id)?.vm
            if (instance === undefined || vm === undefined || (await vm.state()).status !== 'running') return
            await vm.setForwards(await forwardsOf(instance))
          }),
        ),
      )
      // The others have their forwards; the operation says which one has not.
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw toOperationFailure(failed.reason)
    },
    async adopt() {
      for (const instance of store.list('instances') as readonly Instance[]) {
        try {
          await adoptOne(instance)
        } catch (error) {
          // One broken machine must not keep the daemon from starting.
          kernel.log.error({ err: error, instance: instance.name }, 'a machine could not be adopted')
          setRecord(instance.id, { statusMessage: `The machine could not be adopted: ${describeError(error)}` })
        }
      }
      if (!(await exists(compute.folders.vms))) return
      for (const id of await readdir(compute.folders.vms)) if (find(id) === undefined) await destroyFolder(id)
    },
    async release() {
      released = true
      for (const entry of live.values()) entry.watch.abort()
      live.clear()
      await Promise.all([...servers.keys()].map(closeMetadata))
    },
    async destroyAll() {
      const ids = new Set([...live.keys(), ...((await exists(compute.folders.vms)) ? await readdir(compute.folders.vms) : [])])
      await Promise.all([...ids].map(destroyFolder))
      await removeAll(compute.folders.vms)
    },
  }
}

async function serialTail(vm: Vm): Promise<string> {
  try {
    return tailLines((await vm.readSerial(-8192)).text, SERIAL_TAIL_LINES)
  } catch {
    return ''
  }
}
