/** IAM Service Account Credentials: short-lived tokens and signatures of accounts that the caller may act as. */
import type { Room } from '../../kernel/room.ts'
import { createCredentialsRoutes } from './routes.ts'
import { createCredentialsService } from './service.ts'

/** Uses the ports `serviceAccounts` and `serviceAccountKeys`. Keeps nothing of its own. */
export function createIamCredentialsRoom(): Room {
  return {
    id: 'iamcredentials',
    service: 'iamcredentials.googleapis.com',
    hosts: [{ name: 'api', match: 'iamcredentials.googleapis.com' }],
    migrations: { namespace: 'iamcredentials', steps: [] },
    routes: (kernel) => createCredentialsRoutes(createCredentialsService(kernel)),
  }
}
