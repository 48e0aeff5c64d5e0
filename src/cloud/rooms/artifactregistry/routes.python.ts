/**
 * The Python data plane on `LOCATION-python.pkg.dev`: uploads, the simple index, files.
 * https://cloud.google.com/artifact-registry/docs/python/store-python
 */
import { notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { normalizeName } from './python/names.ts'
import { indexTypes, negotiate } from './python/negotiate.ts'
import type { Negotiated } from './python/negotiate.ts'
import { matchesEtag } from './python/ranges.ts'
import { sendFile } from './python/send-file.ts'
import { readUploadForm } from './python/upload-form.ts'
import type { FileService } from './service.files.ts'
import type { IndexPage, IndexService } from './service.index.ts'
import type { RepositoryPath, RepositoryService } from './service.repositories.ts'
import type { RepositoryRecord } from './store.ts'

export interface PythonRoutesDeps {
  readonly kernel: Kernel
  readonly repositories: RepositoryService
  readonly files: FileService
  readonly index: IndexService
  readonly maxUploadBytes: number
}

const METADATA_SUFFIX = '.metadata'

export function pythonRoutes(deps: PythonRoutesDeps): readonly AnyRoute[] {
  const { kernel, repositories, files, index } = deps

  function pathOf(request: RouteRequest): RepositoryPath {
    return { project: request.params['project'] ?? '', location: request.host.slice(0, -'-python.pkg.dev'.length), repository: request.params['repository'] ?? '' }
  }

  function target(request: RouteRequest): Target {
    return { projectId: request.params['project'] ?? '', resource: repositories.resourceName(pathOf(request)) }
  }

  async function upload(request: RouteRequest): Promise<undefined> {
    const repository = repositories.get(pathOf(request))
    const form = await readUploadForm(request.stream, request.headers['content-type'], kernel.blobs, deps.maxUploadBytes)
    await files.publish(repository, form)
    void request.reply.code(200).type('text/plain; charset=utf-8').send('')
  }

  function root(request: RouteRequest): unknown {
    const repository = repositories.get(pathOf(request))
    return answerPage(request, (chosen) => index.root(repository, chosen.form))
  }

  function project(request: RouteRequest): unknown {
    const repository = repositories.get(pathOf(request))
    const asked = request.params['name'] ?? ''
    const name = normalizeName(asked)
    if (name !== asked) return redirect(request, `../${encodeURIComponent(name)}/`)
    return answerPage(request, (chosen) => {
      const page = index.project(repository, name, chosen.form)
      if (page === undefined) throw notFound(`Requested entity was not found: the repository ${repository.repositoryId} has no package ${JSON.stringify(name)}.`)
      return page
    })
  }

  function file(request: RouteRequest): unknown {
    const repository = repositories.get(pathOf(request))
    return answerFile(request, repository, request.params['package'] ?? '', request.params['filename'] ?? '')
  }

  /** `/P/R/simple/X` is a project page without its slash, unless X is a file of a project that is called "simple". */
  function projectOrFile(request: RouteRequest): unknown {
    const repository = repositories.get(pathOf(request))
    const name = request.params['name'] ?? ''
    const filename = name.endsWith(METADATA_SUFFIX) ? name.slice(0, -METADATA_SUFFIX.length) : name
    if (files.find(repository, filename)?.package === 'simple') return answerFile(request, repository, 'simple', name)
    return redirect(request, `${encodeURIComponent(normalizeName(name))}/`)
  }

  function answerFile(request: RouteRequest, repository: RepositoryRecord, packageName: string, asked: string): unknown {
    const isMetadata = asked.endsWith(METADATA_SUFFIX)
    const record = files.get(repository, isMetadata ? asked.slice(0, -METADATA_SUFFIX.length) : asked)
    if (record.package !== packageName) throw notFound(`Requested entity was not found: the package ${JSON.stringify(packageName)} has no file ${JSON.stringify(asked)}.`)
    const modifiedTime = record.uploadTime
    if (!isMetadata)
      return sendFile(request, { sha256: record.sha256, sizeBytes: record.sizeBytes, type: 'application/octet-stream', modifiedTime }, (range) => files.open(record, range))
    const bytes = Buffer.from(files.metadata(repository, record.filename))
    const content = { sha256: record.metadataSha256 ?? '', sizeBytes: bytes.length, type: 'text/plain; charset=utf-8', modifiedTime }
    return sendFile(request, content, (range) => (range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)))
  }

  const download = { host: 'python', permission: 'artifactregistry.repositories.downloadArtifacts', target, basicAuth: true } as const
  const send = { host: 'python', permission: 'artifactregistry.repositories.uploadArtifacts', target, basicAuth: true, raw: true } as const
  const reading = (['GET', 'HEAD'] as const).flatMap((method): AnyRoute[] => [
    { ...download, id: 'artifactregistry.python.index.redirect', method, path: '/:project/:repository/simple', handler: (request) => redirect(request, 'simple/') },
    { ...download, id: 'artifactregistry.python.index.root', method, path: '/:project/:repository/simple/', handler: root },
    { ...download, id: 'artifactregistry.python.index.project', method, path: '/:project/:repository/simple/:name/', handler: project },
    { ...download, id: 'artifactregistry.python.index.projectRedirect', method, path: '/:project/:repository/simple/:name', handler: projectOrFile },
    { ...download, id: 'artifactregistry.python.files.download', method, path: '/:project/:repository/:package/:filename', handler: file },
  ])
  return [
    { ...send, id: 'artifactregistry.python.upload', method: 'POST', path: '/:project/:repository/', handler: upload },
    { ...send, id: 'artifactregistry.python.upload', method: 'POST', path: '/:project/:repository', handler: upload },
    ...reading,
  ]
}

/** Relative, so that it holds on the direct URL and behind the proxy; the caller's query goes along. */
function redirect(request: RouteRequest, location: string): undefined {
  const query = request.path.indexOf('?')
  void request.reply
    .code(301)
    .header('location', `${location}${query === -1 ? '' : request.path.slice(query)}`)
    .type('text/plain; charset=utf-8')
    .send('')
}

function answerPage(request: RouteRequest, make: (chosen: Negotiated) => IndexPage): unknown {
  const { reply, headers } = request
  void reply.header('vary', 'Accept, Authorization').header('x-content-type-options', 'nosniff')
  const chosen = negotiate(headers.accept, request.query['format'])
  if (chosen === undefined)
    return reply
      .code(406)
      .type('text/plain; charset=utf-8')
      .send(`The index is available as: ${indexTypes.join(', ')}\n`)
  const page = make(chosen)
  // Always asked again, so that a fresh upload is seen at once; the entity tag keeps that cheap.
  void reply.header('etag', page.etag).header('cache-control', 'private, no-cache').type(chosen.contentType)
  if (matchesEtag(headers['if-none-match'], page.etag)) return reply.code(304).send()
  return reply.header('content-length', page.body.length).send(reply.request.method === 'HEAD' ? '' : page.body)
}
