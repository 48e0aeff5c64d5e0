/** Predefined roles by service. https://cloud.google.com/iam/docs/understanding-roles */
import { artifactRegistryRoles } from './artifactregistry.ts'
import { billingRoles } from './billing.ts'
import { computeRoles } from './compute.ts'
import { datastoreRoles } from './datastore.ts'
import { dnsRoles } from './dns.ts'
import { firebaseRoles } from './firebase.ts'
import { iamRoles } from './iam.ts'
import { observabilityRoles } from './observability.ts'
import { resourcemanagerRoles } from './resourcemanager.ts'
import { secretmanagerRoles } from './secretmanager.ts'
import { serviceusageRoles } from './serviceusage.ts'
import { storageRoles } from './storage.ts'
import type { RoleDefinition } from './types.ts'

export const serviceRoles: readonly RoleDefinition[] = [
  ...artifactRegistryRoles,
  ...billingRoles,
  ...computeRoles,
  ...datastoreRoles,
  ...dnsRoles,
  ...firebaseRoles,
  ...iamRoles,
  ...observabilityRoles,
  ...resourcemanagerRoles,
  ...secretmanagerRoles,
  ...serviceusageRoles,
  ...storageRoles,
]
