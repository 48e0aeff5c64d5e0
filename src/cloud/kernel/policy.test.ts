import { expect, test } from 'vitest'
import { openDatabase } from '../../store/database.ts'
import { createPolicies } from './policy.ts'
import { serviceAccountPrincipal } from './principal.ts'
import { createProjects } from './projects.ts'
import { allRoles, findRole, roleGrants } from './roles/index.ts'

test('the basic roles have what Google publishes for them', () => {
  const holders = (permission: string): string => ['owner', 'editor', 'viewer'].filter((role) => roleGrants(`roles/${role}`, permission)).join(' ')
  const expected: Readonly<Record<string, string>> = {
    'compute.instances.get': 'owner editor viewer',
    'compute.instances.getSerialPortOutput': 'owner editor viewer',
    'compute.images.getFromFamily': 'owner editor viewer',
    'compute.images.useReadOnly': 'owner editor viewer',
    'compute.instances.create': 'owner editor',
    'compute.instances.setIamPolicy': 'owner',
    'artifactregistry.repositories.downloadArtifacts': 'owner editor viewer',
    'artifactregistry.repositories.uploadArtifacts': 'owner editor',
    'artifactregistry.repositories.setIamPolicy': 'owner',
    'secretmanager.versions.access': 'owner',
    'secretmanager.secrets.get': 'owner editor viewer',
    'secretmanager.versions.add': 'owner editor',
    'iam.serviceAccounts.actAs': 'owner editor',
    'iam.serviceAccountKeys.create': 'owner editor',
    'iam.serviceAccounts.undelete': 'owner',
    'iam.serviceAccounts.setIamPolicy': 'owner',
    'iam.serviceAccounts.getAccessToken': '',
    'iam.serviceAccounts.getOpenIdToken': '',
    'iam.serviceAccounts.signBlob': '',
    'iam.workloadIdentityPools.create': 'owner',
    'iam.workloadIdentityPools.get': 'owner editor viewer',
    'resourcemanager.projects.get': 'owner editor viewer',
    'resourcemanager.projects.update': 'owner editor',
    'resourcemanager.projects.setIamPolicy': 'owner',
    'resourcemanager.projects.delete': 'owner',
    'resourcemanager.projects.create': '',
    'resourcemanager.projects.createBillingAssignment': 'owner',
    'billing.resourceAssociations.create': '',
    'serviceusage.services.enable': 'owner editor',
    'datastore.databases.create': 'owner',
    'datastore.entities.update': 'owner editor',
    'firebaseauth.configs.getSecret': 'owner editor',
    'firebaseauth.users.get': 'owner editor viewer',
    'logging.privateLogEntries.list': 'owner',
  }
  for (const [permission, who] of Object.entries(expected)) expect(`${permission}: ${holders(permission)}`).toBe(`${permission}: ${who}`)
})

test('every role is well formed and listed once', () => {
  const names = allRoles().map((role) => role.name)
  expect(new Set(names).size).toBe(names.length)
  for (const role of allRoles()) {
    expect(role.name).toMatch(/^roles\/[\w.]+$/)
    expect(new Set(role.permissions).size, role.name).toBe(role.permissions.length)
    for (const permission of role.permissions) expect(permission, role.name).toMatch(/^[a-z]+(\.googleapis\.com\/\w+)?(\.\w+){1,2}$/)
  }
  for (const name of ['iam.serviceAccountUser', 'iam.serviceAccountTokenCreator', 'datastore.user', 'logging.logWriter', 'monitoring.metricWriter'])
    expect(findRole(`roles/${name}`), name).toBeDefined()
})

test('a renamed member keeps its roles under the new name, everywhere, with a new etag; a moved policy replaces', () => {
  const policies = createPolicies(openDatabase(':memory:'))
  const member = 'serviceAccount:a@p-one.iam.gserviceaccount.com'
  policies.grant('projects/p-one', 'roles/viewer', member)
  policies.grant('projects/p-one/things/t', 'roles/editor', member)
  policies.grant('projects/p-two', 'roles/viewer', `${member}.example.com`)
  const before = policies.get('projects/p-one').etag
  policies.renameMember(member, `deleted:${member}?uid=1`)
  expect(policies.can(serviceAccountPrincipal('a@p-one.iam.gserviceaccount.com'), 'compute.instances.get', { projectId: 'p-one', resource: 'projects/p-one/things/t' })).toBe(false)
  expect(policies.get('projects/p-one').etag).not.toBe(before)
  expect(policies.get('projects/p-two').bindings[0]?.members).toEqual([`${member}.example.com`])
  policies.renameMember(`deleted:${member}?uid=1`, member)
  expect(policies.can(serviceAccountPrincipal('a@p-one.iam.gserviceaccount.com'), 'compute.instances.create', { projectId: 'p-one', resource: 'projects/p-one/things/t' })).toBe(
    true,
  )
  policies.move('projects/p-one/things/t', 'projects/p-two')
  expect(policies.get('projects/p-two').bindings).toEqual([{ role: 'roles/editor', members: [member] }])
  expect(policies.get('projects/p-one/things/t').bindings).toEqual([])
})

test('a member check only asks about members that are new', () => {
  const policies = createPolicies(openDatabase(':memory:'))
  policies.grant('projects/p-one', 'roles/viewer', 'user:gone@example.com')
  policies.checkMembers((member) => (member.includes('gone') ? `${member} is gone` : undefined))
  const bindings = [...policies.get('projects/p-one').bindings, { role: 'roles/editor', members: ['user:here@example.com'] }]
  expect(policies.set('projects/p-one', { bindings }).bindings).toHaveLength(2)
  expect(() => policies.set('projects/p-one', { bindings: [{ role: 'roles/viewer', members: ['user:also-gone@example.com'] }] })).toThrow('user:also-gone@example.com is gone')
})

test('a listener that fails undoes the enabling that it heard of', () => {
  const projects = createProjects(openDatabase(':memory:'))
  projects.insert({ projectId: 'p-one', projectNumber: '1', displayName: 'One', labels: {}, state: 'ACTIVE', createTime: new Date().toISOString() })
  projects.onServiceEnabled((_project, service) => {
    if (service === 'bad.googleapis.com') throw new Error('no')
  })
  projects.setService('p-one', 'good.googleapis.com', true)
  expect(() => projects.setService('p-one', 'bad.googleapis.com', true)).toThrow('no')
  expect(projects.enabledServices('p-one')).toEqual(['good.googleapis.com'])
})
