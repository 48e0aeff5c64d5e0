import assert from 'node:assert/strict'
import { ArtifactRegistryClient } from '@google-cloud/artifact-registry'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'

const parent = `projects/${process.env.PROJECT}`
const secrets = new SecretManagerServiceClient()
const [secret] = await secrets.createSecret({ parent, secretId: 'key', secret: { replication: { automatic: {} }, labels: { made: 'here' } } })
assert.equal(secret.labels.made, 'here')
const [version] = await secrets.addSecretVersion({ parent: secret.name, payload: { data: Buffer.from('value') } })
const [read] = await secrets.accessSecretVersion({ name: version.name })
assert.equal(read.payload.data.toString(), 'value')
assert.equal((await secrets.listSecrets({ parent }))[0].length, 1)
await assert.rejects(secrets.getSecret({ name: `${parent}/secrets/none` }), { code: 5 })
await assert.rejects(secrets.createSecret({ parent, secretId: 'key', secret: { replication: { automatic: {} } } }), { code: 6 })
await secrets.deleteSecret({ name: secret.name })

const registry = new ArtifactRegistryClient()
const [operation] = await registry.createRepository({ parent: `${parent}/locations/us-central1`, repositoryId: 'pypi', repository: { format: 'PYTHON' } })
const [repository] = await operation.promise()
assert.equal(repository.name, `${parent}/locations/us-central1/repositories/pypi`)
assert.equal((await registry.listRepositories({ parent: `${parent}/locations/us-central1` }))[0].length, 1)
const [removal] = await registry.deleteRepository({ name: repository.name })
await removal.promise()
