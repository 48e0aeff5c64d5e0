/** Artifact Registry: the control plane for Python repositories, and the Python package index on `LOCATION-python.pkg.dev`. */
import { GIB } from '../../../base/units.ts'
import type { Room } from '../../kernel/room.ts'
import { controlRoutes } from './routes.ts'
import { packageRoutes } from './routes.packages.ts'
import { pythonRoutes } from './routes.python.ts'
import { createFileService } from './service.files.ts'
import { createIndexService } from './service.index.ts'
import { createArtifactOperations } from './service.operations.ts'
import { createPackageService } from './service.packages.ts'
import { createRepositoryService } from './service.repositories.ts'
import { artifactRegistryMigrations, createStore } from './store.ts'

export interface ArtifactRegistryOptions {
  /** Largest file that is taken in. Default 4 GiB. */
  readonly maxUploadBytes?: number
}

export function createArtifactRegistryRoom(options: ArtifactRegistryOptions = {}): Room {
  return {
    id: 'artifactregistry',
    service: 'artifactregistry.googleapis.com',
    hosts: [
      { name: 'api', match: 'artifactregistry.googleapis.com' },
      { name: 'python', match: /^[a-z0-9-]+-python\.pkg\.dev$/ },
    ],
    migrations: artifactRegistryMigrations,
    routes(kernel) {
      const store = createStore(kernel.database)
      const operations = createArtifactOperations(kernel)
      const repositories = createRepositoryService(kernel, store, operations)
      const files = createFileService(kernel, store)
      const packages = createPackageService({ kernel, store, files, repositories, operations })
      return [
        ...controlRoutes(kernel, repositories),
        ...packageRoutes(repositories, packages, files),
        ...pythonRoutes({ kernel, repositories, files, index: createIndexService(store), maxUploadBytes: options.maxUploadBytes ?? 4 * GIB }),
      ]
    },
  }
}
