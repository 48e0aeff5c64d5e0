import { afterAll, beforeAll, expect, test } from 'vitest'
import { federatedPrincipal } from '../../../oidc/provider.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from './index.ts'

const api = 'iam.googleapis.com/v1'
let cloud: TestCloud
let number: string
let count = 0

beforeAll(async () => {
  cloud = await startTestCloud(() => [createIamRoom()])
  cloud.addProject('moshi-3')
  cloud.addProject('other-1')
  number = cloud.kernel().projects.find('moshi-3')?.projectNumber ?? ''
})
afterAll(() => cloud.close())

const poolsOf = (project = 'moshi-3'): string => `${api}/projects/${project}/locations/global/workloadIdentityPools`

async function newPool(): Promise<string> {
  count += 1
  const made = await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=pool-${count}&alt=json`, { body: { disabled: false, displayName: `Pool ${count}` } })
  expect(made.status, made.text).toBe(200)
  return `pool-${count}`
}

const oidc = { attributeMapping: { 'google.subject': 'assertion.sub' }, oidc: { issuerUri: 'https://issuer.example.com' } }

function createProvider(pool: string, id: string, body: object = oidc): Promise<CallResult> {
  return cloud.call('POST', `${poolsOf()}/${pool}/providers?workloadIdentityPoolProviderId=${id}`, { body })
}

test('a pool is made by an operation that can be asked for, under id and number, and survives a restart', async () => {
  const made = await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=github&alt=json`, { body: { disabled: false, displayName: 'GitHub' } })
  const name = `projects/${number}/locations/global/workloadIdentityPools/github`
  expect(made.json).toMatchObject({
    name: expect.stringMatching(new RegExp(`^${name}/operations/`)),
    done: true,
    response: { '@type': 'type.googleapis.com/google.iam.v1.WorkloadIdentityPool', name },
  })
  expect((await cloud.call('GET', `${api}/${made.json.name}`)).json).toEqual(made.json)
  expect((await cloud.call('GET', `${api}/${made.json.name.replace(number, 'other-1')}`)).status).toBe(404)
  await cloud.restart()
  for (const project of ['moshi-3', number]) {
    expect((await cloud.call('GET', `${poolsOf(project)}/github`)).json).toEqual({ name, displayName: 'GitHub', state: 'ACTIVE' })
  }
  expect((await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=github`, { body: {} })).json.error).toMatchObject({ code: 409, message: 'Requested entity already exists' })
  expect((await cloud.call('GET', `${poolsOf()}/nothing-here`)).json.error).toMatchObject({ code: 404, message: expect.stringContaining('Requested entity was not found') })
  expect((await cloud.call('GET', `${poolsOf()}/github:listAttestationRules`)).json).toEqual({ attestationRules: [] })
  expect((await cloud.call('GET', `${poolsOf('other-1')}`)).json).toEqual({ workloadIdentityPools: [] })
})

test('names that cannot be are refused', async () => {
  for (const id of ['', 'abc', 'Upper-Case', 'a'.repeat(33), 'under_score', 'gcp-mine', 'a%2Fb%2Fc']) {
    expect((await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=${id}`, { body: {} })).status, id).toBe(400)
  }
  const there = `${api}/projects/moshi-3/locations/europe-west1/workloadIdentityPools`
  expect((await cloud.call('POST', `${there}?workloadIdentityPoolId=elsewhere`, { body: {} })).status).toBe(400)
  expect((await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=long-name`, { body: { displayName: 'x'.repeat(33) } })).status).toBe(400)
  expect((await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=trusting`, { body: { mode: 'TRUST_DOMAIN' } })).status).toBe(501)
})

test('deleting is soft: the id stays taken, the pool can come back', async () => {
  const pool = await newPool()
  await createProvider(pool, 'actions')
  expect((await cloud.call('DELETE', `${poolsOf()}/${pool}`)).json.done).toBe(true)
  expect((await cloud.call('GET', `${poolsOf()}/${pool}`)).json).toMatchObject({ state: 'DELETED', expireTime: expect.stringMatching(/^\d{4}-/) })
  const ids = async (query: string): Promise<string[]> =>
    (await cloud.call('GET', `${poolsOf()}${query}`)).json.workloadIdentityPools.map((each: { name: string }) => each.name.split('/').at(-1))
  expect(await ids('')).not.toContain(pool)
  expect(await ids('?showDeleted=True')).toContain(pool)
  expect((await cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=${pool}`, { body: {} })).status).toBe(409)
  expect((await cloud.call('PATCH', `${poolsOf()}/${pool}?updateMask=displayName`, { body: { displayName: 'x' } })).json.error.status).toBe('FAILED_PRECONDITION')
  expect((await createProvider(pool, 'another')).json.error.status).toBe('FAILED_PRECONDITION')
  expect((await cloud.call('POST', `${poolsOf()}/${pool}:undelete`, { body: {} })).json.response.state).toBe('ACTIVE')
  expect((await cloud.call('POST', `${poolsOf()}/${pool}:undelete`, { body: {} })).json.error.status).toBe('FAILED_PRECONDITION')
  expect((await cloud.call('GET', `${poolsOf()}/${pool}/providers/actions`)).json.state).toBe('ACTIVE')
})

test('lists page to the end', async () => {
  cloud.addProject('paged-1')
  for (const letter of ['a', 'b', 'c', 'd', 'e']) await cloud.call('POST', `${poolsOf('paged-1')}?workloadIdentityPoolId=pool-${letter}`, { body: {} })
  const seen: string[] = []
  let pageToken = ''
  do {
    const { json } = await cloud.call('GET', `${poolsOf('paged-1')}?pageSize=2&pageToken=${pageToken}`)
    seen.push(...json.workloadIdentityPools.map((pool: { name: string }) => pool.name.split('-').at(-1)))
    pageToken = json.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('twenty creations at once make one pool', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => cloud.call('POST', `${poolsOf()}?workloadIdentityPoolId=racing`, { body: {} })))
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array.from({ length: 19 }, () => 409)])
})

test('patch changes what the mask names', async () => {
  const pool = await newPool()
  const patch = (path: string, body: object) => cloud.call('PATCH', `${poolsOf()}/${pool}${path}`, { body })
  expect((await patch('?updateMask=disabled,description', { disabled: true, description: 'd', displayName: 'ignored' })).json.response).toMatchObject({
    disabled: true,
    description: 'd',
    displayName: `Pool ${count}`,
  })
  expect((await patch('?updateMask=description', {})).json.response.description).toBeUndefined()
  expect((await patch('?updateMask=color', {})).status).toBe(400)

  await createProvider(pool, 'actions')
  const provider = await patch('/providers/actions?updateMask=attribute_condition,oidc.allowed_audiences', {
    attributeCondition: "assertion.a == 'b'",
    oidc: { allowedAudiences: ['mine'], issuerUri: 'https://ignored.example.com' },
  })
  expect(provider.json.response, provider.text).toMatchObject({
    attributeCondition: "assertion.a == 'b'",
    attributeMapping: oidc.attributeMapping,
    oidc: { issuerUri: 'https://issuer.example.com', allowedAudiences: ['mine'] },
  })
  expect((await patch('/providers/actions?updateMask=oidc', { oidc: { issuerUri: 'https://new.example.com' } })).json.response.oidc).toEqual({
    issuerUri: 'https://new.example.com',
  })
  expect((await patch('/providers/actions', { displayName: 'Actions' })).json.response).toMatchObject({ displayName: 'Actions', attributeCondition: "assertion.a == 'b'" })
  expect((await patch('/providers/actions?updateMask=attributeMapping', { attributeMapping: {} })).status).toBe(400)
  expect((await patch('/providers/actions?updateMask=attributeCondition', { attributeCondition: 'assertion.' })).status).toBe(400)
})

test('a provider is made, listed, deleted, and comes back', async () => {
  const pool = await newPool()
  const body = {
    ...oidc,
    attributeCondition: "assertion.repository_id == '1'",
    disabled: false,
    displayName: 'Actions',
    oidc: { issuerUri: 'https://token.actions.githubusercontent.com' },
  }
  const made = await createProvider(pool, 'actions', body)
  const name = `projects/${number}/locations/global/workloadIdentityPools/${pool}/providers/actions`
  expect(made.json).toMatchObject({ done: true, response: { name, state: 'ACTIVE', attributeMapping: body.attributeMapping, oidc: body.oidc } })
  expect((await cloud.call('GET', `${api}/${made.json.name}`)).json.done).toBe(true)
  expect((await createProvider(pool, 'actions')).status).toBe(409)
  expect((await cloud.call('GET', `${poolsOf(number)}/${pool}/providers`)).json.workloadIdentityPoolProviders).toHaveLength(1)
  const port = cloud.kernel().ports.use('workloadIdentity')
  const key = { projectNumber: number, poolId: pool, providerId: 'actions' }
  expect(port.provider(key)).toEqual({
    ...key,
    issuerUri: body.oidc.issuerUri,
    allowedAudiences: [],
    attributeMapping: body.attributeMapping,
    attributeCondition: body.attributeCondition,
  })
  expect(port.provider({ ...key, projectNumber: 'moshi-3' }), 'the audience has the number').toBeUndefined()

  await cloud.call('DELETE', `${poolsOf()}/${pool}/providers/actions`)
  expect(port.provider(key)).toBeUndefined()
  expect((await cloud.call('GET', `${poolsOf()}/${pool}/providers`)).json.workloadIdentityPoolProviders).toEqual([])
  expect((await cloud.call('GET', `${poolsOf()}/${pool}/providers?showDeleted=true`)).json.workloadIdentityPoolProviders[0].state).toBe('DELETED')
  await cloud.call('POST', `${poolsOf()}/${pool}/providers/actions:undelete`, { body: {} })
  expect(port.provider(key)).toBeDefined()
  await cloud.call('PATCH', `${poolsOf()}/${pool}?updateMask=disabled`, { body: { disabled: true } })
  expect(port.provider(key), 'its pool is disabled').toBeUndefined()
})

test('providers that cannot work are refused with the reason', async () => {
  const pool = await newPool()
  const github = { issuerUri: 'https://token.actions.githubusercontent.com' }
  for (const [change, message] of [
    [{ attributeMapping: {} }, /google\.subject/],
    [{ attributeMapping: { 'attribute.a': 'assertion.a' } }, /google\.subject/],
    [{ attributeMapping: { ...oidc.attributeMapping, 'attribute.B': 'assertion.b' } }, /attribute\.B/],
    [{ attributeMapping: { 'google.subject': 'assertion.sub +' } }, /compiling/],
    [{ attributeCondition: 'assertion.a == ' }, /compiling the attribute condition/],
    [{ attributeCondition: 'nonsense.a' }, /Unknown variable/],
    [{ oidc: {} }, /issuer_uri is required/],
    [{ oidc: undefined }, /issuer_uri is required/],
    [{ oidc: { issuerUri: 'http://issuer.example.com' } }, /https/],
    [{ oidc: { ...oidc.oidc, allowedAudiences: Array.from({ length: 11 }, (_, index) => `a${index}`) } }, /10 audiences/],
    [{ oidc: { ...oidc.oidc, jwksJson: '{"keys":[{"kty":"oct","k":"AA"}]}' } }, /jwks_json/],
    [{ oidc: { ...oidc.oidc, jwksJson: 'not json' } }, /jwks_json/],
    [{ oidc: github }, /must reference one of the provider's claims/],
    [{ oidc: github, attributeCondition: 'true' }, /must reference one of the provider's claims/],
  ] as const) {
    const answer = await createProvider(pool, 'refused', { ...oidc, ...change })
    expect(answer.json.error, JSON.stringify(change)).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT', message: expect.stringMatching(message) })
  }
  expect((await createProvider(pool, 'refused', { aws: { accountId: '1' } })).status).toBe(501)
  expect((await createProvider(pool, 'x')).status).toBe(400)
  expect((await cloud.call('GET', `${poolsOf()}/${pool}/providers?showDeleted=true`)).json.workloadIdentityPoolProviders).toEqual([])
})

test('policies name pools that exist, by the number of the project', async () => {
  const pool = await newPool()
  const set = (member: string) =>
    cloud.call('POST', `${poolsOf()}/${pool}:setIamPolicy`, { body: { policy: { bindings: [{ role: 'roles/iam.workloadIdentityPoolViewer', members: [member] }] } } })
  const base = `//iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools`
  expect((await set(`principalSet:${base}/nothing-here/*`)).json.error).toMatchObject({ code: 400, message: expect.stringContaining('Identity Pool does not exist') })
  expect((await set(`principalSet:${base.replace(number, 'moshi-3')}/${pool}/*`)).json.error.message).toContain(`by the project's number: ${number}`)
  for (const rest of ['', 'subject/a', 'attribute.A/b', 'everybody']) expect((await set(`principalSet:${base}/${pool}/${rest}`)).status, rest).toBe(400)
  expect((await set(`principal:${base}/${pool}/*`)).status).toBe(400)
  const token = cloud.tokenFor(federatedPrincipal({ projectNumber: number, poolId: pool }, { subject: 's', groups: [], attributes: { repository_id: '1' } }))
  const read = () => cloud.call('GET', `${poolsOf()}/${pool}`, { token })
  expect((await read()).json.error.message).toMatch(
    /Permission 'iam\.workloadIdentityPools\.get' denied on resource 'projects\/moshi-3\/locations\/global\/workloadIdentityPools\/.*roles\/iam\.workloadIdentityPoolViewer/,
  )
  expect((await set(`principalSet:${base}/${pool}/attribute.repository_id/1`)).status).toBe(200)
  expect((await read()).status).toBe(200)
  const asked = await cloud.call('POST', `${poolsOf()}/${pool}:testIamPermissions`, {
    token,
    body: { permissions: ['iam.workloadIdentityPools.get', 'iam.workloadIdentityPools.delete'] },
  })
  expect(asked.json).toEqual({ permissions: ['iam.workloadIdentityPools.get'] })
  expect((await cloud.call('POST', `${poolsOf()}/${pool}:getIamPolicy`, { body: {} })).json.bindings).toHaveLength(1)
  await cloud.call('PATCH', `${poolsOf()}/${pool}?updateMask=disabled`, { body: { disabled: true } })
  expect((await read()).json.error, 'tokens of a disabled pool').toMatchObject({ code: 401, message: expect.stringContaining('disabled or deleted') })
  await cloud.call('PATCH', `${poolsOf()}/${pool}?updateMask=disabled`, { body: { disabled: false } })
  expect((await read()).status).toBe(200)
  await cloud.call('DELETE', `${poolsOf()}/${pool}`)
  expect((await read()).status).toBe(401)
})
