/** Servers in place of those in the machines of a fake driver: one behind every forwarded port, each as its machine's image says. */
import { createServer } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import type { PortForward, VmDriver } from '../../vm/driver.ts'

export interface GuestMachine {
  readonly id: string
  /** The machine's folder, as the driver knows it. */
  readonly folder: string
  readonly image: string
}

export interface Guests {
  close(): Promise<void>
}

/** How the server of an image answers, by the milliseconds since its machine was first seen. */
export type Behave = (image: string, ageMs: number, path: string, response: ServerResponse) => void

/** `machines` may fail, while no daemon is there: then all stays as it was. */
export function serveGuests(driver: VmDriver, port: number, machines: () => Promise<readonly GuestMachine[]>, behave: Behave): Guests {
  const servers = new Map<string, { readonly id: string; readonly server: Server }>()
  const bornMs = new Map<string, number>()
  let isClosed = false
  let timer: NodeJS.Timeout | undefined

  function open(machine: GuestMachine, forward: PortForward): void {
    const key = `${forward.hostAddress}:${forward.hostPort}`
    if (servers.has(key)) return
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      behave(machine.image, Date.now() - (bornMs.get(machine.id) ?? 0), request.url ?? '/', response)
    })
    server.on('error', () => servers.delete(key))
    servers.set(key, { id: machine.id, server: server.listen(forward.hostPort, forward.hostAddress) })
  }

  async function look(): Promise<void> {
    const there = await machines()
    // An address goes to the next machine.
    for (const [key, { id, server }] of servers) {
      if (there.some((machine) => machine.id === id)) continue
      server.closeAllConnections()
      server.close()
      servers.delete(key)
    }
    for (const machine of there) {
      const vm = await driver.open(machine.folder)
      if (vm === undefined || (await vm.state()).status !== 'running') continue
      if (!bornMs.has(machine.id)) bornMs.set(machine.id, Date.now())
      for (const forward of vm.spec.forwards) if (forward.guestPort === port) open(machine, forward)
    }
  }

  async function again(): Promise<void> {
    await look().catch(() => {})
    if (!isClosed) timer = setTimeout(() => void again(), 50)
  }
  void again()
  return {
    async close() {
      isClosed = true
      clearTimeout(timer)
      for (const { server } of servers.values()) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}
