/** Routes of objects' metadata: get, list, change, delete, copy, compose. https://cloud.google.com/storage/docs/json_api/v1/objects */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { param } from './routes.buckets.ts'
import { sendMedia } from './routes.media.ts'
import { ComposeBody, ObjectBody } from './schema.ts'
import type { BucketService } from './service.buckets.ts'
import { isUnchanged, parseConditions, parseGeneration } from './service.conditions.ts'
import type { ListRequest } from './service.list.ts'
import type { NewObject, ObjectService } from './service.objects.ts'
import { objectEtag, presentObject } from './service.present.ts'
import type { StoredObject } from './store.objects.ts'

const OBJECTS = '/storage/v1/b/:bucket/o'
const OBJECT = `${OBJECTS}/:object`
const MAX_PAGE = 1000

export function objectRoutes(buckets: BucketService, objects: ObjectService): readonly AnyRoute[] {
  const target = (request: RouteRequest): Target => buckets.target(param(request, 'bucket'), request.params['object'])
  const destination = (request: RouteRequest): Target => buckets.target(param(request, 'destinationBucket'), param(request, 'destinationObject'))

  function find(request: RouteRequest): StoredObject {
    return objects.get(param(request, 'bucket'), param(request, 'object'), parseGeneration(request.query['generation']))
  }

  function toNewObject(request: RouteRequest, bucket: string, name: string, body: ObjectBody): NewObject {
    return { bucket, name, body, conditions: parseConditions(request.query), mayReplace: () => request.require('storage.objects.delete', buckets.target(bucket, name)) }
  }

  async function copy(request: RouteRequest<ObjectBody>): Promise<StoredObject> {
    const bucket = param(request, 'bucket')
    request.require('storage.objects.get', target(request))
    const source = objects.get(bucket, param(request, 'object'), parseGeneration(request.query['sourceGeneration'], 'sourceGeneration'))
    const made = toNewObject(request, param(request, 'destinationBucket'), param(request, 'destinationObject'), request.body)
    return objects.copy(source, made, parseConditions(request.query, 'ifSource'))
  }

  const change = (id: string, method: 'PATCH' | 'PUT', how: 'merge' | 'replace'): Route<ObjectBody> => ({
    id,
    method,
    path: OBJECT,
    permission: 'storage.objects.update',
    target,
    body: ObjectBody,
    handler(request) {
      const changed = objects.change(
        param(request, 'bucket'),
        param(request, 'object'),
        parseGeneration(request.query['generation']),
        request.body,
        how,
        parseConditions(request.query),
      )
      return presentObject(changed, request.hostUrl)
    },
  })
  const copyTo: Route<ObjectBody> = {
    id: 'storage.objects.copy',
    method: 'POST',
    path: `${OBJECT}/copyTo/b/:destinationBucket/o/:destinationObject`,
    permission: 'storage.objects.create',
    target: destination,
    body: ObjectBody,
    handler: async (request) => presentObject(await copy(request), request.hostUrl),
  }
  const rewrite: Route<ObjectBody> = {
    id: 'storage.objects.rewrite',
    method: 'POST',
    path: `${OBJECT}/rewriteTo/b/:destinationBucket/o/:destinationObject`,
    permission: 'storage.objects.create',
    target: destination,
    body: ObjectBody,
    async handler(request) {
      const made = await copy(request)
      const size = String(made.sizeBytes)
      return { kind: 'storage#rewriteResponse', totalBytesRewritten: size, objectSize: size, done: true, resource: presentObject(made, request.hostUrl) }
    },
  }
  const compose: Route<ComposeBody> = {
    id: 'storage.objects.compose',
    method: 'POST',
    path: `${OBJECT}/compose`,
    permission: 'storage.objects.create',
    target,
    body: ComposeBody,
    async handler(request) {
      for (const { name } of request.body.sourceObjects) request.require('storage.objects.get', buckets.target(param(request, 'bucket'), name))
      const sources = request.body.sourceObjects.map((source) => ({
        name: source.name,
        generation: parseGeneration(source.generation),
        ifGenerationMatch: parseGeneration(source.objectPreconditions?.ifGenerationMatch, 'ifGenerationMatch'),
      }))
      const made = toNewObject(request, param(request, 'bucket'), param(request, 'object'), request.body.destination ?? {})
      return presentObject(await objects.compose(made, sources), request.hostUrl)
    },
  }

  return [
    {
      id: 'storage.objects.list',
      method: 'GET',
      path: OBJECTS,
      permission: 'storage.objects.list',
      target,
      handler(request) {
        const { items, prefixes, nextPageToken } = objects.list(param(request, 'bucket'), parseList(request))
        return {
          kind: 'storage#objects',
          nextPageToken,
          prefixes: prefixes.length === 0 ? undefined : prefixes,
          items: items.length === 0 ? undefined : items.map((object) => presentObject(object, request.hostUrl)),
        }
      },
    },
    {
      id: 'storage.objects.get',
      method: 'GET',
      path: OBJECT,
      permission: 'storage.objects.get',
      target,
      handler(request) {
        const object = find(request)
        if (request.query['alt'] === 'media') return sendMedia(request, objects, object)
        if (isUnchanged(parseConditions(request.query), object) || hasEtag(request.headers['if-none-match'], objectEtag(object))) {
          void request.reply.code(304)
          return undefined
        }
        void request.reply.header('etag', objectEtag(object))
        return presentObject(object, request.hostUrl)
      },
    },
    change('storage.objects.patch', 'PATCH', 'merge'),
    change('storage.objects.update', 'PUT', 'replace'),
    {
      id: 'storage.objects.delete',
      method: 'DELETE',
      path: OBJECT,
      permission: 'storage.objects.delete',
      target,
      handler: (request) => objects.remove(param(request, 'bucket'), param(request, 'object'), parseGeneration(request.query['generation']), parseConditions(request.query)),
    },
    copyTo,
    rewrite,
    compose,
  ]
}

/** True when one of the etags in an If-None-Match header is this one; Google's clients send them with and without quotes. */
export function hasEtag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((each) => ['*', etag, `"${etag}"`, `W/"${etag}"`].includes(each.trim()))
}

function parseList(request: RouteRequest): ListRequest {
  const { query } = request
  const maxResults = Number(query['maxResults'] ?? MAX_PAGE)
  if (!Number.isInteger(maxResults) || maxResults < 0) throw invalidArgument(`Invalid value for maxResults: ${query['maxResults']}`)
  return {
    prefix: query['prefix'] ?? '',
    delimiter: query['delimiter'] ?? '',
    startOffset: query['startOffset'] ?? '',
    endOffset: query['endOffset'] ?? '',
    includeTrailingDelimiter: isTrue(query['includeTrailingDelimiter']),
    versions: isTrue(query['versions']),
    matchGlob: query['matchGlob'] ?? '',
    maxResults: maxResults === 0 ? MAX_PAGE : Math.min(maxResults, MAX_PAGE),
    pageToken: query['pageToken'],
  }
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true'
}
