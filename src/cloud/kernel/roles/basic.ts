/**
 * The basic roles. They have thousands of permissions on Google, so they are rules here, not lists; each exception is one that the
 * published lists show (https://cloud.google.com/iam/docs/roles-permissions). Of Cloud Storage the basic roles hold nothing on objects by themselves, but
 * every bucket grants them through its default bindings (projectOwner, projectEditor, projectViewer); both together are what the rules say.
 */
import type { RoleDefinition } from './types.ts'

export const basicRoles: readonly RoleDefinition[] = [
  { name: 'roles/owner', title: 'Owner', description: 'Full access to most Google Cloud resources.', permissions: [] },
  { name: 'roles/editor', title: 'Editor', description: 'View, create, update, and delete most Google Cloud resources.', permissions: [] },
  { name: 'roles/viewer', title: 'Viewer', description: 'View most Google Cloud resources.', permissions: [] },
]

/** Not even owners: acting as an account by token or signature, and what belongs to billing accounts and organisations. */
const NOT_OWNER =
  /^(iam\.serviceAccounts\.(getAccessToken|getOpenIdToken|implicitDelegation|signBlob|signJwt)|billing\.(accounts|resourceAssociations|credits)\..*|resourcemanager\.(projects\.create|organizations\..*))$/

/** What owners have and editors lack. */
const NOT_EDITOR = [
  /\.(setIamPolicy|createTagBinding|deleteTagBinding)$/,
  /^iam\.googleapis\.com\/.*\.(create|delete|undelete|update|setAttestationRules)$/,
  /^iam\.(roles\.(create|delete|undelete|update)|serviceAccounts\.undelete|operations\.get)$/,
  /^resourcemanager\.projects\.(createBillingAssignment|deleteBillingAssignment|delete|undelete|updateLiens|.*PolicyBinding)$/,
  /^secretmanager\.versions\.access$/,
  /^datastore\.(databases\.(bulkDelete|clone|create|delete|export|import)|backups\.restoreDatabase|locations\..*|operations\.(cancel|delete))$/,
  /^logging\.((buckets|exclusions|sinks)\.(create|delete|undelete|update)|privateLogEntries\.list|views\.access|fields\.access)$/,
]

const VIEWS = /\.(get|list|search|aggregatedList)([A-Z]\w*)?$/
const ALSO_VIEWS =
  /^(compute\.\w+\.useReadOnly|artifactregistry\.(repositories\.(downloadArtifacts|exportArtifacts|readViaVirtualRepository)|files\.download)|logging\.logEntries\.download)$/
const NOT_VIEWS = /^firebaseauth\.configs\.(getHashConfig|getSecret)$/

export function ownerHas(permission: string): boolean {
  return !NOT_OWNER.test(permission)
}

export function editorHas(permission: string): boolean {
  // Through the default bindings of buckets editors are their owners.
  if (/^storage\.(buckets|objects)\.setIamPolicy$/.test(permission)) return true
  return ownerHas(permission) && NOT_EDITOR.every((rule) => !rule.test(permission))
}

export function viewerHas(permission: string): boolean {
  return editorHas(permission) && !NOT_VIEWS.test(permission) && (VIEWS.test(permission) || ALSO_VIEWS.test(permission))
}
