/** Downloads: the JSON API's `alt=media` and the plain `GET /BUCKET/OBJECT` of the XML API. https://cloud.google.com/storage/docs/xml-api/get-object-download */
import { ApiError } from '../../kernel/api-error.ts'
import { FilePart } from '../../kernel/file-part.ts'
import { describeMissingMethod } from '../../kernel/missing-method.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { parseRange } from './media/ranges.ts'
import { param } from './routes.buckets.ts'
import { hasEtag } from './routes.objects.ts'
import type { BucketService } from './service.buckets.ts'
import { isUnchanged, parseConditions, parseGeneration } from './service.conditions.ts'
import type { ObjectService } from './service.objects.ts'
import { objectEtag } from './service.present.ts'
import type { StoredObject } from './store.objects.ts'

/** First path segments of the other APIs on this host; none of them is a valid bucket for `GET /BUCKET/OBJECT`. */
const API_FOLDERS = ['storage', 'upload', 'download', 'resumable', 'batch']

export function mediaRoutes(buckets: BucketService, objects: ObjectService): readonly AnyRoute[] {
  const plainTarget = (request: RouteRequest): Target => {
    if (API_FOLDERS.includes(param(request, 'bucket'))) {
      const method = describeMissingMethod(request.host, request.reply.request.method, request.path)
      throw new ApiError('UNIMPLEMENTED', `${method} is not implemented by the pocket cloud (${request.path.split('?')[0]}).`)
    }
    return buckets.target(param(request, 'bucket'), param(request, '*'))
  }
  const plain = (request: RouteRequest): FilePart | string | undefined =>
    sendMedia(request, objects, objects.get(param(request, 'bucket'), param(request, '*'), parseGeneration(request.query['generation'])), 'xml')

  return [
    {
      id: 'storage.objects.download',
      method: 'GET',
      path: '/download/storage/v1/b/:bucket/o/:object',
      permission: 'storage.objects.get',
      target: (request) => buckets.target(param(request, 'bucket'), param(request, 'object')),
      handler: (request) => sendMedia(request, objects, objects.get(param(request, 'bucket'), param(request, 'object'), parseGeneration(request.query['generation']))),
    },
    { id: 'storage.xml.getObject', method: 'GET', path: '/:bucket/*', permission: 'storage.objects.get', target: plainTarget, handler: plain },
    { id: 'storage.xml.headObject', method: 'HEAD', path: '/:bucket/*', permission: 'storage.objects.get', target: plainTarget, handler: plain },
  ]
}

/** Answers with an object's bytes, or the part that a Range header asks for. @throws ApiError 412, 416 */
export function sendMedia(request: RouteRequest, objects: ObjectService, object: StoredObject, dialect: 'json' | 'xml' = 'json'): FilePart | string | undefined {
  const { reply, headers } = request
  const etag = dialect === 'json' ? objectEtag(object) : `"${object.md5 === undefined ? objectEtag(object) : Buffer.from(object.md5, 'base64').toString('hex')}"`
  void reply.headers(mediaHeaders(object, etag))
  if (isUnchanged(parseConditions(request.query), object) || hasEtag(headers['if-none-match'], etag.replaceAll('"', ''))) {
    void reply.code(304)
    return undefined
  }
  // If-Range with another state of the object means: all of it (RFC 9110 section 13.1.5).
  const isSame = headers['if-range'] === undefined || hasEtag(String(headers['if-range']), etag.replaceAll('"', ''))
  const range = isSame ? parseRange(headers.range, object.sizeBytes) : undefined
  if (range !== undefined) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${object.sizeBytes}`)
  void reply.header('content-length', range === undefined ? object.sizeBytes : range.end - range.start + 1)
  if (request.reply.request.method === 'HEAD' || object.sizeBytes === 0) return ''
  const { path, release } = objects.hold(object)
  return new FilePart(path, range ?? { start: 0, end: object.sizeBytes - 1 }, release)
}

function mediaHeaders(object: StoredObject, etag: string): Record<string, string | string[]> {
  const { fields } = object
  // One line each: the Go client does not split them.
  const hashes = [`crc32c=${object.crc32c}`, ...(object.md5 === undefined ? [] : [`md5=${object.md5}`])]
  const optional: Record<string, string | undefined> = {
    'content-encoding': fields.contentEncoding,
    'content-disposition': fields.contentDisposition,
    'content-language': fields.contentLanguage,
    'x-goog-stored-content-encoding': fields.contentEncoding ?? 'identity',
  }
  const metadata = Object.entries(fields.metadata ?? {}).map(([key, value]) => [`x-goog-meta-${key.toLowerCase()}`, value] as const)
  return {
    'content-type': fields.contentType ?? 'application/octet-stream',
    'cache-control': fields.cacheControl ?? 'private, max-age=0',
    'accept-ranges': 'bytes',
    etag,
    'last-modified': new Date(object.updated).toUTCString(),
    'x-goog-hash': hashes,
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-stored-content-length': String(object.sizeBytes),
    'x-goog-storage-class': fields.storageClass ?? 'STANDARD',
    ...Object.fromEntries([...Object.entries(optional), ...metadata].filter((entry): entry is [string, string] => entry[1] !== undefined && isHeaderSafe(entry[0], entry[1]))),
  }
}

/** Metadata may hold what no header can carry. */
function isHeaderSafe(name: string, value: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\u0020-\u007E\u0080-\u00FF]*$/.test(value)
}
