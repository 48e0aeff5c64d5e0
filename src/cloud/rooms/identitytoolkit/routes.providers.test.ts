/** Identity providers of a project. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCloud } from '../../kernel/testing.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createIdentityToolkitRoom } from './index.ts'

const base = 'identitytoolkit.googleapis.com/v2/projects/p-one'
const providers = `${base}/defaultSupportedIdpConfigs`
const google = { enabled: true, clientId: '1.apps.googleusercontent.com', clientSecret: 'shh' }

let cloud: TestCloud
beforeAll(async () => {
  cloud = await startTestCloud(() => [createIdentityToolkitRoom()])
  cloud.addProject('p-one')
})
afterAll(() => cloud.close())

test('made, shown, changed by mask, listed, deleted', async () => {
  expect((await cloud.call('POST', `${providers}?idpId=google.com`, { body: google })).status).toBe(404)
  await cloud.call('POST', `${base}/identityPlatform:initializeAuth`, { body: {} })
  expect((await cloud.call('POST', `${providers}?idpId=example.com`, { body: google })).json.error.message).toContain('INVALID_IDP_ID')
  expect((await cloud.call('POST', `${providers}?idpId=google.com`, { body: { enabled: true } })).status).toBe(400)
  expect((await cloud.call('POST', `${providers}?idpId=google.com`, { body: google })).json).toMatchObject({ ...google, name: expect.stringMatching(/\/google\.com$/) })
  expect((await cloud.call('POST', `${providers}?idpId=google.com`, { body: google })).status).toBe(409)
  expect((await cloud.call('PATCH', `${providers}/google.com?updateMask=enabled`, { body: { enabled: false, clientId: 'other' } })).json).toMatchObject({
    ...google,
    enabled: false,
  })
  expect((await cloud.call('PATCH', `${providers}/google.com?updateMask=colour`, { body: {} })).status).toBe(400)
  expect((await cloud.call('GET', providers)).json.defaultSupportedIdpConfigs).toHaveLength(1)
  expect((await cloud.call('DELETE', `${providers}/google.com`)).status).toBe(200)
  expect((await cloud.call('GET', `${providers}/google.com`)).status).toBe(404)
  expect((await cloud.call('DELETE', `${providers}/google.com`)).status).toBe(404)
})

test('who may look does not see the secret', async () => {
  await cloud.call('POST', `${providers}?idpId=google.com`, { body: google })
  cloud.kernel().policies.grant('projects/p-one', 'roles/firebaseauth.viewer', 'user:ann@example.com')
  const seen = await cloud.call('GET', `${providers}/google.com`, { token: cloud.userToken('ann@example.com') })
  expect(seen.status).toBe(200)
  expect(seen.text).not.toContain('shh')
})
