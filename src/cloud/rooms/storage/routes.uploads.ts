/** Uploads in all three forms. https://cloud.google.com/storage/docs/uploads-downloads */
import { freedChunks } from '../../../store/body-writer.ts'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { required } from './errors.ts'
import { hashesFromHeaders } from './media/hashes.ts'
import { parseBoundary, parseMultipart } from './media/multipart.ts'
import { parseUploadRange } from './media/ranges.ts'
import { param } from './routes.buckets.ts'
import { parseObjectBody } from './schema.ts'
import type { ObjectBody } from './schema.ts'
import type { BucketService } from './service.buckets.ts'
import { parseConditions } from './service.conditions.ts'
import type { NewObject, ObjectService } from './service.objects.ts'
import { presentObject } from './service.present.ts'
import type { UploadService, UploadState } from './service.uploads.ts'

const UPLOAD = '/upload/storage/v1/b/:bucket/o'
/** gcloud starts its sessions here. */
const RESUMABLE = '/resumable/upload/storage/v1/b/:bucket/o'
const MAX_METADATA_BYTES = 1024 * 1024

export function uploadRoutes(kernel: Kernel, buckets: BucketService, objects: ObjectService, uploads: UploadService): readonly AnyRoute[] {
  /** The name may only come in the body: then conditions on it are asked again there. */
  const target = (request: RouteRequest): Target => {
    const name = request.query['name']
    const asked = buckets.target(param(request, 'bucket'), name)
    return name === undefined ? { ...asked, isNameUnknown: true } : asked
  }

  function toNewObject(request: RouteRequest, body: ObjectBody, contentType: string | undefined): NewObject {
    const name = request.query['name'] ?? body.name ?? ''
    if (name === '') throw required('name')
    const named = buckets.target(param(request, 'bucket'), name)
    request.require('storage.objects.create', named)
    return {
      bucket: param(request, 'bucket'),
      name,
      body,
      contentType,
      conditions: parseConditions(request.query),
      hashes: hashesFromHeaders(request.headers),
      mayReplace: () => request.require('storage.objects.delete', named),
    }
  }

  async function insert(request: RouteRequest): Promise<unknown> {
    const uploadType = request.query['uploadType'] ?? request.query['upload_protocol'] ?? (String(request.headers['x-goog-upload-protocol'] ?? '') || 'media')
    if (uploadType === 'resumable') return start(request)
    if (uploadType === 'multipart') {
      const upload = await parseMultipart(freedChunks(request.stream), parseBoundary(request.headers['content-type'] ?? ''))
      const object = toNewObject(request, parseObjectBody(upload.metadata), upload.contentType)
      return presentObject(await objects.insert(object, upload.content, contentLength(request)), request.hostUrl)
    }
    if (uploadType !== 'media') throw invalidArgument(`Invalid upload type: ${uploadType}`, { reason: 'badRequest' })
    const object = toNewObject(
      request,
      request.query['contentEncoding'] === undefined ? {} : { contentEncoding: request.query['contentEncoding'] },
      request.headers['content-type'],
    )
    return presentObject(await objects.insert(object, freedChunks(request.stream), contentLength(request)), request.hostUrl)
  }

  async function start(request: RouteRequest): Promise<unknown> {
    const body = parseObjectBody(await readText(request))
    const contentType = single(request.headers['x-upload-content-type'])
    const object = toNewObject(request, body, contentType)
    const length = single(request.headers['x-upload-content-length'])
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw invalidArgument(`Invalid X-Upload-Content-Length header: ${length.slice(0, 40)}`)
    const mayReplace = kernel.policies.can(request.principal, 'storage.objects.delete', buckets.target(object.bucket, object.name))
    const stored = { body, contentType, conditions: object.conditions, hashes: object.hashes ?? {}, mayReplace }
    const id = await uploads.start(object.bucket, object.name, stored, length === undefined ? undefined : Number(length))
    const query = new URLSearchParams({ uploadType: 'resumable', name: object.name, upload_id: id })
    void request.reply.header('location', `${request.hostUrl}/upload/storage/v1/b/${object.bucket}/o?${query}`).header('x-guploader-uploadid', id)
    return ''
  }

  async function send(request: RouteRequest): Promise<unknown> {
    const range = parseUploadRange(single(request.headers['content-range']))
    const state = await uploads.send(param(request, 'bucket'), uploadId(request), range, request.stream, hashesFromHeaders(request.headers))
    return answerState(request, state)
  }

  return [
    { id: 'storage.objects.insert', method: 'POST', path: UPLOAD, permission: 'storage.objects.create', target, raw: true, handler: insert },
    { id: 'storage.objects.insert', method: 'POST', path: RESUMABLE, permission: 'storage.objects.create', target, raw: true, handler: start },
    // The URL of a session is a credential of its own, as on Google: whoever was given it may send the bytes.
    ...[UPLOAD, RESUMABLE].flatMap((path): AnyRoute[] => [
      { id: 'storage.objects.insert', method: 'PUT', path, permission: 'public', raw: true, handler: send },
      {
        id: 'storage.objects.cancelUpload',
        method: 'DELETE',
        path,
        permission: 'public',
        async handler(request) {
          await uploads.cancel(param(request, 'bucket'), uploadId(request))
          void request.reply.code(499)
          return ''
        },
      },
    ]),
  ]
}

function uploadId(request: RouteRequest): string {
  const id = request.query['upload_id']
  if (id === undefined || id === '') throw required('upload_id')
  return id
}

function answerState(request: RouteRequest, state: UploadState): unknown {
  if ('object' in state) return presentObject(state.object, request.hostUrl)
  void request.reply.code(308)
  if (state.receivedBytes > 0) void request.reply.header('range', `bytes=0-${state.receivedBytes - 1}`)
  return ''
}

function contentLength(request: RouteRequest): number {
  const length = Number(request.headers['content-length'] ?? 0)
  return Number.isSafeInteger(length) && length >= 0 ? length : 0
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

async function readText(request: RouteRequest): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request.stream as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_METADATA_BYTES) throw new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${MAX_METADATA_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
