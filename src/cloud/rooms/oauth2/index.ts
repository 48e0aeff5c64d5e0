/** Google's OAuth 2.0 endpoints: tokens for key files and for the owner, and what checks them. */
import type { Room } from '../../kernel/room.ts'
import { createOauthRoutes } from './routes.ts'
import { createOauthService } from './service.ts'

export interface Oauth2RoomParts {
  /** The refresh token in the owner's `authorized_user` credentials. Without one nobody gets the owner's tokens here. */
  readonly ownerRefreshToken?: () => string | undefined
}

/** Uses the ports `serviceAccounts` and `serviceAccountKeys`. Keeps nothing of its own. */
export function createOauth2Room(parts: Oauth2RoomParts = {}): Room {
  return {
    id: 'oauth2',
    service: 'oauth2.googleapis.com',
    alwaysEnabled: true,
    hosts: [
      { name: 'api', match: 'oauth2.googleapis.com' },
      { name: 'www', match: 'www.googleapis.com', paths: /^\/(oauth2|userinfo|service_accounts|robot)\// },
      { name: 'accounts', match: 'accounts.google.com' },
      { name: 'openid', match: 'openidconnect.googleapis.com' },
    ],
    migrations: { namespace: 'oauth2', steps: [] },
    routes: (kernel) => createOauthRoutes(createOauthService(kernel, parts.ownerRefreshToken ?? (() => undefined))),
  }
}
