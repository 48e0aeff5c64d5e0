/** Who may act as an account, by policies as IAM shows them. */
import { expect, test } from 'vitest'
import { ApiError } from '../client/errors.ts'
import type { IamBinding } from '../client/iam-types.ts'
import { federatedPrincipal } from '../oidc/provider.ts'
import { examineAccount, readAccount } from './account.ts'

const email = 'deployer@moshi-3.iam.gserviceaccount.com'
const principal = federatedPrincipal({ projectNumber: '7', poolId: 'github' }, { subject: 'repo:moshi/moshi', groups: [], attributes: { repository_id: '4711' } })
const set = 'principalSet://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/github/attribute.repository_id/4711'
const denied = new ApiError('E_PERMISSION', 'you may not', { status: 403 })

type Reading = IamBinding[] | ApiError
type Readable = Parameters<typeof readAccount>[0]

/** IAM and Resource Manager that answer with these policies. */
function clientsOf(own: Reading, ofProject: Reading): Readable {
  const answer = (reading: Reading) => async () => {
    if (reading instanceof ApiError) throw reading
    return { data: { bindings: reading } }
  }
  const clients = {
    iam: async () => ({ projects: { serviceAccounts: { getIamPolicy: answer(own) } } }),
    resourceManager: async () => ({ projects: { getIamPolicy: answer(ofProject) } }),
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- two methods of two large clients
  return clients as unknown as Readable
}

async function examine(own: Reading, ofProject: Reading = []): Promise<ReturnType<typeof examineAccount>> {
  return examineAccount(await readAccount(clientsOf(own, ofProject), 'moshi-3', email), principal)
}

const allow = (member: string, more: Partial<IamBinding> = {}): IamBinding[] => [{ role: 'roles/iam.workloadIdentityUser', members: ['user:ann@example.com', member], ...more }]

test('a binding of the account or of its project lets every name of the caller act', async () => {
  for (const member of [set, principal.member, `${set.replace(/attribute.*/, '')}*`]) expect(await examine(allow(member))).toMatchObject({ status: 'ok' })
  expect(await examine([], allow(set))).toEqual({ status: 'ok', message: `${set} acts as ${email} by roles/iam.workloadIdentityUser` })
  expect(await examine(allow(set, { role: 'roles/iam.serviceAccountTokenCreator' }), denied)).toMatchObject({ status: 'ok' })
})

test('another role, another caller and a condition do not, and the command is named that does', async () => {
  expect(await examine(allow(set, { role: 'roles/iam.serviceAccountUser' }))).toMatchObject({ status: 'failed', message: `the policy of ${email} names nobody` })
  const other = await examine(allow(set.replace('4711', '1')))
  expect(other).toMatchObject({ status: 'failed', message: expect.stringContaining('repository_id/1') })
  expect(other.next).toContain(`--role roles/iam.workloadIdentityUser --member '${set}'`)
  expect(await examine(allow(set, { condition: { expression: 'false' } }))).toMatchObject({ status: 'failed', message: expect.stringContaining('condition') })
})

test('an account that is not there, or whose policy may not be read, admits nobody; other failures are told as they are', async () => {
  expect(await examine(new ApiError('E_API', 'not found', { status: 404 }))).toMatchObject({ status: 'failed', message: `there is no service account ${email}` })
  expect(await examine(denied)).toMatchObject({ status: 'failed', message: expect.stringContaining('you may not'), next: expect.stringContaining('roles/iam.securityReviewer') })
  await expect(examine(new ApiError('E_NETWORK', 'no way', {}))).rejects.toMatchObject({ code: 'E_NETWORK' })
  await expect(examine([], new ApiError('E_API', 'broken', { status: 500 }))).rejects.toMatchObject({ code: 'E_API' })
})
