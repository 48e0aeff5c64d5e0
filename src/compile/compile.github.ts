/**
 * The GitHub repository that delivers. Its workflows show GitHub's token; a pool's provider takes it when the repository, the branch and the environment are right;
 * then they may act as one account, which can do what publishing, baking and deploying need. There is no key.
 */
import { indexReader } from '../config/accounts.ts'
import { githubAccount } from '../config/checks.sections.ts'
import { needsPacker } from '../config/schema.images.ts'
import type { StackConfig } from '../config/schema.ts'
import type { Github } from '../config/schema.sections.ts'
import type { Address, DesiredResource } from '../engine/types.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { repositoryAddress, resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { imageBucketName } from './names.ts'

/** https://docs.github.com/actions/reference/openid-connect-reference */
const issuerUri = 'https://token.actions.githubusercontent.com'
export const githubPool = 'kiln-github'
export const githubProvider = 'actions'

/** Baking makes images, deploying makes templates and changes groups. What these stand on is Terraform's to look at. */
const projectRoles: readonly string[] = ['roles/compute.instanceAdmin.v1']

/** What a server needs more: requests at the load balancer are counted, and blue/green moves them to another backend. Its ledger itself lets the account write. */
function serverRoles({ server }: StackConfig): readonly string[] {
  if (server === undefined) return []
  return ['roles/monitoring.viewer', ...(server.strategy === 'blue-green' ? ['roles/compute.loadBalancerAdmin'] : [])]
}

/** The APIs of the section. */
export function githubApis(config: StackConfig): readonly string[] {
  return config.github === undefined ? [] : ['iam.googleapis.com', 'iamcredentials.googleapis.com', 'sts.googleapis.com']
}

/** The account that delivers, as a member of policies and as a resource; undefined without the section. */
export function githubDeployer(config: StackConfig): { readonly member: string; readonly address: Address } | undefined {
  if (config.github === undefined) return undefined
  const email = serviceAccountEmail({ projectId: config.project.id, accountId: githubAccount })
  return { member: `serviceAccount:${email}`, address: `service-account/${githubAccount}` }
}

/** Nothing without the section. */
export function compileGithub(compilation: Compilation): readonly DesiredResource[] {
  const { config, projectId, description } = compilation
  const { github } = config
  if (github === undefined) return []
  const iam = serviceAddress('iam.googleapis.com')
  const pool = resource('workload-identity-pool', githubPool, { projectId, poolId: githubPool, displayName: 'GitHub', description }, [iam, serviceAddress('sts.googleapis.com')])
  const provider = resource(
    'workload-identity-provider',
    githubProvider,
    {
      projectId,
      poolId: githubPool,
      providerId: githubProvider,
      displayName: 'GitHub Actions',
      // with an id the condition has no name in it
      description: `${description} for ${github.repository}`,
      issuerUri,
      attributeMapping: attributeMapping(github),
      attributeCondition: attributeCondition(github),
    },
    [pool.address],
  )
  const account = resource('service-account', githubAccount, { projectId, accountId: githubAccount, displayName: 'Delivers from GitHub', description }, [iam])
  const { attribute, value } = repositoryAttribute(github)
  const principalSet = { pool: { $ref: pool.address, attribute: 'name' }, attribute, value }
  const user = { projectId, accountId: githubAccount, role: 'roles/iam.workloadIdentityUser', principalSet }
  return [
    pool,
    provider,
    account,
    resource('service-account-iam-member', `${githubAccount}/github`, user, [account.address, provider.address, serviceAddress('iamcredentials.googleapis.com')]),
    ...accountRoles(compilation, account.address),
  ]
}

/** What the account may do, each on the smallest thing that it is needed on. */
function accountRoles({ config, projectId }: Compilation, account: Address): readonly DesiredResource[] {
  const member = `serviceAccount:${serviceAccountEmail({ projectId, accountId: githubAccount })}`
  const location = config.location.region
  const { repository } = config.package
  const bucket = imageBucketName(projectId)
  const manager = serviceAddress('cloudresourcemanager.googleapis.com')
  // the VM in which Packer makes an image acts as the account that reads the index
  const reader = needsPacker(config.images) ? indexReader(config) : undefined
  const actsAs = [...new Set([config.server?.serviceAccount, config.dev?.serviceAccount, reader].filter((name) => name !== undefined))]
  return [
    ...[...projectRoles, ...serverRoles(config)].map((role) => resource('project-iam-member', `${githubAccount}/${role}`, { projectId, role, member }, [account, manager])),
    resource(
      'artifact-repository-iam-member',
      `${repository}/${githubAccount}/roles/artifactregistry.writer`,
      { projectId, location, repository, role: 'roles/artifactregistry.writer', member },
      [account, repositoryAddress(config)],
    ),
    ...['roles/storage.objectAdmin', 'roles/storage.legacyBucketReader'].map((role) =>
      resource('bucket-iam-member', `${bucket}/${githubAccount}/${role}`, { bucket, role, member }, [account, `bucket/${bucket}`]),
    ),
    // a machine can be given only an account that its maker may act as
    ...actsAs.map((accountId) =>
      resource('service-account-iam-member', `${accountId}/${githubAccount}/roles/iam.serviceAccountUser`, { projectId, accountId, role: 'roles/iam.serviceAccountUser', member }, [
        account,
        `service-account/${accountId}`,
      ]),
    ),
  ]
}

/** Ids where they are known: a name can be registered by somebody else after it was given up. */
function repositoryAttribute(github: Github): { readonly attribute: string; readonly value: string } {
  return github.repositoryId === undefined ? { attribute: 'repository', value: github.repository } : { attribute: 'repository_id', value: github.repositoryId }
}

/** A claim that a token lacks makes the exchange fail, so that the environment is mapped only when it is asked for. */
function attributeMapping(github: Github): Readonly<Record<string, string>> {
  return {
    'google.subject': 'assertion.sub',
    'attribute.repository': 'assertion.repository',
    'attribute.repository_id': 'assertion.repository_id',
    'attribute.ref': 'assertion.ref',
    ...(github.environment === undefined ? {} : { 'attribute.environment': 'assertion.environment' }),
  }
}

/** CEL. The config's names have neither quotes nor backslashes. */
export function attributeCondition(github: Github): string {
  const { attribute, value } = repositoryAttribute(github)
  return [
    `assertion.${attribute} == '${value}'`,
    `assertion.ref == 'refs/heads/${github.branch}'`,
    ...(github.environment === undefined ? [] : [`assertion.environment == '${github.environment}'`]),
  ].join(' && ')
}
