/** The name server's port is remembered, so that resolvers that were pointed at it stay right over restarts. */
import { join } from 'node:path'
import { readTextIfExists, writeFileDurable } from '../../../../host/files.ts'
import type { KilnHome } from '../../../../host/home.ts'

/** The port on which the name server of this data folder listens, or did last time; undefined when it never ran. Light: for `kiln cloud status`. */
export async function readDnsPort(home: KilnHome): Promise<number | undefined> {
  const port = Number((await readTextIfExists(pathOf(home))) ?? 0)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

export async function writeDnsPort(home: KilnHome, port: number): Promise<void> {
  await writeFileDurable(pathOf(home), String(port))
}

function pathOf(home: KilnHome): string {
  return join(home.cloud, 'dns-port')
}
