/**
 * The methods that ask for no permission, each with the reason: `public` ones take no token at all, `authenticated` ones any valid token. Everything else in the
 * route tables names a permission. Tests keep this list and the tables equal: a new open method is a line here.
 */
const ASKS = 'tells callers what they themselves may do: that is the question'
const OWN = 'lists what the caller may see, which without any role is nothing'
const OPERATION = 'the handler looks who started it or who may see its project, as Google does'
const TOKENS = 'credentials are exchanged for tokens here'
const KEYS = 'public keys, with which anybody checks signatures'
const UPLOAD = 'the upload id in the link is the credential: starting the session was authorised'
const APP = 'apps of end users call with the API key of their project, and with the ID token of their user'
const LOGS = 'the projects are named in the body: the handler asks for the permission on each'
const ROLES = 'predefined roles are the same for everybody'

/** Method id -> why it needs no permission. */
export const openMethods: Readonly<Record<string, string>> = {
  'artifactregistry.projects.locations.operations.get': OPERATION,
  'artifactregistry.projects.locations.repositories.testIamPermissions': ASKS,
  'cloudbilling.billingAccounts.list': OWN,
  'cloudbilling.billingAccounts.testIamPermissions': ASKS,
  'cloudresourcemanager.operations.get': OPERATION,
  'cloudresourcemanager.projects.list': OWN,
  'cloudresourcemanager.projects.search': OWN,
  'cloudresourcemanager.projects.testIamPermissions': ASKS,
  'compute.disks.testIamPermissions': ASKS,
  'compute.images.testIamPermissions': ASKS,
  'compute.instanceTemplates.testIamPermissions': ASKS,
  'compute.instances.testIamPermissions': ASKS,
  'compute.snapshots.testIamPermissions': ASKS,
  'iam.permissions.queryTestablePermissions': ROLES,
  'iam.projects.locations.workloadIdentityPools.testIamPermissions': ASKS,
  'iam.projects.serviceAccounts.testIamPermissions': ASKS,
  'iam.roles.get': ROLES,
  'iam.roles.list': ROLES,
  'iam.roles.queryGrantableRoles': ROLES,
  'identitytoolkit.accounts.delete': APP,
  'identitytoolkit.accounts.lookup': APP,
  'identitytoolkit.accounts.signInWithCustomToken': APP,
  'identitytoolkit.accounts.signInWithPassword': APP,
  'identitytoolkit.accounts.signUp': APP,
  'identitytoolkit.accounts.update': APP,
  'identitytoolkit.tokenCertificates': KEYS,
  'identitytoolkit.tokenKeys': KEYS,
  'logging.entries.list': LOGS,
  'logging.entries.write': LOGS,
  'oauth2.certs': KEYS,
  'oauth2.discovery': 'tells everybody where keys and endpoints are',
  'oauth2.revoke': 'the token to end is the credential',
  'oauth2.serviceAccountCertificates': KEYS,
  'oauth2.serviceAccountKeys': KEYS,
  'oauth2.token': TOKENS,
  'oauth2.tokeninfo': 'the token that is asked about is the credential',
  'oauth2.userinfo': 'tells callers who they are',
  'secretmanager.projects.secrets.testIamPermissions': ASKS,
  'securetoken.token': TOKENS,
  'serviceusage.operations.get': OPERATION,
  'storage.buckets.testIamPermissions': ASKS,
  'storage.objects.cancelUpload': UPLOAD,
  'storage.objects.insert': UPLOAD,
  'sts.introspect': 'the token that is asked about is the credential',
  'sts.token': TOKENS,
}
