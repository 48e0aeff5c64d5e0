/** Tables of the artifactregistry room: repositories, the packages in them, and their files. Rows to records and back, nothing decided. */
import type { Database, Migrations } from '../../../store/database.ts'

/** What a client may set, kept as it was sent. */
export interface RepositorySettings {
  readonly description?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly cleanupPolicies?: Readonly<Record<string, unknown>>
  readonly cleanupPolicyDryRun?: boolean
}

export interface RepositoryRecord extends RepositorySettings {
  /** Never used again, unlike the name. */
  readonly uid: string
  readonly projectId: string
  readonly location: string
  readonly repositoryId: string
  readonly format: 'PYTHON'
  readonly mode: 'STANDARD_REPOSITORY'
  /** RFC 3339. */
  readonly createTime: string
  readonly updateTime: string
}

export interface PackageRecord {
  /** Normalised (PEP 503). */
  readonly name: string
  /** Grows with every change of the package, also over its deletion and return. */
  readonly serial: number
  readonly createTime: string
  readonly updateTime: string
}

export interface FileRecord {
  readonly filename: string
  /** Normalised project name. */
  readonly package: string
  /** Normalised (PEP 440). */
  readonly version: string
  readonly filetype: 'bdist_wheel' | 'sdist'
  readonly sha256: string
  /** Hex. */
  readonly md5: string
  readonly sizeBytes: number
  readonly requiresPython: string | undefined
  readonly summary: string | undefined
  /** Hash of the wheel's METADATA file; undefined for sdists. */
  readonly metadataSha256: string | undefined
  /** PEP 592: undefined when not yanked, else the reason, which may be empty. */
  readonly yanked: string | undefined
  readonly uploadTime: string
}

export const artifactRegistryMigrations: Migrations = {
  namespace: 'rooms.artifactregistry',
  steps: [
    `CREATE TABLE artifactregistry_repositories (uid TEXT PRIMARY KEY, project_id TEXT NOT NULL, location TEXT NOT NULL, repository_id TEXT NOT NULL, serial INTEGER NOT NULL DEFAULT 0, record TEXT NOT NULL,
       UNIQUE (project_id, location, repository_id)) STRICT;
     CREATE TABLE artifactregistry_packages (repository TEXT NOT NULL REFERENCES artifactregistry_repositories ON DELETE CASCADE, name TEXT NOT NULL, serial INTEGER NOT NULL, create_time TEXT NOT NULL, update_time TEXT NOT NULL,
       PRIMARY KEY (repository, name)) STRICT;
     CREATE TABLE artifactregistry_files (repository TEXT NOT NULL, filename TEXT NOT NULL, package TEXT NOT NULL, version TEXT NOT NULL, filetype TEXT NOT NULL, sha256 TEXT NOT NULL, md5 TEXT NOT NULL,
       size_bytes INTEGER NOT NULL, requires_python TEXT, summary TEXT, metadata_sha256 TEXT, metadata BLOB, yanked TEXT, upload_time TEXT NOT NULL,
       PRIMARY KEY (repository, filename), FOREIGN KEY (repository, package) REFERENCES artifactregistry_packages ON DELETE CASCADE) STRICT;
     CREATE INDEX artifactregistry_files_by_package ON artifactregistry_files (repository, package, upload_time, filename)`,
  ],
}

interface FileRow {
  filename: string
  package: string
  version: string
  filetype: FileRecord['filetype']
  sha256: string
  md5: string
  size_bytes: number
  requires_python: string | null
  summary: string | null
  metadata_sha256: string | null
  yanked: string | null
  upload_time: string
}

const FILE_COLUMNS = 'filename, package, version, filetype, sha256, md5, size_bytes, requires_python, summary, metadata_sha256, yanked, upload_time'

export interface ArtifactStore {
  findRepository(projectId: string, location: string, repositoryId: string): RepositoryRecord | undefined
  repositories(projectId: string, location: string): readonly RepositoryRecord[]
  insertRepository(record: RepositoryRecord): void
  updateRepository(record: RepositoryRecord): void
  /** With all packages and files; the blobs are the caller's. */
  deleteRepository(uid: string): void
  sizeBytes(uid: string): number
  /** Sorted by name. */
  packages(uid: string): readonly PackageRecord[]
  findPackage(uid: string, name: string): PackageRecord | undefined
  /** Makes the package if need be and gives it a new serial. */
  touchPackage(uid: string, name: string, time: string): void
  /** With its files. */
  deletePackage(uid: string, name: string): void
  /** Sorted by file name. */
  files(uid: string): readonly FileRecord[]
  /** In the order in which they came. */
  filesOfPackage(uid: string, name: string): readonly FileRecord[]
  findFile(uid: string, filename: string): FileRecord | undefined
  insertFile(uid: string, file: FileRecord, metadata: Uint8Array | undefined): void
  deleteFile(uid: string, filename: string): void
  metadataOf(uid: string, filename: string): Uint8Array | undefined
}

export function createStore(database: Database): ArtifactStore {
  function fromRow(row: { uid: string; project_id: string; location: string; repository_id: string; record: string }): RepositoryRecord {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by restOf below
    const rest = JSON.parse(row.record) as Omit<RepositoryRecord, 'uid' | 'projectId' | 'location' | 'repositoryId'>
    return { ...rest, uid: row.uid, projectId: row.project_id, location: row.location, repositoryId: row.repository_id }
  }

  function restOf(record: RepositoryRecord): string {
    const { uid: _uid, projectId: _projectId, location: _location, repositoryId: _repositoryId, ...rest } = record
    return JSON.stringify(rest)
  }

  function nextSerial(uid: string): number {
    database.run('UPDATE artifactregistry_repositories SET serial = serial + 1 WHERE uid = ?', uid)
    return database.get<{ serial: number }>('SELECT serial FROM artifactregistry_repositories WHERE uid = ?', uid)?.serial ?? 0
  }

  return {
    findRepository(projectId, location, repositoryId) {
      const row = database.get<Parameters<typeof fromRow>[0]>(
        'SELECT * FROM artifactregistry_repositories WHERE project_id = ? AND location = ? AND repository_id = ?',
        projectId,
        location,
        repositoryId,
      )
      return row === undefined ? undefined : fromRow(row)
    },
    repositories: (projectId, location) =>
      database
        .all<Parameters<typeof fromRow>[0]>('SELECT * FROM artifactregistry_repositories WHERE project_id = ? AND location = ? ORDER BY repository_id', projectId, location)
        .map(fromRow),
    insertRepository(record) {
      database.run(
        'INSERT INTO artifactregistry_repositories (uid, project_id, location, repository_id, record) VALUES (?, ?, ?, ?, ?)',
        record.uid,
        record.projectId,
        record.location,
        record.repositoryId,
        restOf(record),
      )
    },
    updateRepository: (record) => void database.run('UPDATE artifactregistry_repositories SET record = ? WHERE uid = ?', restOf(record), record.uid),
    deleteRepository: (uid) => void database.run('DELETE FROM artifactregistry_repositories WHERE uid = ?', uid),
    sizeBytes: (uid) => database.get<{ total: number }>('SELECT coalesce(sum(size_bytes), 0) AS total FROM artifactregistry_files WHERE repository = ?', uid)?.total ?? 0,
    packages: (uid) => database.all<PackageRow>('SELECT * FROM artifactregistry_packages WHERE repository = ? ORDER BY name', uid).map(toPackage),
    findPackage(uid, name) {
      const row = database.get<PackageRow>('SELECT * FROM artifactregistry_packages WHERE repository = ? AND name = ?', uid, name)
      return row === undefined ? undefined : toPackage(row)
    },
    touchPackage(uid, name, time) {
      database.run(
        'INSERT INTO artifactregistry_packages VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository, name) DO UPDATE SET serial = excluded.serial, update_time = excluded.update_time',
        uid,
        name,
        nextSerial(uid),
        time,
        time,
      )
    },
    deletePackage: (uid, name) => void database.run('DELETE FROM artifactregistry_packages WHERE repository = ? AND name = ?', uid, name),
    files: (uid) => database.all<FileRow>(`SELECT ${FILE_COLUMNS} FROM artifactregistry_files WHERE repository = ? ORDER BY filename`, uid).map(toFile),
    filesOfPackage: (uid, name) =>
      database.all<FileRow>(`SELECT ${FILE_COLUMNS} FROM artifactregistry_files WHERE repository = ? AND package = ? ORDER BY upload_time, filename`, uid, name).map(toFile),
    findFile(uid, filename) {
      const row = database.get<FileRow>(`SELECT ${FILE_COLUMNS} FROM artifactregistry_files WHERE repository = ? AND filename = ?`, uid, filename)
      return row === undefined ? undefined : toFile(row)
    },
    insertFile(uid, file, metadata) {
      database.run(
        `INSERT INTO artifactregistry_files (repository, ${FILE_COLUMNS}, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        uid,
        file.filename,
        file.package,
        file.version,
        file.filetype,
        file.sha256,
        file.md5,
        file.sizeBytes,
        file.requiresPython ?? null,
        file.summary ?? null,
        file.metadataSha256 ?? null,
        file.yanked ?? null,
        file.uploadTime,
        metadata ?? null,
      )
    },
    deleteFile: (uid, filename) => void database.run('DELETE FROM artifactregistry_files WHERE repository = ? AND filename = ?', uid, filename),
    metadataOf: (uid, filename) =>
      database.get<{ metadata: Uint8Array | null }>('SELECT metadata FROM artifactregistry_files WHERE repository = ? AND filename = ?', uid, filename)?.metadata ?? undefined,
  }
}

interface PackageRow {
  name: string
  serial: number
  create_time: string
  update_time: string
}

function toPackage(row: PackageRow): PackageRecord {
  return { name: row.name, serial: row.serial, createTime: row.create_time, updateTime: row.update_time }
}

function toFile(row: FileRow): FileRecord {
  return {
    filename: row.filename,
    package: row.package,
    version: row.version,
    filetype: row.filetype,
    sha256: row.sha256,
    md5: row.md5,
    sizeBytes: row.size_bytes,
    requiresPython: row.requires_python ?? undefined,
    summary: row.summary ?? undefined,
    metadataSha256: row.metadata_sha256 ?? undefined,
    yanked: row.yanked ?? undefined,
    uploadTime: row.upload_time,
  }
}
