/** The host names that a VM finds at the metadata address instead of on the Internet. A hosts file has no wildcards, so each name is there. */
import type { Room } from '../../cloud/kernel/room.ts'
import { locations } from '../../cloud/rooms/artifactregistry/locations.ts'
import { knownServices } from '../../cloud/rooms/serviceusage/service.catalog.ts'

/** Asked by Google's libraries and tools beside the services' own hosts. */
const wellKnown = ['accounts.google.com', 'oauth2.googleapis.com', 'openidconnect.googleapis.com', 'sts.googleapis.com', 'www.googleapis.com'] as const

/**
 * All names, sorted. Those of services without a room are among them: a machine's token is worth nothing at Google's own hosts, and must
 * not go there.
 */
export function guestHosts(rooms: readonly Room[]): readonly string[] {
  const served = rooms.flatMap((room) => room.hosts.flatMap(({ match }) => (typeof match === 'string' ? [match] : [])))
  const packages = locations.map((location) => `${location}-python.pkg.dev`)
  return [...new Set([...served, ...wellKnown, ...knownServices.keys(), ...packages])].toSorted()
}
