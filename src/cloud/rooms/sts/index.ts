/** Security Token Service: tokens of outside issuers for access tokens of federated identities. */
import { createIssuerKeys } from '../../../oidc/issuer-keys.ts'
import type { IssuerKeysOptions } from '../../../oidc/issuer-keys.ts'
import type { Room } from '../../kernel/room.ts'
import { createStsRoutes } from './routes.ts'
import { createStsService } from './service.ts'

/** Uses the port `workloadIdentity`. Keeps nothing of its own but the issuers' keys, in memory. `keys`: how issuers are asked. */
export function createStsRoom(parts: { readonly keys?: IssuerKeysOptions } = {}): Room {
  return {
    id: 'sts',
    service: 'sts.googleapis.com',
    alwaysEnabled: true,
    hosts: [{ name: 'api', match: 'sts.googleapis.com' }],
    migrations: { namespace: 'sts', steps: [] },
    routes: (kernel) => createStsRoutes(createStsService(kernel, createIssuerKeys(parts.keys))),
  }
}
