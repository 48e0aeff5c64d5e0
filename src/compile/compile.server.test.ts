/** The config's `server` section as a group behind a load balancer. */
import { expect, test } from 'vitest'
import { Stack } from '../config/schema.ts'
import type { StackInput } from '../config/schema.ts'
import { resourceKinds } from '../resources/kinds.ts'
import { managedByLabel, stackLabel } from '../resources/resource.ts'
import { compileServer } from './compile.server.ts'
import { servingName } from './names.ts'

const example: StackInput = {
  project: { id: 'moshi-3' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  images: {
    python3: { debian: 'bookworm' },
    'moshi-srv': { from: 'python3', python: ['moshi-server'], entrypoint: '/opt/run.sh', health: { path: '/ready', port: 8081, timeoutSeconds: 120 } },
  },
  serviceAccounts: { 'moshi-srv-sa': { roles: ['roles/datastore.user'] }, 'other-sa': {} },
  server: { image: 'moshi-srv', machineType: 'e2-micro', size: 2, strategy: 'rolling', domains: ['dev.chatmoshi.com'], serviceAccount: 'moshi-srv-sa' },
}

function compiled(change: Partial<StackInput> = {}, stack = 'moshi', operatorRanges: readonly string[] = ['127.0.0.1/32']) {
  const labels = { [managedByLabel]: 'kiln', [stackLabel]: stack }
  const facts = { stackDir: '/stack', files: {}, stack, operatorRanges }
  return compileServer({ config: Stack.parse({ ...example, ...change }), facts, projectId: 'moshi-3', labels, description: 'Kiln' })
}

function propsOf(address: string, resources = compiled()) {
  return resources.find((one) => one.address === address)?.props
}

test('everything that a server behind a load balancer needs, in the order in which it is made', () => {
  expect(compiled().map((one) => one.address)).toEqual([
    'firewall/allow-serve-moshi',
    'firewall/ask-serve-moshi',
    'health-check/serve-moshi',
    'health-check/serve-moshi-healing',
    'release-ledger/moshi-3-kiln-releases',
    'instance-template/serve-moshi',
    'instance-group/serve-moshi',
    'backend-service/serve-moshi',
    'url-map/serve-moshi',
    'target-http-proxy/serve-moshi',
    'global-address/serve-moshi',
    'forwarding-rule/serve-moshi',
    expect.stringMatching(/^managed-ssl-certificate\/serve-moshi-[0-9a-f]{8}$/),
    'url-map/serve-moshi-https',
    'target-https-proxy/serve-moshi-https',
    'forwarding-rule/serve-moshi-https',
    'release/serve-moshi',
  ])
})

test('no section, no resources', () => {
  const { server: _server, ...rest } = example
  expect(compileServer({ config: Stack.parse(rest), facts: { stackDir: '/stack', files: {} }, projectId: 'moshi-3', labels: {}, description: '' })).toEqual([])
})

test('path and port are those of the image', () => {
  for (const name of ['serve-moshi', 'serve-moshi-healing']) expect(propsOf(`health-check/${name}`)).toMatchObject({ requestPath: '/ready', port: 8081 })
  expect(propsOf('instance-group/serve-moshi')).toMatchObject({ namedPorts: { http: 8081 }, autoHealing: { initialDelaySeconds: 180 } })
  expect(propsOf('backend-service/serve-moshi')).toMatchObject({ portName: 'http', drainingSeconds: 30 })
})

test('only the load balancer reaches the port of its VMs, and whoever asks for versions', () => {
  expect(propsOf('firewall/ask-serve-moshi')).toMatchObject({ ports: ['8081'], sourceRanges: ['127.0.0.1/32'], targetTags: ['serve-moshi'] })
  for (const resources of [compiled({}, 'moshi', []), compiled({ server: { image: 'moshi-srv', versionPath: false } })])
    expect(propsOf('firewall/ask-serve-moshi', resources)).toBeUndefined()
  expect(propsOf('firewall/allow-serve-moshi')).toMatchObject({ ports: ['8081'], sourceRanges: ['130.211.0.0/22', '35.191.0.0/16'], targetTags: ['serve-moshi'] })
  expect(propsOf('instance-template/serve-moshi')).toMatchObject({ tags: ['serve-moshi'] })
})

test("the group begins empty, with image and account of the config, after what the server needs: size and version are the deployer's", () => {
  expect(propsOf('instance-template/serve-moshi')).toMatchObject({
    seed: true,
    machineType: 'e2-micro',
    image: { $ref: 'image/moshi-srv', attribute: 'selfLink' },
    serviceAccount: 'moshi-srv-sa@moshi-3.iam.gserviceaccount.com',
  })
  const group = compiled().find((one) => one.kind === 'instance-group')
  expect(group?.props).toMatchObject({ zone: 'us-central1-c', firstSize: 0, template: { $ref: 'instance-template/serve-moshi' } })
  for (const ofDeployer of ['targetSize', 'updatePolicy']) expect(group?.props).not.toHaveProperty(ofDeployer)
  expect(propsOf('backend-service/serve-moshi')).toMatchObject({ guests: ['projects/moshi-3/zones/us-central1-c/instanceGroups/serve-moshi-green'] })
  expect(group?.dependsOn).toEqual([
    'service/compute.googleapis.com',
    'firewall/allow-serve-moshi',
    'firewall/ask-serve-moshi',
    'release-ledger/moshi-3-kiln-releases',
    'service-account/moshi-srv-sa',
    'project-iam-member/moshi-srv-sa/roles/datastore.user',
  ])
  expect(propsOf('instance-template/serve-moshi', compiled({ server: { image: 'moshi-srv' } }))).not.toHaveProperty('serviceAccount')
})

test('the release comes last, with what the config says of image and machines', () => {
  const resources = compiled({ server: { image: 'moshi-srv', size: 3, metadata: { mode: 'calm' }, labels: { env: 'prod' } } })
  const release = resources.at(-1)
  expect(release?.props).toMatchObject({
    bucket: 'moshi-3-kiln-releases',
    group: 'serve-moshi',
    size: 3,
    image: { $ref: 'image/moshi-srv', attribute: 'selfLink' },
    shape: { machineType: 'e2-micro', tags: ['serve-moshi'], metadata: { mode: 'calm' }, labels: { env: 'prod', 'managed-by': 'kiln', 'kiln-stack': 'moshi' }, scopes: [] },
  })
  expect(release?.dependsOn).toEqual(resources.slice(0, -1).map((one) => one.address))
  expect(propsOf('release/serve-moshi')).toMatchObject({
    shape: { serviceAccount: 'moshi-srv-sa@moshi-3.iam.gserviceaccount.com', scopes: ['https://www.googleapis.com/auth/cloud-platform'] },
  })
})

test('domains are served over https with a certificate for all of them, and sent there; the bare address is served as it is', () => {
  const service = { $ref: 'backend-service/serve-moshi', attribute: 'selfLink' }
  expect(propsOf('url-map/serve-moshi')).toMatchObject({ defaultService: service, hostRules: [{ hosts: ['dev.chatmoshi.com'], redirectToHttps: true }] })
  const certificate = compiled().find((one) => one.kind === 'managed-ssl-certificate')
  expect(certificate?.props).toMatchObject({ domains: ['dev.chatmoshi.com'], name: certificate?.address.split('/')[1] })
  expect(propsOf('url-map/serve-moshi-https')).toMatchObject({ defaultService: service })
  expect(propsOf('target-https-proxy/serve-moshi-https')).toMatchObject({
    urlMap: { $ref: 'url-map/serve-moshi-https', attribute: 'selfLink' },
    certificates: [{ $ref: certificate?.address, attribute: 'selfLink' }],
  })
  expect(propsOf('forwarding-rule/serve-moshi-https')).toMatchObject({
    port: 443,
    target: { $ref: 'target-https-proxy/serve-moshi-https' },
    address: propsOf('forwarding-rule/serve-moshi')?.['address'],
  })
  const plain = compiled({ server: { image: 'moshi-srv' } })
  expect(propsOf('url-map/serve-moshi', plain)).toMatchObject({ defaultService: service, hostRules: [] })
  expect(plain.filter((one) => one.address.includes('-https') || one.kind === 'managed-ssl-certificate')).toEqual([])
})

test('other domains are another certificate, whatever their order', () => {
  const name = (...domains: string[]) => compiled({ server: { image: 'moshi-srv', domains } }).find((one) => one.kind === 'managed-ssl-certificate')?.address
  expect(name('a.example.com', 'b.example.com')).toBe(name('b.example.com', 'a.example.com', 'a.example.com'))
  expect(name('a.example.com')).not.toBe(name('b.example.com'))
})

test('every resource is of a kind that takes its props, and refers to what comes before it', () => {
  const seen = new Set<string>([
    'service/compute.googleapis.com',
    'service/storage.googleapis.com',
    'service-account/moshi-srv-sa',
    'project-iam-member/moshi-srv-sa/roles/datastore.user',
    'image/moshi-srv',
  ])
  const resolved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolved)
    if (typeof value !== 'object' || value === null) return value
    if ('$ref' in value) {
      expect([...seen]).toContain(value.$ref)
      return `projects/moshi-3/${String(value.$ref)}`
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolved(member)]))
  }
  for (const one of compiled()) {
    for (const before of one.dependsOn) expect([...seen]).toContain(before)
    const props = resolved(one.props)
    if (!['release', 'release-ledger'].includes(one.kind)) expect(resourceKinds.get(one.kind)?.terraform(one.kind, props)).toHaveProperty('type')
    seen.add(one.address)
  }
})

test('names from the stack are names of Compute Engine', () => {
  for (const stack of ['moshi', '3d_chat', 'x'.repeat(63), `${'x'.repeat(43)}-y`, '-']) {
    for (const one of compiled({}, stack)) if (one.kind !== 'release') expect(one.props['name']).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
    expect(servingName(stack).length).toBeLessThanOrEqual(50)
  }
})
