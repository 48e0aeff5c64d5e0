/** For the tests of groups: a cloud with fake machines, a template, and balancing that the test decides. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { createFakeDriver } from '../../../../vm/fake/driver.ts'
import type { FakeDriver } from '../../../../vm/fake/driver.ts'
import { serveMetadata } from '../../../../vm/metadata-server.ts'
import { startTestCloud } from '../../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../../kernel/testing.ts'
import { createComputeRoom } from '../index.ts'
import { api, portsRoom, succeed, zone } from '../testing.ts'
import type { FakeWorld } from '../testing.ts'
import type { Balancing } from './members.ts'

export type Json = CallResult['json']

export interface GroupWorld {
  readonly cloud: TestCloud
  readonly driver: FakeDriver
  readonly world: FakeWorld
  get(path: string): Promise<Json>
  template(name: string, properties?: object): Promise<void>
  group(name: string, fields: object): Promise<void>
  manager(name: string): Promise<Json>
  list(name: string): Promise<Json[]>
  /** Until the group says it is stable. */
  stable(name: string): Promise<Json>
  until(what: string, probe: () => Promise<boolean>): Promise<void>
  /** Ends the machine of an instance as a crash would. */
  crash(instance: string): Promise<void>
  close(): Promise<void>
}

export const managers = `${zone}/instanceGroupManagers`

/** The body of a template as gcloud sends it, shortened; its disk is blank, since fake machines read none. */
export function templateBody(name: string, properties: object = {}): object {
  return {
    name,
    properties: {
      machineType: 'e2-micro',
      disks: [
        {
          autoDelete: true,
          boot: true,
          initializeParams: { diskSizeGb: '10' },
          mode: 'READ_WRITE',
          type: 'PERSISTENT',
        },
      ],
      networkInterfaces: [
        { accessConfigs: [{ name: 'external-nat', type: 'ONE_TO_ONE_NAT' }], network: 'https://compute.googleapis.com/compute/v1/projects/p-one/global/networks/default' },
      ],
      ...properties,
    },
  }
}

export async function startGroupWorld(balancing?: Balancing): Promise<GroupWorld> {
  const world: FakeWorld = { objects: new Map(), accounts: new Map([['srv@p-one.iam.gserviceaccount.com', false]]) }
  const driver = createFakeDriver()
  const room = () => createComputeRoom({ driver, serveMetadata, availableMemoryMib: async () => 100_000, groupTiming: { busyMs: 10, idleMs: 20, backoffMs: 20 } }, balancing)
  const cloud = await startTestCloud(() => [portsRoom(world), room()])
  cloud.addProject('p-one')

  async function get(path: string): Promise<Json> {
    const answer = await cloud.call('GET', path)
    expect(answer.status, answer.text).toBe(200)
    return answer.json
  }

  async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
    await waitFor({ what, timeoutMs: 30_000, intervalMs: 10 }, async () => ((await probe()) ? { done: true, value: undefined } : { done: false, status: 'not yet' }))
  }

  async function list(name: string): Promise<Json[]> {
    const answer = await cloud.call('POST', `${managers}/${name}/listManagedInstances?maxResults=500`)
    expect(answer.status, answer.text).toBe(200)
    return answer.json.managedInstances ?? []
  }

  return {
    cloud,
    driver,
    world,
    get,
    template: async (name, properties) => void (await succeed(cloud, 'POST', `${api}/global/instanceTemplates`, templateBody(name, properties))),
    group: async (name, fields) => void (await succeed(cloud, 'POST', managers, { name, zone: 'us-central1-c', ...fields })),
    manager: (name) => get(`${managers}/${name}`),
    list,
    async stable(name) {
      return waitFor({ what: `${name} is stable`, timeoutMs: 30_000, intervalMs: 10 }, async () => {
        const manager = await get(`${managers}/${name}`)
        return manager.status.isStable === true
          ? { done: true, value: manager }
          : { done: false, status: JSON.stringify([manager.currentActions, (await cloud.call('GET', `${managers}/${name}/listErrors`)).json.items?.slice(0, 2)]) }
      })
    },
    until,
    async crash(instance) {
      const { id } = await get(`${zone}/instances/${instance}`)
      await driver.end(join(cloud.folder, 'cloud', 'vms', id), 'killed (SIGKILL)', false)
    },
    close: () => cloud.close(),
  }
}
