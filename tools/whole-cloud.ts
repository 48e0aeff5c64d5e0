/** The route table of the whole pocket cloud, without starting it: for the coverage page and the tests over all rooms. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createRooms } from '../src/app/cloud/rooms.ts'
import type { RoomParts } from '../src/app/cloud/rooms.ts'
import type { TableRow } from '../src/cloud/kernel/fault-routes.ts'
import { openKernel } from '../src/cloud/kernel/kernel.ts'
import { noPublicImages } from '../src/cloud/rooms/compute/service.public-images.ts'
import type { Room } from '../src/cloud/kernel/room.ts'
import { createServer } from '../src/cloud/kernel/server.ts'
import { kilnHome } from '../src/host/home.ts'
import { createFakeDriver } from '../src/vm/fake/driver.ts'

/** All rooms with machines that are none: for tests over the whole cloud. `signCertificate`: what signs managed certificates; by default nothing does. */
export function makeAllRooms(signCertificate: RoomParts['signCertificate'] = () => Promise.reject(new Error('this cloud signs no certificates'))): readonly Room[] {
  const parts = {
    driver: createFakeDriver(),
    publicImages: noPublicImages,
    ownerRefreshToken: 'none',
    guests: { socket: '/nonexistent', authority: '' },
    signCertificate,
  }
  return createRooms(parts)
}

/** Every route of every room, in the order of the rooms. */
export async function wholeTable(): Promise<readonly TableRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-table-'))
  const kernel = await openKernel({ home: kilnHome({ KILN_HOME: folder }), log: pino({ level: 'silent' }), rootUrl: () => 'http://127.0.0.1:0' })
  try {
    const server = await createServer({
      kernel,
      rooms: makeAllRooms(),
    })
    await server.close()
    return server.table
  } finally {
    await kernel.close()
    await rm(folder, { recursive: true, force: true })
  }
}
