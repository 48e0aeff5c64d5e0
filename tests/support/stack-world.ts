/** A folder of a stack, the whole pocket cloud in this process with machines that are none, and the engine between them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { readFacts } from '../../src/app/stack/facts.ts'
import { createClients } from '../../src/client/clients.ts'
import type { Clients } from '../../src/client/clients.ts'
import { openAuthority } from '../../src/cloud/front/authority.ts'
import { startTestCloud } from '../../src/cloud/kernel/testing.ts'
import type { CallResult, TestCloud } from '../../src/cloud/kernel/testing.ts'
import { compileStack } from '../../src/compile/compile.ts'
import { parseStack } from '../../src/config/checks.ts'
import type { StackInput } from '../../src/config/schema.ts'
import { applyPlan } from '../../src/engine/apply.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { dependenciesOf } from '../../src/engine/graph.ts'
import { openInventory } from '../../src/engine/inventory.ts'
import type { Inventory } from '../../src/engine/inventory.ts'
import { planStack } from '../../src/engine/plan.ts'
import type { Gate } from '../../src/engine/testing/every-stop.ts'
import type { DesiredResource, Plan } from '../../src/engine/types.ts'
import { resourceKinds } from '../../src/resources/kinds.ts'
import { makeAllRooms } from '../../tools/whole-cloud.ts'

export interface StackWorld {
  readonly folder: string
  readonly cloud: TestCloud
  readonly inventory: Inventory
  engine(options?: { readonly gate?: Gate; readonly token?: string }): Engine<Clients>
  /** All that the config compiles to, without what the app makes (wheel, images, releases) and what stands on that. */
  desired(stack: StackInput): Promise<readonly DesiredResource[]>
  plan(stack: StackInput): Promise<Plan>
  /** What a plan would do, by address, with what somebody else did marked. */
  todo(stack: StackInput): Promise<Readonly<Record<string, string>>>
  /** Applies; gives what was done, by address. */
  up(stack: StackInput, gate?: Gate): Promise<Readonly<Record<string, string>>>
  get(path: string): Promise<CallResult['json']>
  change(method: string, path: string, body?: unknown): Promise<CallResult['json']>
  close(): Promise<void>
}

/** @param files texts by path in the stack's folder. */
export async function createStackWorld(projectId: string, files: Readonly<Record<string, string>>): Promise<StackWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-stack-'))
  await mkdir(join(folder, 'engine'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const authority = await openAuthority(folder)
  const cloud = await startTestCloud(() => makeAllRooms(authority.issue))
  const inventory = openInventory({ engine: join(folder, 'engine') }, projectId)

  function engine(options: { readonly gate?: Gate; readonly token?: string } = {}): Engine<Clients> {
    const { gate } = options
    const clients = createClients({
      rootUrl: cloud.url(),
      accessToken: async () => options.token ?? cloud.ownerToken(),
      retry: { attempts: 1 },
      ...(gate === undefined ? {} : { fetch: ((input: string | URL, init?: RequestInit) => gate.pass(() => fetch(input, init))) as typeof fetch }),
    })
    return { stack: projectId, kinds: [...resourceKinds.values()].map((entry) => entry.kind), clients, inventory, signal: new AbortController().signal }
  }

  async function desired(stack: StackInput): Promise<readonly DesiredResource[]> {
    const config = parseStack(stack)
    const all = compileStack(config, await readFacts({ config, dir: folder, file: join(folder, 'kiln.config.ts') }, new AbortController().signal))
    const left = new Set<string>(all.flatMap((one) => (resourceKinds.has(one.kind) ? [] : [one.address])))
    for (const one of all) if (dependenciesOf(one).some((address) => left.has(address))) left.add(one.address)
    return all.filter((one) => !left.has(one.address))
  }

  async function plan(stack: StackInput): Promise<Plan> {
    return (await planStack(engine(), await desired(stack))).plan
  }

  async function succeed(method: string, path: string, body?: unknown): Promise<CallResult['json']> {
    const answer = await cloud.call(method, path, body === undefined ? {} : { body })
    expect(answer.status, answer.text).toBe(200)
    return answer.json
  }

  return {
    folder,
    cloud,
    inventory,
    engine,
    desired,
    plan,
    async todo(stack) {
      const changes = (await plan(stack)).nodes.filter((node) => node.action !== 'noop')
      return Object.fromEntries(
        changes.map((node) => [node.address, `${node.drifted ? 'drifted ' : ''}${node.action} ${node.differences.map((one) => one.path).join(' ')}`.trim()]),
      )
    },
    async up(stack, gate) {
      const own = engine(gate === undefined ? {} : { gate })
      const result = await applyPlan(own, await planStack(own, await desired(stack)))
      return Object.fromEntries(result.applied.filter((one) => one.action !== 'noop').map((one) => [one.address, one.action]))
    },
    get: (path) => succeed('GET', path),
    change: succeed,
    async close() {
      inventory.close()
      await cloud.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
