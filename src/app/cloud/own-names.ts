/** Names of the cloud's own DNS zones, as programs behind its proxy reach them: a domain that leads to one of its load balancers is served by that. */
import type { Locate } from '../../cloud/front/proxy.ts'
import type { NamesPort } from '../../cloud/kernel/ports.ts'
import { PRIVILEGED_SHIFT } from '../../cloud/rooms/compute/service.forwards.ts'
import { firstBindablePort } from '../../host/ports.ts'

/** Addresses of this machine are the cloud's; a record that leads elsewhere is asked for as everybody asks for it. */
export function locateOwnNames(names: () => NamesPort): Locate {
  return async (host, port) => {
    const own = names()
      .addresses(host.replace(/\.$/, ''))
      .find((address) => address.startsWith('127.'))
    if (own === undefined) return undefined
    return { host: own, port: port < (await firstBindablePort()) ? port + PRIVILEGED_SHIFT : port }
  }
}
