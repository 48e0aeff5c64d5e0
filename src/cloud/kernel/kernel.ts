/** The shared parts of the pocket cloud, made once per daemon and handed to every room. */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'
import type { KilnHome } from '../../host/home.ts'
import { openBlobStore } from '../../store/blobs.ts'
import type { BlobStore } from '../../store/blobs.ts'
import { openDatabase } from '../../store/database.ts'
import type { Database } from '../../store/database.ts'
import { createFaults } from './faults.ts'
import type { Faults } from './faults.ts'
import { createOperations } from './operations.ts'
import type { Operations } from './operations.ts'
import { createPolicies } from './policy.ts'
import type { Policies } from './policy.ts'
import { createPorts } from './ports.ts'
import type { PortRegistry } from './ports.ts'
import { createProjects } from './projects.ts'
import type { Projects } from './projects.ts'
import { createTokens } from './tokens.ts'
import type { Tokens } from './tokens.ts'

export interface Kernel {
  readonly home: KilnHome
  readonly database: Database
  readonly blobs: BlobStore
  readonly tokens: Tokens
  readonly policies: Policies
  readonly projects: Projects
  readonly operations: Operations
  readonly ports: PortRegistry
  readonly faults: Faults
  readonly log: Logger
  /** `http://127.0.0.1:PORT`, once the server listens. */
  rootUrl(): string
  close(): Promise<void>
}

/** Opens database and blobs under `home.cloud`. @throws KilnError E_DATA_NEWER, E_DATA_BROKEN */
export async function openKernel(options: { readonly home: KilnHome; readonly log: Logger; readonly rootUrl: () => string }): Promise<Kernel> {
  const { home, log } = options
  const database = openDatabase(privateFile(join(home.cloud, 'cloud.db')))
  try {
    const blobs = openBlobStore(join(home.cloud, 'blobs'), database)
    const faults = createFaults(database)
    const operations = createOperations(
      database,
      (error, operation) => log.error({ err: error, operation: operation.name, type: operation.type }, 'an operation failed unexpectedly'),
      faults.operationFault,
    )
    const projects = createProjects(database)
    await blobs.collect(true)
    return {
      home,
      database,
      blobs,
      tokens: createTokens(database, undefined, faults.tokenLifetime),
      policies: createPolicies(database, { projectNumber: (projectId) => projects.find(projectId)?.projectNumber }),
      projects,
      operations,
      ports: createPorts(),
      faults,
      log,
      rootUrl: options.rootUrl,
      async close() {
        await operations.stop()
        database.close()
      },
    }
  } catch (error) {
    database.close()
    throw error
  }
}

/** The database holds secrets and signing keys: only its owner may read it or enter its folder (SQLite gives its -wal and -shm files the same mode). */
function privateFile(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  chmodSync(dirname(path), 0o700)
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  return path
}
