/** Cloud DNS, with a name server of its own on a loopback port. Descriptor only. */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Room } from '../../kernel/room.ts'
import { recordRoutes } from './routes.records.ts'
import { zoneRoutes } from './routes.zones.ts'
import { answerQuery } from './server/answer.ts'
import { createNameBook } from './server/book.ts'
import { listenDns } from './server/listener.ts'
import type { DnsListener } from './server/listener.ts'
import { readDnsPort, writeDnsPort } from './server/port.ts'
import { createChangeService } from './service.changes.ts'
import { createZoneService, DNS_SERVICE } from './service.zones.ts'
import { createDnsStore, dnsMigrations } from './store.ts'

export function createDnsRoom(): Room {
  const book = createNameBook()
  let kernel: Kernel | undefined
  let publishAll = (): void => {}
  let listener: DnsListener | undefined
  return {
    id: 'dns',
    service: DNS_SERVICE,
    hosts: [{ name: 'api', match: 'dns.googleapis.com' }],
    migrations: dnsMigrations,
    routes(opened) {
      kernel = opened
      opened.ports.provide('names', {
        addresses: (host) => answerQuery(book, `${host}.`, 'A').answers.flatMap((set) => (set.type === 'A' ? set.rrdatas : [])),
      })
      const store = createDnsStore(opened.database)
      const changes = createChangeService(opened, store, book)
      const zones = createZoneService(opened, store, changes, book)
      publishAll = () => {
        for (const zone of store.allZones()) changes.publish(zone.id)
      }
      return [...zoneRoutes(opened, zones), ...recordRoutes(store, zones, changes)]
    },
    async start() {
      if (kernel === undefined) return
      publishAll()
      listener = await listenDns(book, (await readDnsPort(kernel.home)) ?? 0, kernel.log)
      await writeDnsPort(kernel.home, listener.port)
    },
    async stop() {
      await listener?.close()
    },
  }
}
