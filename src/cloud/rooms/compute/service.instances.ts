/** VM instances: what they are and how they change. The machines behind them are in service.machines.ts. https://cloud.google.com/compute/docs/reference/rest/v1/instances */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { describeError } from '../../../base/errors.ts'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Operation, OperationContext } from '../../kernel/operations.ts'
import { resourceNotReady, toOperationFailure } from './errors.ts'
import { resourcePath, selfLink } from './links.ts'
import type { InstanceBody } from './schema.ts'
import { requireName, requireZone } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { Addresses } from './service.addresses.ts'
import type { Disks } from './service.disks.ts'
import type { InstancePlans } from './service.instance-plan.ts'
import type { Machines } from './service.machines.ts'
import type { Key, Resource } from './store.ts'

export interface InstanceHidden {
  /** Ids of the disks, in the order of `record.disks`. */
  readonly diskIds: readonly string[]
  readonly mac: string
  readonly subnetCidr: string
  readonly gateway: string
  readonly netmask: string
  readonly dns: string
  /** The loopback address on which its ports are forwarded; undefined: no external address. */
  readonly externalAddress?: string
  readonly guestAttributes?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export type Instance = Resource<compute_v1.Schema$Instance, InstanceHidden>

export interface Instances {
  insert(caller: Caller, projectId: string, zone: string, body: InstanceBody): Operation
  get(projectId: string, zone: string, name: string): Instance
  start(caller: Caller, instance: Instance): Operation
  stop(caller: Caller, instance: Instance): Operation
  reset(caller: Caller, instance: Instance): Operation
  remove(caller: Caller, instance: Instance): Operation
  /** From a byte position on; a negative one counts from the end. */
  serial(instance: Instance, start: number): Promise<compute_v1.Schema$SerialPortOutput>
  guestAttributes(instance: Instance, queryPath: string | undefined): compute_v1.Schema$GuestAttributes
}

interface Args {
  readonly id: string
}

export interface InstanceParts {
  readonly disks: Disks
  readonly addresses: Addresses
  readonly machines: Machines
  readonly plans: InstancePlans
}

export function createInstances(compute: Compute, parts: InstanceParts): Instances {
  const { store, kernel } = compute
  const { disks, addresses, machines, plans } = parts

  function find(id: string): Instance | undefined {
    return store.byId(id) as Instance | undefined
  }

  function setStatus(id: string, status: string, statusMessage?: string): void {
    const instance = find(id)
    if (instance !== undefined) store.update({ ...instance, record: { ...instance.record, status, statusMessage } })
  }

  function insert(caller: Caller, projectId: string, zone: string, body: InstanceBody): Operation {
    const key: Key = { projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instances', name: requireName(body.name) }
    const plan = plans.check(caller, key, body)
    return compute.begin(caller, { type: 'instances.insert', key }, () => plan().id)
  }

  /** Inside a transaction: detaches everything; what is gone with the instance is returned. */
  function unlink(instance: Instance): readonly string[] {
    const doomed: string[] = []
    for (const [index, diskId] of instance.hidden.diskIds.entries()) {
      disks.setUser(diskId, undefined)
      if (instance.record.disks?.[index]?.autoDelete === true) doomed.push(diskId)
    }
    if (instance.hidden.externalAddress !== undefined) addresses.setUser(instance.projectId, instance.hidden.externalAddress, undefined)
    for (const nic of instance.record.networkInterfaces ?? []) addresses.setUser(instance.projectId, nic.networkIP ?? '', undefined, nic.subnetwork ?? undefined)
    store.remove(instance.id)
    kernel.policies.remove(resourcePath(instance))
    return doomed
  }

  /** The machine is up, or the row says why it is not. */
  async function boot(instance: Instance, context: OperationContext): Promise<void> {
    try {
      await machines.start(instance, context.signal)
    } catch (error) {
      if (context.signal.aborted) throw error
      const failure = toOperationFailure(error)
      setStatus(instance.id, 'TERMINATED', describeError(failure))
      throw failure
    }
  }

  async function discard(instance: Instance): Promise<void> {
    const doomed = kernel.database.transaction(() => unlink(instance))
    await machines.destroy(instance.id)
    for (const diskId of doomed) await disks.destroy(diskId)
  }

  compute.handle<Args>('instances.insert', (args, context) =>
    compute.exclusive(args.id, async () => {
      const instance = find(args.id)
      if (instance === undefined) throw new ApiError('NOT_FOUND', 'The instance was deleted while it was being created.')
      if (instance.record.status === 'RUNNING') return
      // The daemon died between the failed start and its answer.
      if (instance.record.status === 'TERMINATED')
        throw new ApiError('INTERNAL', instance.record.statusMessage ?? 'The machine ended while it was being created.', { reason: 'INTERNAL_ERROR' })
      try {
        for (const diskId of instance.hidden.diskIds) await compute.exclusive(diskId, () => disks.materialize(diskId))
        context.progress(40)
      } catch (error) {
        if (context.signal.aborted) throw error
        await discard(instance)
        throw toOperationFailure(error)
      }
      setStatus(args.id, 'STAGING')
      try {
        await boot(instance, context)
      } catch (error) {
        // A zone without room makes no instance at all, as on Google; a machine that was made and died stays, with its reason.
        if (error instanceof ApiError && error.reason === 'ZONE_RESOURCE_POOL_EXHAUSTED') await discard(instance)
        throw error
      }
    }),
  )
  compute.handle<Args>('instances.start', (args, context) =>
    compute.exclusive(args.id, async () => {
      const instance = find(args.id)
      if (instance === undefined || instance.record.status === 'RUNNING') return
      setStatus(args.id, 'STAGING')
      await boot(instance, context)
    }),
  )
  compute.handle<Args>('instances.stop', (args) =>
    compute.exclusive(args.id, async () => {
      const instance = find(args.id)
      if (instance === undefined || instance.record.status === 'TERMINATED') return
      setStatus(args.id, 'STOPPING')
      await machines.stop(instance)
    }),
  )
  compute.handle<Args>('instances.reset', (args) =>
    compute.exclusive(args.id, async () => {
      const instance = find(args.id)
      if (instance?.record.status === 'RUNNING') await machines.reset(instance)
    }),
  )
  compute.handle<Args & { readonly doomed: readonly string[] }>('instances.delete', (args) =>
    compute.exclusive(args.id, async () => {
      const running = find(args.id)
      if (running !== undefined && needsShutdown(running, args.doomed)) await machines.stop(running)
      await machines.destroy(args.id)
      const instance = find(args.id)
      const doomed = instance === undefined ? args.doomed : kernel.database.transaction(() => unlink(instance))
      for (const diskId of doomed) await compute.exclusive(diskId, () => disks.destroy(diskId))
    }),
  )

  /**
   * Google shuts every machine down before it deletes it. Here that time is taken only where somebody could see the difference: a disk that
   * outlives the machine must have all that the guest wrote, and a shutdown script must run.
   */
  function needsShutdown({ record, hidden }: Instance, doomed: readonly string[]): boolean {
    return hidden.diskIds.some((id) => !doomed.includes(id)) || (record.metadata?.items ?? []).some((item) => item.key === 'shutdown-script' || item.key === 'shutdown-script-url')
  }

  function requireStatus(instance: Instance, wanted: readonly string[], what: string): void {
    if (!wanted.includes(instance.record.status ?? '')) throw resourceNotReady(instance, `it is ${instance.record.status} and cannot be ${what}`)
  }

  function begin(caller: Caller, type: string, instance: Instance, status?: string, args?: object): Operation {
    return compute.begin(caller, { type, key: instance, targetId: instance.id, args }, () => {
      if (status !== undefined) setStatus(instance.id, status)
    })
  }

  return {
    insert,
    get: (projectId, zone, name) => compute.get<Instance>({ projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instances', name }),
    start(caller, instance) {
      if (instance.record.status === 'RUNNING') return begin(caller, 'instances.start', instance)
      requireStatus(instance, ['TERMINATED', 'PROVISIONING', 'STAGING', 'STOPPING'], 'started')
      // While it still stops, starting waits for its turn; the status is not changed under the stop's feet.
      return begin(caller, 'instances.start', instance, instance.record.status === 'TERMINATED' ? 'PROVISIONING' : undefined)
    },
    stop(caller, instance) {
      return begin(caller, 'instances.stop', instance, instance.record.status === 'RUNNING' ? 'STOPPING' : undefined)
    },
    reset(caller, instance) {
      requireStatus(instance, ['RUNNING'], 'reset')
      return begin(caller, 'instances.reset', instance)
    },
    remove(caller, instance) {
      if (instance.record.deletionProtection === true)
        throw invalidArgument(`Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion: ${resourcePath(instance)}'.`, {
          reason: 'resourceInUseByAnotherResource',
        })
      const doomed = instance.hidden.diskIds.filter((_id, index) => instance.record.disks?.[index]?.autoDelete === true)
      return begin(caller, 'instances.delete', instance, 'STOPPING', { doomed })
    },
    async serial(instance, start) {
      const chunk = await machines.readSerial(instance.id, start)
      return {
        kind: 'compute#serialPortOutput',
        selfLink: `${selfLink(instance)}/serialPort`,
        contents: chunk.text,
        start: String(chunk.startOffset),
        next: String(chunk.nextOffset),
      }
    },
    guestAttributes(instance, queryPath) {
      const [namespace = '', key = ''] = (queryPath ?? '').split('/')
      const all = Object.entries(instance.hidden.guestAttributes ?? {}).flatMap(([space, values]) =>
        Object.entries(values).map(([name, value]) => ({ namespace: space, key: name, value })),
      )
      const items = all.filter((item) => (namespace === '' || item.namespace === namespace) && (key === '' || item.key === key))
      if (items.length === 0) throw new ApiError('NOT_FOUND', `The resource 'guestAttributes/${queryPath ?? ''}' of type 'Guest Attribute' was not found.`)
      return { kind: 'compute#guestAttributes', selfLink: `${selfLink(instance)}/guestAttributes`, queryPath: queryPath ?? '', queryValue: { items } }
    },
  }
}
