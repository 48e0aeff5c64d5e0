/** The parts of a stack that are who may do what, and what is stored. */
import { extname, resolve } from 'node:path'
import { KilnError } from '../base/errors.ts'
import type { Address, DesiredResource } from '../engine/types.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { repositoryAddress, resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { compileFirestore } from './compile.firestore.ts'
import { secretsOfAccount } from './compile.secrets.ts'
import { imageBucketName } from './names.ts'

/** The Python repository, the service accounts, and their roles on project and repository. */
export function compileAccess({ config, projectId, labels, description }: Compilation): readonly DesiredResource[] {
  const location = config.location.region
  const { repository } = config.package
  const repositoryProps = { projectId, location, repository, format: 'PYTHON', description, labels }
  const resources: DesiredResource[] = [resource('artifact-repository', repository, repositoryProps, [serviceAddress('artifactregistry.googleapis.com')])]
  const accounts = Object.entries(config.serviceAccounts)
  for (const [accountId, account] of accounts) {
    const props = { projectId, accountId, displayName: account.displayName, description }
    resources.push(resource('service-account', accountId, props, [serviceAddress('iam.googleapis.com')]))
  }
  for (const [accountId, account] of accounts) {
    const member = `serviceAccount:${serviceAccountEmail({ projectId, accountId })}`
    const after: Address = `service-account/${accountId}`
    for (const role of new Set(account.roles)) {
      resources.push(resource('project-iam-member', `${accountId}/${role}`, { projectId, role, member }, [after, serviceAddress('cloudresourcemanager.googleapis.com')]))
    }
    for (const role of new Set(account.repositoryRoles)) {
      const props = { projectId, location, repository, role, member }
      resources.push(resource('artifact-repository-iam-member', `${repository}/${accountId}/${role}`, props, [after, repositoryAddress(config)]))
    }
  }
  return resources
}

/** The stack's buckets with their objects, and the bucket that images are imported through. */
export function compileStorage({ config, facts, projectId, labels }: Compilation): readonly DesiredResource[] {
  const service = serviceAddress('storage.googleapis.com')
  const images = imageBucketName(projectId)
  const resources: DesiredResource[] = [resource('bucket', images, { projectId, name: images, location: config.location.region, labels }, [service])]
  for (const [name, bucket] of Object.entries(config.buckets)) {
    resources.push(resource('bucket', name, { projectId, name, location: bucket.location, labels }, [service]))
    for (const [object, path] of Object.entries(bucket.objects)) {
      const source = resolve(facts.stackDir, path)
      const file = facts.files[source]
      if (file === undefined) throw new KilnError('E_PLAN', `the checksum of ${source} was not read before compiling`)
      resources.push(resource('bucket-object', `${name}/${object}`, { bucket: name, name: object, source, md5: file.md5, contentType: contentType(object) }, [`bucket/${name}`]))
    }
  }
  return resources
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.json': 'application/json',
  '.py': 'text/x-python',
  '.sh': 'text/x-shellscript',
  '.txt': 'text/plain',
}

function contentType(object: string): string {
  return contentTypes[extname(object).toLowerCase()] ?? 'application/octet-stream'
}

/** What a server needs from its first second on: the objects and secrets that it reads, the database, its account, and that account's roles. */
export function neededByServer(compilation: Compilation, account: string | undefined): readonly Address[] {
  const granted = [...compileAccess(compilation), ...compileStorage(compilation)].filter((one) => isNeededByAccount(one, account))
  const secrets = account === undefined ? [] : secretsOfAccount(compilation, account)
  const database = compileFirestore(compilation).filter((one) => one.kind === 'firestore-database')
  return [...granted, ...secrets, ...database].map((one) => one.address)
}

function isNeededByAccount(one: DesiredResource, account: string | undefined): boolean {
  if (one.kind === 'bucket-object') return true
  if (account === undefined) return false
  if (one.address === `service-account/${account}`) return true
  const member = one.props['member']
  return typeof member === 'string' && member.startsWith(`serviceAccount:${account}@`)
}
