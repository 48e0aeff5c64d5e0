import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from './index.ts'

const api = 'iam.googleapis.com/v1'
const roles = `${api}/projects/moshi-3/roles`
const accounts = `${api}/projects/moshi-3/serviceAccounts`
const project = '//cloudresourcemanager.googleapis.com/projects/moshi-3'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createIamRoom()])
  cloud.addProject('moshi-3')
})
afterAll(() => cloud.close())

function create(roleId: string, role: object): Promise<CallResult> {
  return cloud.call('POST', roles, { body: { roleId, role } })
}

function setPolicy(bindings: readonly object[], more: object = {}): Promise<CallResult> {
  return cloud.call('POST', `${accounts}/${email}:setIamPolicy`, { body: { policy: { bindings, ...more } } })
}

const email = 'policy-sa@moshi-3.iam.gserviceaccount.com'

test('a custom role grants its permissions, until it is disabled or deleted, and again when it is back', async () => {
  const made = await create('accountLister', { title: 'Account Lister', stage: 'GA', includedPermissions: ['iam.serviceAccounts.list', 'iam.serviceAccounts.list'] })
  expect(made.json, made.text).toEqual({
    name: 'projects/moshi-3/roles/accountLister',
    title: 'Account Lister',
    stage: 'GA',
    etag: expect.any(String),
    includedPermissions: ['iam.serviceAccounts.list'],
  })
  cloud.kernel().policies.set('projects/moshi-3', { bindings: [{ role: made.json.name, members: ['user:ada@example.com'] }] })
  const list = async () => (await cloud.call('GET', accounts, { token: cloud.userToken('ada@example.com') })).status
  expect(await list()).toBe(200)
  const patch = (query: string, body: object) => cloud.call('PATCH', `${roles}/accountLister${query}`, { body })
  expect((await patch('?updateMask=includedPermissions', { includedPermissions: ['iam.serviceAccounts.get'], title: 'ignored' })).json).toMatchObject({
    title: 'Account Lister',
    includedPermissions: ['iam.serviceAccounts.get'],
  })
  expect(await list()).toBe(403)
  await patch('?updateMask=included_permissions,stage', { includedPermissions: ['iam.serviceAccounts.list'], stage: 'DISABLED' })
  expect(await list()).toBe(403)
  await patch('', { stage: 'GA' })
  expect(await list()).toBe(200)
  await cloud.restart()
  expect((await cloud.call('DELETE', `${roles}/accountLister`)).json).toMatchObject({ deleted: true })
  expect(await list()).toBe(403)
  expect((await create('accountLister', {})).json.error).toMatchObject({ status: 'FAILED_PRECONDITION', message: expect.stringContaining('deleted state') })
  expect((await cloud.call('GET', roles)).json.roles).toEqual([])
  expect((await cloud.call('GET', `${roles}?showDeleted=True&view=FULL`)).json.roles[0]).toMatchObject({ deleted: true, includedPermissions: ['iam.serviceAccounts.list'] })
  expect((await cloud.call('POST', `${roles}/accountLister:undelete`, { body: {} })).json.deleted).toBeUndefined()
  expect(await list()).toBe(200)
})

test('a custom role that cannot be is refused; two writers race for the etag', async () => {
  for (const [roleId, role, message] of [
    ['ab', {}, /role_id/],
    ['has-dash', {}, /role_id/],
    ['badPermission', { includedPermissions: ['storage.*'] }, /Permission storage\.\* is not valid\./],
    ['badPermission', { includedPermissions: ['nonsense'] }, /Permission nonsense is not valid\./],
    ['badPermission', { includedPermissions: ['resourcemanager.projects.list'] }, /Permission resourcemanager\.projects\.list is not valid\./],
    ['badStage', { stage: 'SOON' }, /stage/],
    ['longTitle', { title: 'x'.repeat(101) }, /title/],
  ] as const) {
    expect((await create(roleId, role)).json.error, roleId).toMatchObject({ code: 400, message: expect.stringMatching(message) })
  }
  const { etag } = (await create('racing', { title: 'Racing' })).json
  expect((await create('racing', {})).json.error).toMatchObject({ code: 409, message: 'A role named racing in projects/moshi-3 already exists.' })
  const write = () => cloud.call('PATCH', `${roles}/racing?updateMask=title`, { body: { title: 'New', etag } })
  const answers = await Promise.all([write(), write()])
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409])
  expect(answers.find((answer) => answer.status === 409)?.json.error.status).toBe('ABORTED')
  expect((await cloud.call('DELETE', `${roles}/racing?etag=${etag}`)).status).toBe(409)
  expect((await cloud.call('GET', `${roles}/nobody`)).json.error.message).toBe('The role named projects/moshi-3/roles/nobody was not found.')
})

test('predefined roles are shown with their permissions, the basic ones too', async () => {
  expect((await cloud.call('GET', `${api}/roles/artifactregistry.reader`)).json).toMatchObject({
    title: 'Artifact Registry Reader',
    stage: 'GA',
    includedPermissions: expect.arrayContaining(['artifactregistry.repositories.downloadArtifacts']),
  })
  const viewer = (await cloud.call('GET', `${api}/roles/viewer`)).json.includedPermissions
  expect(viewer).toContain('compute.instances.get')
  expect(viewer).not.toContain('compute.instances.delete')
  const listed = await cloud.call('GET', `${api}/roles?view=FULL&pageSize=1000`)
  expect(listed.json.roles.every((role: { includedPermissions: string[] }) => role.includedPermissions.length > 0)).toBe(true)
})

test('what can be granted and tested depends on the resource', async () => {
  await create('grantable', { includedPermissions: ['compute.instances.get'] })
  const names = async (verb: string, fullResourceName: string, key: string): Promise<string[]> => {
    const seen: string[] = []
    let pageToken = ''
    do {
      const answer = await cloud.call('POST', `${api}/${verb}`, { body: { fullResourceName, pageSize: 1000, pageToken } })
      seen.push(...answer.json[key].map((each: { name: string }) => each.name))
      pageToken = answer.json.nextPageToken ?? ''
    } while (pageToken !== '')
    return seen
  }
  const onProject = await names('roles:queryGrantableRoles', project, 'roles')
  expect(onProject).toEqual(expect.arrayContaining(['roles/owner', 'roles/compute.admin', 'projects/moshi-3/roles/grantable']))
  const onAccount = await names('roles:queryGrantableRoles', `//iam.googleapis.com/projects/moshi-3/serviceAccounts/${email}`, 'roles')
  expect(onAccount).toContain('roles/iam.workloadIdentityUser')
  expect(onAccount).not.toContain('roles/artifactregistry.reader')
  const testable = await names('permissions:queryTestablePermissions', project, 'permissions')
  expect(testable).toEqual(expect.arrayContaining(['compute.instances.get', 'storage.objects.get']))
  const onBucket = await names('permissions:queryTestablePermissions', '//storage.googleapis.com/projects/_/buckets/b', 'permissions')
  expect(onBucket.every((name) => name.startsWith('storage.'))).toBe(true)
  for (const bad of ['', 'projects/moshi-3', 'https://x'])
    expect((await cloud.call('POST', `${api}/roles:queryGrantableRoles`, { body: { fullResourceName: bad } })).status, bad).toBe(400)
  const stranger = await cloud.call('POST', `${api}/roles:queryGrantableRoles`, { body: { fullResourceName: project }, token: cloud.userToken('nobody@example.com') })
  expect(stranger.status, 'custom roles are the project’s own').toBe(403)
})

test('a policy keeps its conditions from readers and writers that do not know them', async () => {
  await cloud.call('POST', accounts, { body: { accountId: 'policy-sa' } })
  const condition = { title: 'until then', description: 'for the migration', expression: 'request.time < timestamp("2100-01-01T00:00:00Z")' }
  const binding = { role: 'roles/iam.serviceAccountUser', members: ['user:ada@example.com'], condition }
  expect((await setPolicy([binding], { version: 1 })).json.error).toMatchObject({ code: 400, message: expect.stringContaining('version 3') })
  expect((await setPolicy([binding])).status).toBe(400)
  const written = await setPolicy([binding, { role: 'roles/iam.serviceAccountViewer', members: ['user:ada@example.com'] }], { version: 3 })
  expect(written.json, written.text).toMatchObject({ version: 3, bindings: expect.arrayContaining([binding]) })
  const get = async (version: string) => (await cloud.call('POST', `${accounts}/${email}:getIamPolicy${version}`)).json
  expect(await get('?options.requestedPolicyVersion=3')).toEqual(written.json)
  const old = await get('')
  expect(old).toMatchObject({ version: 1, etag: written.json.etag })
  expect(old.bindings.map((each: { role: string }) => each.role).sort()).toEqual([
    expect.stringMatching(/^roles\/iam\.serviceAccountUser_withcond_[0-9a-f]{20}$/),
    'roles/iam.serviceAccountViewer',
  ])
  expect(JSON.stringify(old)).not.toContain('until then')
  expect((await setPolicy(old.bindings, { etag: old.etag })).status, 'written back as it was read').toBe(400)
  const asked = await cloud.call('POST', `${accounts}/${email}:testIamPermissions`, {
    token: cloud.userToken('ada@example.com'),
    body: { permissions: ['iam.serviceAccounts.actAs'] },
  })
  expect(asked.json).toEqual({ permissions: ['iam.serviceAccounts.actAs'] })
})
