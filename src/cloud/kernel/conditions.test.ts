import { expect, test } from 'vitest'
import { openDatabase } from '../../store/database.ts'
import type { ApiError } from './api-error.ts'
import { federatedPrincipal } from '../../oidc/provider.ts'
import { createPolicies } from './policy.ts'
import type { Binding, Policies } from './policy.ts'
import { serviceAccountPrincipal, userPrincipal } from './principal.ts'

const ada = userPrincipal('ada@example.com')
const member = ada.member

function start(nowMs = () => Date.parse('2026-06-01T12:00:00Z')): Policies {
  return createPolicies(openDatabase(':memory:'), { nowMs, projectNumber: () => '123' })
}

function conditional(role: string, expression: string, members = [member]): Binding {
  return { role, members, condition: { title: 'only then', expression } }
}

function errorOf(work: () => unknown): ApiError {
  try {
    work()
  } catch (error) {
    return error as ApiError
  }
  throw new Error('nothing was thrown')
}

test('a binding with a condition grants while the condition holds', () => {
  let now = Date.parse('2026-06-01T12:00:00Z')
  const policies = start(() => now)
  policies.set('projects/p', { version: 3, bindings: [conditional('roles/storage.objectViewer', 'request.time < timestamp("2026-06-02T00:00:00Z")')] })
  const may = () => policies.can(ada, 'storage.objects.get', { projectId: 'p', resource: 'buckets/b' })
  expect(may()).toBe(true)
  now = Date.parse('2026-06-02T00:00:00Z')
  expect(may()).toBe(false)
})

test('conditions see name, type and service of what is asked for', () => {
  const policies = start()
  const holds = (expression: string, permission: string, target: object) => {
    policies.set('projects/p', {
      version: 3,
      bindings: ['storage.admin', 'compute.admin', 'artifactregistry.admin', 'secretmanager.admin', 'iam.serviceAccountAdmin', 'resourcemanager.projectIamAdmin'].map((role) =>
        conditional(`roles/${role}`, expression),
      ),
    })
    return policies.can(ada, permission, { projectId: 'p', ...target })
  }
  const object = { resource: 'buckets/b', name: 'projects/_/buckets/b/objects/releases/1' }
  expect(holds('resource.name.startsWith("projects/_/buckets/b/objects/releases/")', 'storage.objects.get', object)).toBe(true)
  expect(holds('resource.name.startsWith("projects/_/buckets/b/objects/secret/")', 'storage.objects.get', object)).toBe(false)
  expect(holds('resource.type == "storage.googleapis.com/Object" && resource.service == "storage.googleapis.com"', 'storage.objects.get', object)).toBe(true)
  expect(holds('resource.type == "storage.googleapis.com/Bucket" && resource.name == "projects/_/buckets/b"', 'storage.buckets.get', { resource: 'buckets/b' })).toBe(true)
  expect(
    holds('resource.type == "compute.googleapis.com/Instance" && resource.name.extract("instances/{name}") == "dev"', 'compute.instances.get', {
      resource: 'projects/p/zones/z/instances/dev',
    }),
  ).toBe(true)
  expect(
    holds('resource.type == "artifactregistry.googleapis.com/Repository"', 'artifactregistry.repositories.get', { resource: 'projects/p/locations/l/repositories/pypi' }),
  ).toBe(true)
  expect(holds('resource.name == "projects/123/secrets/s"', 'secretmanager.secrets.get', { resource: 'projects/p/secrets/s' })).toBe(true)
  expect(holds('resource.type == "iam.googleapis.com/ServiceAccount"', 'iam.serviceAccounts.get', { resource: 'projects/p/serviceAccounts/e' })).toBe(true)
  expect(
    holds(
      'resource.service == "cloudresourcemanager.googleapis.com" && resource.type == "cloudresourcemanager.googleapis.com/Project"',
      'resourcemanager.projects.getIamPolicy',
      {},
    ),
  ).toBe(true)
})

test('conditions that cannot be are refused; basic roles and everybody take none', () => {
  const policies = start()
  const set = (binding: Binding, version = 3) => errorOf(() => policies.set('projects/p', { version, bindings: [binding] })).message
  expect(set(conditional('roles/viewer', 'true'))).toContain("Conditions can't be set on primitive roles")
  expect(set(conditional('roles/storage.admin', 'true', ['allUsers']))).toContain('allUsers')
  expect(set(conditional('roles/storage.admin', 'request.time <'))).toContain('ConditionCompileCheck')
  expect(set(conditional('roles/storage.admin', 'resource.owner == "x"'))).toContain('ConditionCompileCheck')
  expect(set(conditional('roles/storage.admin', '"yes"'))).toContain('not bool')
  expect(set({ ...conditional('roles/storage.admin', 'true'), condition: { expression: 'true' } })).toContain('title')
  expect(set({ ...conditional('roles/storage.admin', 'true'), condition: { title: 'x' } })).toContain('expression')
  expect(set(conditional('roles/storage.admin', 'true'), 1)).toContain('version 3')
})

test('whoever read a policy without its conditions cannot write it over them, except without etag', () => {
  const policies = start()
  const { etag } = policies.set('projects/p', { version: 3, bindings: [conditional('roles/storage.admin', 'true')] })
  expect(policies.get('projects/p').version).toBe(3)
  expect(errorOf(() => policies.set('projects/p', { version: 1, etag, bindings: [] })).message).toContain('version 3')
  expect(
    errorOf(() => policies.set('projects/p', { version: 3, etag, bindings: [{ role: 'roles/storage.admin_withcond_0123456789abcdef0123', members: [member] }] })).message,
  ).toContain('requestedPolicyVersion 3')
  expect(policies.set('projects/p', { bindings: [{ role: 'roles/storage.admin', members: [member] }] })).toMatchObject({ version: 1 })
})

test('the same role under two conditions stays two bindings; equal ones become one', () => {
  const policies = start()
  const one = conditional('roles/storage.admin', 'resource.name == "a"')
  const { bindings } = policies.set('projects/p', {
    version: 3,
    bindings: [one, { ...one, members: ['user:b@example.com'] }, conditional('roles/storage.admin', 'true'), { role: 'roles/storage.admin', members: [member] }],
  })
  expect(bindings.map((binding) => [binding.condition?.['expression'], binding.members])).toEqual(
    expect.arrayContaining([
      ['resource.name == "a"', [member, 'user:b@example.com']],
      ['true', [member]],
      [undefined, [member]],
    ]),
  )
  expect(bindings).toHaveLength(3)
  policies.renameMember(member, 'user:c@example.com')
  expect(policies.get('projects/p').bindings.filter((binding) => binding.condition !== undefined)).toHaveLength(2)
})

test('a 403 tells of a role whose condition does not hold, and names the narrowest roles first', () => {
  const policies = start()
  policies.set('projects/p', { version: 3, bindings: [conditional('roles/storage.objectViewer', 'resource.name == "x"')] })
  const { message } = errorOf(() => policies.require(ada, 'storage.objects.get', { projectId: 'p', resource: 'buckets/b' }))
  expect(message).toMatch(
    /^Permission 'storage\.objects\.get' denied on resource 'buckets\/b' \(or it may not exist\) for ada@example\.com\. It has roles\/storage\.objectViewer on projects\/p under the condition "only then" \(resource\.name == "x"\), which does not hold for this request\. Roles that have it: roles\/storage\.\w+/,
  )
})

test('federated identities match their subject, groups, attributes and pool; not another, nor allAuthenticatedUsers', () => {
  const policies = start()
  const pool = { projectNumber: '123', poolId: 'github' }
  const base = '//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/github'
  const caller = federatedPrincipal(pool, { subject: 'repo:o/r', groups: ['g'], attributes: { repository_id: '1' } })
  const may = (name: string) => {
    policies.set('projects/p', { bindings: [{ role: 'roles/viewer', members: [name] }] })
    return policies.can(caller, 'compute.instances.get', { projectId: 'p' })
  }
  for (const good of [`principal:${base}/subject/repo:o/r`, `principalSet:${base}/group/g`, `principalSet:${base}/attribute.repository_id/1`, `principalSet:${base}/*`, 'allUsers'])
    expect(may(good), good).toBe(true)
  for (const bad of [
    `principal:${base}/subject/repo:o/r2`,
    `principalSet:${base}/group/h`,
    `principalSet:${base}/attribute.repository_id/2`,
    `principalSet:${base}/attribute.repository/1`,
    `principalSet:${base.replace('github', 'gitlab')}/*`,
    `principalSet:${base.replace('123', '124')}/*`,
    'allAuthenticatedUsers',
  ]) {
    expect(may(bad), bad).toBe(false)
  }
})

test('custom roles grant what they list while they are neither deleted nor disabled, in their own project', () => {
  const policies = start()
  let isUsable = true
  policies.useCustomRoles((name) =>
    name === 'projects/p/roles/baker' ? { permissions: ['compute.images.create', 'iam.googleapis.com/workloadIdentityPools.get'], isUsable } : undefined,
  )
  policies.set('projects/p', { bindings: [{ role: 'projects/p/roles/baker', members: [member] }] })
  const may = (permission: string) => policies.can(ada, permission, { projectId: 'p' })
  expect([may('compute.images.create'), may('compute.images.delete'), may('iam.workloadIdentityPools.get')]).toEqual([true, false, true])
  isUsable = false
  expect(may('compute.images.create')).toBe(false)
  expect(errorOf(() => policies.set('projects/q', { bindings: [{ role: 'projects/p/roles/baker', members: [member] }] })).message).toContain(
    "does not exist in the resource's hierarchy",
  )
  expect(errorOf(() => policies.set('projects/p', { bindings: [{ role: 'projects/p/roles/nobody', members: [member] }] })).message).toContain(
    "does not exist in the resource's hierarchy",
  )
  expect(policies.can(serviceAccountPrincipal('x@p.iam.gserviceaccount.com'), 'compute.images.create', { projectId: 'p' })).toBe(false)
})
