/** Packages, versions and files as the control plane shows them: views of the uploaded files, and their deletion. */
import type { Kernel } from '../../kernel/kernel.ts'
import { invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import { normalizeName } from './python/names.ts'
import type { FileService } from './service.files.ts'
import type { ArtifactOperations, DeletedNoun } from './service.operations.ts'
import type { RepositoryService } from './service.repositories.ts'
import type { ArtifactStore, FileRecord, RepositoryRecord } from './store.ts'

/** A resource in Google's shape; `name` is the full resource name. */
export type Resource = Readonly<Record<string, unknown>> & { readonly name: string }

export interface PackageService {
  /** All lists are sorted by `name`. */
  packages(repository: RepositoryRecord): readonly Resource[]
  /** @throws ApiError 404 */
  getPackage(repository: RepositoryRecord, name: string): Resource
  /** @throws ApiError 404 when there is no such package */
  versions(repository: RepositoryRecord, name: string): readonly Resource[]
  /** @throws ApiError 404 */
  getVersion(repository: RepositoryRecord, name: string, version: string): Resource
  files(repository: RepositoryRecord): readonly Resource[]
  /** `fileId` is `PACKAGE/FILENAME`, or the file name alone; its slash may be escaped once more than in a URL, as gcloud has it. @throws ApiError 404 */
  findFile(repository: RepositoryRecord, fileId: string): FileRecord
  renderFile(repository: RepositoryRecord, file: FileRecord): Resource
  pythonPackages(repository: RepositoryRecord): readonly Resource[]
  /** `id` is `PACKAGE:sha256:HEX`. @throws ApiError 404 */
  getPythonPackage(repository: RepositoryRecord, id: string): Resource
  /** Gone when it returns. @throws ApiError 404 */
  deletePackage(repository: RepositoryRecord, name: string, principal: Principal): Operation
  deleteVersion(repository: RepositoryRecord, name: string, version: string, principal: Principal): Operation
  deleteFile(repository: RepositoryRecord, fileId: string, principal: Principal): Operation
}

export interface PackageServiceDeps {
  readonly kernel: Kernel
  readonly store: ArtifactStore
  readonly files: FileService
  readonly repositories: RepositoryService
  readonly operations: ArtifactOperations
}

export function createPackageService(deps: PackageServiceDeps): PackageService {
  const { kernel, store, operations } = deps

  function base(repository: RepositoryRecord): string {
    return deps.repositories.nameOf(repository)
  }

  function renderPackage(repository: RepositoryRecord, each: { readonly name: string; readonly createTime: string; readonly updateTime: string }): Resource {
    return { name: `${base(repository)}/packages/${each.name}`, displayName: each.name, createTime: each.createTime, updateTime: each.updateTime }
  }

  function getPackage(repository: RepositoryRecord, name: string): Resource {
    const found = store.findPackage(repository.uid, normalizeName(name))
    if (found === undefined) throw missing(`${base(repository)}/packages/${name}`)
    return renderPackage(repository, found)
  }

  function versions(repository: RepositoryRecord, name: string): readonly Resource[] {
    const parent = getPackage(repository, name).name
    const byVersion = Map.groupBy(store.filesOfPackage(repository.uid, normalizeName(name)), (file) => file.version)
    return sorted(
      [...byVersion].map(([version, files]) => {
        const times = files.map((file) => file.uploadTime).sort()
        const description = files.find((file) => file.summary !== undefined)?.summary
        return { name: `${parent}/versions/${version}`, ...(description === undefined ? {} : { description }), createTime: times[0], updateTime: times.at(-1) }
      }),
    )
  }

  function findFile(repository: RepositoryRecord, sentId: string): FileRecord {
    const fileId = unescaped(sentId)
    const slash = fileId.lastIndexOf('/')
    const file = store.findFile(repository.uid, fileId.slice(slash + 1))
    if (file === undefined || (slash !== -1 && fileId.slice(0, slash) !== file.package)) throw missing(`${base(repository)}/files/${encodeURIComponent(fileId)}`)
    return file
  }

  function renderFile(repository: RepositoryRecord, file: FileRecord): Resource {
    return {
      name: `${base(repository)}/files/${encodeURIComponent(`${file.package}/${file.filename}`)}`,
      sizeBytes: String(file.sizeBytes),
      hashes: [
        { type: 'SHA256', value: Buffer.from(file.sha256, 'hex').toString('base64') },
        { type: 'MD5', value: Buffer.from(file.md5, 'hex').toString('base64') },
      ],
      createTime: file.uploadTime,
      updateTime: file.uploadTime,
      owner: `${base(repository)}/packages/${file.package}/versions/${file.version}`,
    }
  }

  function renderPythonPackage(repository: RepositoryRecord, file: FileRecord): Resource {
    return {
      name: `${base(repository)}/pythonPackages/${file.package}:sha256:${file.sha256}`,
      uri: `${repository.location}-python.pkg.dev/${repository.projectId}/${repository.repositoryId}/${file.package}/${file.filename}`,
      packageName: file.package,
      version: file.version,
      createTime: file.uploadTime,
      updateTime: file.uploadTime,
    }
  }

  function pythonPackages(repository: RepositoryRecord): readonly Resource[] {
    return sorted(store.files(repository.uid).map((file) => renderPythonPackage(repository, file)))
  }

  function removeFiles(noun: DeletedNoun, repository: RepositoryRecord, target: string, principal: Principal, select: () => readonly FileRecord[]): Operation {
    return kernel.database.transaction(() => {
      const chosen = select()
      if (chosen.length === 0) throw missing(`${base(repository)}${target}`)
      deps.files.remove(repository, chosen)
      return operations.deleted(noun, repository, principal, target)
    })
  }

  return {
    packages: (repository) => store.packages(repository.uid).map((each) => renderPackage(repository, each)),
    getPackage,
    versions,
    getVersion(repository, name, version) {
      const wanted = `${base(repository)}/packages/${normalizeName(name)}/versions/${version}`
      const found = versions(repository, name).find((each) => each.name === wanted)
      if (found === undefined) throw missing(wanted)
      return found
    },
    files: (repository) => sorted(store.files(repository.uid).map((file) => renderFile(repository, file))),
    findFile,
    renderFile,
    pythonPackages,
    getPythonPackage(repository, id) {
      const found = pythonPackages(repository).find((each) => each.name === `${base(repository)}/pythonPackages/${id}`)
      if (found === undefined) throw missing(`${base(repository)}/pythonPackages/${id}`)
      return found
    },
    deletePackage: (repository, name, principal) =>
      removeFiles('Package', repository, `/packages/${name}`, principal, () => store.filesOfPackage(repository.uid, normalizeName(name))),
    deleteVersion: (repository, name, version, principal) =>
      removeFiles('Version', repository, `/packages/${name}/versions/${version}`, principal, () =>
        store.filesOfPackage(repository.uid, normalizeName(name)).filter((file) => file.version === version),
      ),
    deleteFile: (repository, fileId, principal) => removeFiles('File', repository, `/files/${encodeURIComponent(fileId)}`, principal, () => [findFile(repository, fileId)]),
  }
}

/**
 * The part of Google's list filters that gcloud sends: one `name="…"` or `owner="…"`, where `*` stands for any text.
 * @throws ApiError 400 for anything else
 */
export function filterResources(resources: readonly Resource[], filter: string | undefined): readonly Resource[] {
  if (filter === undefined || filter.trim() === '') return resources
  const [, field = '', value = ''] = /^\s*\(?\s*(name|owner)\s*=\s*"([^"]*)"\s*\)?\s*$/.exec(filter) ?? []
  if (field === '') throw invalidArgument(`The filter ${JSON.stringify(filter)} is not understood by the pocket cloud: it takes one name="…" or owner="…", with * for any text.`)
  const texts = value.split('*')
  if (texts.length > 5) throw invalidArgument('A filter takes at most four *.')
  const parts = texts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const pattern = new RegExp(`^${parts.join('.*')}$`)
  return resources.filter((resource) => {
    const found = resource[field]
    return typeof found === 'string' && pattern.test(found)
  })
}

function sorted(resources: readonly Resource[]): readonly Resource[] {
  return resources.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function missing(name: string): Error {
  return notFound(`Requested entity was not found: ${name}.`)
}

/** The escape is a part of a file's name for Google, so that a client which escapes names for URLs sends `%252F`. */
function unescaped(fileId: string): string {
  return fileId.replace(/%(2F|2B|5E)/gi, (escape) => decodeURIComponent(escape))
}
