import assert from 'node:assert/strict'
import { auth, cloudresourcemanager } from '@googleapis/cloudresourcemanager'
import { iam as iamApi } from '@googleapis/iam'
import { serviceusage } from '@googleapis/serviceusage'

const project = process.env.PROJECT
const client = await new auth.GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).getClient()
const manager = cloudresourcemanager({ version: 'v3', auth: client })
const iam = iamApi({ version: 'v1', auth: client })

assert.equal((await manager.projects.get({ name: `projects/${project}` })).data.projectId, project)
const accounts = await Promise.all([1, 2, 3, 4].map((n) => iam.projects.serviceAccounts.create({ name: `projects/${project}`, requestBody: { accountId: `robot-number-${n}` } })))
const emails = accounts.map(({ data }) => data.email).sort()
assert.deepEqual((await iam.projects.serviceAccounts.list({ name: `projects/${project}` })).data.accounts.map((each) => each.email).sort(), emails)
await assert.rejects(iam.projects.serviceAccounts.create({ name: `projects/${project}`, requestBody: { accountId: 'robot-number-1' } }), { status: 409 })

// A policy that was read before somebody else wrote is refused.
const resource = `projects/${project}`
const { data: stale } = await manager.projects.getIamPolicy({ resource, requestBody: {} })
let conflicts = 0
async function grant(email) {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const { data: policy } = await manager.projects.getIamPolicy({ resource, requestBody: {} })
    const bindings = [...(policy.bindings ?? []), { role: 'roles/viewer', members: [`serviceAccount:${email}`] }]
    try {
      return await manager.projects.setIamPolicy({ resource, requestBody: { policy: { ...policy, bindings } } })
    } catch (error) {
      if (error.status !== 409) throw error
      conflicts += 1
    }
  }
  throw new Error(`${email} was never granted`)
}
await Promise.all(emails.map(grant))
const { data: now } = await manager.projects.getIamPolicy({ resource, requestBody: {} })
const viewers = now.bindings.filter((each) => each.role === 'roles/viewer').flatMap((each) => each.members)
assert.deepEqual(
  viewers.sort(),
  emails.map((email) => `serviceAccount:${email}`),
)
await assert.rejects(manager.projects.setIamPolicy({ resource, requestBody: { policy: stale } }), { status: 409 })
console.log(`${conflicts} conflicts, none lost`)

const usage = serviceusage({ version: 'v1', auth: client })
const { data: operation } = await usage.services.enable({ name: `projects/${project}/services/pubsub.googleapis.com`, requestBody: {} })
for (let current = operation; current.done !== true; { data: current } = await usage.operations.get({ name: operation.name })) assert.equal(current.error, undefined)
const { data: services } = await usage.services.list({ parent: `projects/${project}`, filter: 'state:ENABLED', pageSize: 200 })
assert.ok(services.services.some((each) => each.config.name === 'pubsub.googleapis.com'))
