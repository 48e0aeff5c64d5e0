/** Every room of the pocket cloud: adding one is a folder below src/cloud/rooms and a line here. */
import type { Authority } from '../../cloud/front/authority.ts'
import type { Room } from '../../cloud/kernel/room.ts'
import { createArtifactRegistryRoom } from '../../cloud/rooms/artifactregistry/index.ts'
import { createCloudBillingRoom } from '../../cloud/rooms/cloudbilling/index.ts'
import { createCloudResourceManagerRoom } from '../../cloud/rooms/cloudresourcemanager/index.ts'
import { createComputeRoom } from '../../cloud/rooms/compute/index.ts'
import type { PublicImages } from '../../cloud/rooms/compute/index.ts'
import { createDnsRoom } from '../../cloud/rooms/dns/index.ts'
import { createFirestoreRoom } from '../../cloud/rooms/firestore/index.ts'
import { createIamRoom } from '../../cloud/rooms/iam/index.ts'
import { createIamCredentialsRoom } from '../../cloud/rooms/iamcredentials/index.ts'
import { createIdentityToolkitRoom } from '../../cloud/rooms/identitytoolkit/index.ts'
import { createLoggingRoom } from '../../cloud/rooms/logging/index.ts'
import { createMonitoringRoom } from '../../cloud/rooms/monitoring/index.ts'
import { createOauth2Room } from '../../cloud/rooms/oauth2/index.ts'
import { createSecretManagerRoom } from '../../cloud/rooms/secretmanager/index.ts'
import { createServiceUsageRoom } from '../../cloud/rooms/serviceusage/index.ts'
import { createStorageRoom } from '../../cloud/rooms/storage/index.ts'
import { createStsRoom } from '../../cloud/rooms/sts/index.ts'
import { idleMs } from '../../host/idle.ts'
import { guestHosts } from './guest-hosts.ts'
import type { VmDriver } from '../../vm/driver.ts'
import { serveMetadata } from '../../vm/metadata-server.ts'

export interface RoomParts {
  readonly driver: VmDriver
  readonly publicImages: PublicImages
  /** The refresh token of the owner's credentials. */
  readonly ownerRefreshToken: string
  /** Signs server certificates with the cloud's own authority. Default: none can be issued. */
  readonly signCertificate?: Authority['issue']
  /** The way in of VMs. */
  readonly guests: { readonly socket: string; readonly authority: string }
}

/** Makes all rooms, in the order in which they start. */
export function createRooms(parts: RoomParts): readonly Room[] {
  const rooms: readonly Room[] = [
    createCloudResourceManagerRoom(),
    createCloudBillingRoom(),
    createServiceUsageRoom(),
    createIamRoom(),
    createIamCredentialsRoom(),
    createStsRoom(),
    createIdentityToolkitRoom(),
    createOauth2Room({ ownerRefreshToken: () => parts.ownerRefreshToken }),
    createArtifactRegistryRoom(),
    createStorageRoom(),
    createSecretManagerRoom(),
    createDnsRoom(),
    createFirestoreRoom(),
    createLoggingRoom(),
    createMonitoringRoom(),
    createComputeRoom({
      driver: parts.driver,
      publicImages: parts.publicImages,
      serveMetadata,
      idleMs,
      ...(parts.signCertificate === undefined ? {} : { signCertificate: parts.signCertificate }),
      guestAccess: { ...parts.guests, hosts: () => guestHosts(rooms) },
    }),
  ]
  return rooms
}
