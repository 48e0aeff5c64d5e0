/** Pages of the simple index with their entity tags. Rendered pages are kept in memory until the package changes. */
import { createHash } from 'node:crypto'
import { MIB } from '../../../base/units.ts'
import type { IndexForm } from './python/negotiate.ts'
import { renderProject, renderRoot } from './python/simple-index.ts'
import type { ArtifactStore, RepositoryRecord } from './store.ts'

export interface IndexPage {
  /** UTF-8. */
  readonly body: Buffer
  /** Strong, quoted: a hash of the body. */
  readonly etag: string
}

export interface IndexService {
  root(repository: RepositoryRecord, form: IndexForm): IndexPage
  /** Undefined when the project has no files. `name` is normalised. */
  project(repository: RepositoryRecord, name: string, form: IndexForm): IndexPage | undefined
}

const MAX_CACHED_BYTES = 64 * MIB

export function createIndexService(store: ArtifactStore): IndexService {
  const pages = new Map<string, IndexPage & { readonly serial: number }>()
  let cachedBytes = 0

  function forget(key: string): void {
    cachedBytes -= pages.get(key)?.body.length ?? 0
    pages.delete(key)
  }

  function remember(key: string, serial: number, page: IndexPage): void {
    forget(key)
    pages.set(key, { ...page, serial })
    cachedBytes += page.body.length
    for (const oldest of pages.keys()) {
      if (cachedBytes <= MAX_CACHED_BYTES || oldest === key) break
      forget(oldest)
    }
  }

  return {
    root: (repository, form) =>
      toPage(
        renderRoot(
          form,
          store.packages(repository.uid).map((each) => each.name),
        ),
      ),
    project(repository, name, form) {
      const found = store.findPackage(repository.uid, name)
      if (found === undefined) return undefined
      const key = `${repository.uid}/${name}/${form}`
      const cached = pages.get(key)
      if (cached?.serial === found.serial) return cached
      const page = toPage(renderProject(form, name, store.filesOfPackage(repository.uid, name)))
      remember(key, found.serial, page)
      return page
    },
  }
}

function toPage(text: string): IndexPage {
  const body = Buffer.from(text)
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}
