/** Repositories: create, read, change, delete. Only the Python format in standard mode exists here. */
import { shortId } from '../../../base/ids.ts'
import { ApiError, alreadyExists, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Repository } from './schema.ts'
import type { ArtifactOperations } from './service.operations.ts'
import type { ArtifactStore, RepositoryRecord, RepositorySettings } from './store.ts'

/** Where something is; the project is an id or a number as the caller wrote it. */
export interface RepositoryPath {
  readonly project: string
  readonly location: string
  readonly repository: string
}

export interface RepositoryService {
  /** `projects/P/locations/L/repositories/R` with the project's id: the name of its IAM policy. */
  resourceName(path: RepositoryPath): string
  nameOf(record: RepositoryRecord): string
  /** @throws ApiError 404 */
  get(path: RepositoryPath): RepositoryRecord
  list(project: string, location: string): readonly RepositoryRecord[]
  /** The repository is there, durable, when this returns; the operation only reports it. @throws ApiError 400, 409, 501 */
  create(path: RepositoryPath, body: Repository, principal: Principal): Operation
  /** `updateMask` as Google's field masks, comma-separated; without it the fields in the body change. @throws ApiError 400, 404 */
  patch(path: RepositoryPath, body: Repository, updateMask: string | undefined): RepositoryRecord
  /** Gone, with everything in it, when this returns. @throws ApiError 404 */
  remove(path: RepositoryPath, principal: Principal): Operation
  /** The repository in Google's shape. */
  render(record: RepositoryRecord): Record<string, unknown>
}

const settingNames = ['description', 'labels', 'cleanupPolicies', 'cleanupPolicyDryRun'] as const
const ownedByServer = new Set(['name', 'createTime', 'updateTime', 'sizeBytes', 'registryUri'])

export function createRepositoryService(kernel: Kernel, store: ArtifactStore, operations: ArtifactOperations): RepositoryService {
  function projectId(project: string): string {
    return kernel.projects.find(project)?.projectId ?? project
  }

  function resourceName(path: RepositoryPath): string {
    return `projects/${projectId(path.project)}/locations/${path.location}/repositories/${path.repository}`
  }

  function get(path: RepositoryPath): RepositoryRecord {
    const record = store.findRepository(projectId(path.project), path.location, path.repository)
    if (record === undefined) throw notFound(`Requested entity was not found: repository ${JSON.stringify(resourceName(path))} does not exist.`)
    return record
  }

  function nameOf(record: RepositoryRecord): string {
    return `projects/${record.projectId}/locations/${record.location}/repositories/${record.repositoryId}`
  }

  function render(record: RepositoryRecord): Record<string, unknown> {
    const { uid: _uid, projectId: project, location, repositoryId, ...rest } = record
    return {
      name: nameOf(record),
      ...rest,
      sizeBytes: String(store.sizeBytes(record.uid)),
      registryUri: `${location}-python.pkg.dev/${project}/${repositoryId}`,
    }
  }

  return {
    resourceName,
    nameOf,
    get,
    list: (project, location) => store.repositories(projectId(project), location),
    create(path, body, principal) {
      checkRepository(path.repository, body)
      const now = new Date().toISOString()
      const record: RepositoryRecord = {
        uid: shortId(20),
        projectId: projectId(path.project),
        location: path.location,
        repositoryId: path.repository,
        format: 'PYTHON',
        mode: 'STANDARD_REPOSITORY',
        ...settingsOf(body),
        createTime: now,
        updateTime: now,
      }
      return kernel.database.transaction(() => {
        if (store.findRepository(record.projectId, record.location, record.repositoryId) !== undefined) throw alreadyExists(`the repository already exists: ${resourceName(path)}`)
        store.insertRepository(record)
        return operations.created(record, principal, render(record))
      })
    },
    patch(path, body, updateMask) {
      const fields = (updateMask ?? '')
        .split(',')
        .map((field) => toCamelCase(field.trim()))
        .filter((field) => field !== '')
      const wanted = fields.length === 0 ? [...settingNames, 'format', 'mode'].filter((field) => body[field] !== undefined) : fields.includes('*') ? [...settingNames] : fields
      return kernel.database.transaction(() => {
        const record = get(path)
        for (const field of wanted) refuseFixed(field, body, record)
        const sent = Object.fromEntries(settingNames.filter((name) => wanted.includes(name)).map((name) => [name, body[name]]))
        const changed: RepositoryRecord = { ...record, ...sent, updateTime: new Date().toISOString() }
        checkLabels(changed.labels)
        store.updateRepository(changed)
        return changed
      })
    },
    remove(path, principal) {
      return kernel.database.transaction(() => {
        const record = get(path)
        for (const file of store.files(record.uid)) kernel.blobs.release(blobOwner(record.uid, file.filename))
        store.deleteRepository(record.uid)
        kernel.policies.remove(resourceName(path))
        return operations.deleted('Repository', record, principal, '')
      })
    },
    render,
  }
}

/** The name under which a file keeps its blob. */
export function blobOwner(repositoryUid: string, filename: string): string {
  return `artifactregistry/${repositoryUid}/${filename}`
}

function checkRepository(repositoryId: string, body: Repository): void {
  if (!/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(repositoryId)) {
    throw invalidArgument(
      `Invalid repository id ${JSON.stringify(repositoryId)}: it must start with a lower-case letter, hold lower-case letters, digits and hyphens only, end with a letter or digit, and have at most 63 characters.`,
    )
  }
  const format = body.format ?? 'FORMAT_UNSPECIFIED'
  if (format === 'FORMAT_UNSPECIFIED') throw invalidArgument('The format of the repository is missing: set "format" to PYTHON.')
  if (format !== 'PYTHON') throw new ApiError('UNIMPLEMENTED', `Repositories of format ${format} are not implemented by the pocket cloud; only PYTHON is.`)
  const mode = body.mode ?? 'MODE_UNSPECIFIED'
  if (mode !== 'MODE_UNSPECIFIED' && mode !== 'STANDARD_REPOSITORY')
    throw new ApiError('UNIMPLEMENTED', `Repositories of mode ${mode} are not implemented by the pocket cloud; only STANDARD_REPOSITORY is.`)
  if (body.kmsKeyName !== undefined && body.kmsKeyName !== '')
    throw new ApiError('UNIMPLEMENTED', 'Customer-managed encryption keys (kmsKeyName) are not implemented by the pocket cloud.')
  checkLabels(body.labels)
}

function checkLabels(labels: Repository['labels']): void {
  const entries = Object.entries(labels ?? {})
  if (entries.length > 64) throw invalidArgument('A repository has at most 64 labels.')
  for (const [key, value] of entries) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key)) throw invalidArgument(`Invalid label key ${JSON.stringify(key)}.`)
    if (!/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) throw invalidArgument(`Invalid value of the label ${key}: ${JSON.stringify(value)}.`)
  }
}

function settingsOf(body: Repository): RepositorySettings {
  return Object.fromEntries(settingNames.filter((name) => body[name] !== undefined).map((name) => [name, body[name]]))
}

/** @throws ApiError 400 for a field that a client cannot change, unless it says what is there already */
function refuseFixed(field: string, body: Repository, record: RepositoryRecord): void {
  if (settingNames.some((name) => name === field)) return
  if (ownedByServer.has(field)) throw invalidArgument(`The field ${field} cannot be changed.`)
  if (field !== 'format' && field !== 'mode') throw invalidArgument(`The field ${field} of a repository cannot be changed here; these can: ${settingNames.join(', ')}.`)
  const value = body[field]
  if (value !== undefined && value !== 'MODE_UNSPECIFIED' && value !== record[field]) throw invalidArgument(`The ${field} of a repository cannot be changed.`)
}

function toCamelCase(field: string): string {
  return field.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase())
}
