/** Which predefined role gives a permission, for hints. The smallest role that an administrator would grant; first match wins. */
const rolesByPrefix: readonly (readonly [prefix: string, role: string])[] = [
  ['artifactregistry.repositories.uploadArtifacts', 'roles/artifactregistry.writer'],
  ['artifactregistry.repositories.downloadArtifacts', 'roles/artifactregistry.reader'],
  ['artifactregistry.', 'roles/artifactregistry.admin'],
  ['billing.', 'roles/billing.user'],
  ['compute.firewalls.', 'roles/compute.securityAdmin'],
  ['compute.images.', 'roles/compute.storageAdmin'],
  ['compute.instances.', 'roles/compute.instanceAdmin.v1'],
  ['compute.', 'roles/compute.admin'],
  ['datastore.', 'roles/datastore.owner'],
  ['dns.', 'roles/dns.admin'],
  ['firebaseauth.', 'roles/firebaseauth.admin'],
  ['firebaserules.', 'roles/firebaserules.admin'],
  ['iam.serviceAccounts.actAs', 'roles/iam.serviceAccountUser'],
  ['iam.serviceAccounts.getAccessToken', 'roles/iam.serviceAccountTokenCreator'],
  ['iam.workloadIdentityPool', 'roles/iam.workloadIdentityPoolAdmin'],
  ['iam.roles.', 'roles/iam.roleAdmin'],
  ['iam.', 'roles/iam.serviceAccountAdmin'],
  ['logging.', 'roles/logging.admin'],
  ['monitoring.', 'roles/monitoring.viewer'],
  ['resourcemanager.projects.createBillingAssignment', 'roles/billing.projectManager'],
  ['resourcemanager.projects.create', 'roles/resourcemanager.projectCreator'],
  ['resourcemanager.projects.delete', 'roles/resourcemanager.projectDeleter'],
  ['resourcemanager.projects.setIamPolicy', 'roles/resourcemanager.projectIamAdmin'],
  ['resourcemanager.projects.getIamPolicy', 'roles/resourcemanager.projectIamAdmin'],
  ['resourcemanager.', 'roles/browser'],
  ['secretmanager.versions.access', 'roles/secretmanager.secretAccessor'],
  ['secretmanager.', 'roles/secretmanager.admin'],
  ['serviceusage.services.use', 'roles/serviceusage.serviceUsageConsumer'],
  ['serviceusage.', 'roles/serviceusage.serviceUsageAdmin'],
  ['storage.objects.', 'roles/storage.objectAdmin'],
  ['storage.', 'roles/storage.admin'],
]

/** The role to propose for a permission such as `compute.instances.create`, or undefined when the table has none. */
export function roleForPermission(permission: string): string | undefined {
  return rolesByPrefix.find(([prefix]) => permission.startsWith(prefix))?.[1]
}
