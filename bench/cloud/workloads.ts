/** What is asked of every side that has it, and what is there to be asked for. */
import { KIB, MIB } from '../../src/base/units.ts'
import type { Load } from './load.ts'
import type { ServerProcess } from './server-process.ts'

export const workloads = {
  metadata: { title: 'object metadata', bodyBytes: 0 },
  list: { title: 'object list, page of 100', bodyBytes: 0 },
  bucket: { title: 'bucket', bodyBytes: 0 },
  instances: { title: 'list of 20 instances', bodyBytes: 0 },
  simple: { title: 'simple index page, 20 wheels', bodyBytes: 0 },
  metadataOfMany: { title: 'object metadata, bucket of many', bodyBytes: 0 },
  listOfMany: { title: 'list page of 100, bucket of many', bodyBytes: 0 },
  downloadSmall: { title: 'download 64 KiB', bodyBytes: 64 * KIB },
  downloadLarge: { title: 'download 8 MiB', bodyBytes: 8 * MIB },
  uploadSmall: { title: 'upload 64 KiB', bodyBytes: 64 * KIB },
  uploadLarge: { title: 'upload 8 MiB', bodyBytes: 8 * MIB },
} as const

export type WorkloadName = keyof typeof workloads
export const workloadNames = Object.keys(workloads) as readonly WorkloadName[]

export type SideName = 'Kiln' | 'nginx' | 'fake-gcs-server'

export interface Side {
  readonly name: SideName
  readonly server: ServerProcess
  /** What a client sends for a workload; undefined where this side has no such thing. */
  load(workload: WorkloadName): Load | undefined
}

export const project = 'bench-cloud'
export const zone = 'us-central1-a'
/** 200 objects of 1 KiB below `releases/`. */
export const filesBucket = 'bench-files'
/** What is downloaded and uploaded. */
export const transferBucket = 'bench-transfer'
/** The bucket of many. */
export const manyBucket = 'bench-many'
export const packageName = 'bench-wheel'

export const smallObjects: readonly string[] = Array.from({ length: 200 }, (_, index) => `releases/part-${digits(index, 4)}.bin`)
export const smallBody = (index: number): Buffer => Buffer.alloc(KIB, `part ${index} `)

/** How many names an upload takes by turns: what is on the disk stays bounded. */
export function uploadNames(bodyBytes: number): readonly string[] {
  return Array.from({ length: bodyBytes >= MIB ? 16 : 128 }, (_, index) => `upload-${bodyBytes}-${digits(index, 3)}.bin`)
}

export const downloadName = (bodyBytes: number): string => `download-${bodyBytes}.bin`
export const manyName = (index: number): string => `data/object-${digits(index, 9)}.bin`

/** 64 places over all of the bucket of many. */
export function manyPlaces(count: number): readonly number[] {
  return Array.from({ length: 64 }, (_, index) => Math.floor((index * Math.max(count - 200, 1)) / 64))
}

/** The JSON API of Cloud Storage, as Kiln and fake-gcs-server serve it; `root` comes before the path. */
export function storageLoads(root: string, headers: Readonly<Record<string, string>>, bodyFile: (bodyBytes: number) => string, manyCount: () => number) {
  const objects = (bucket: string): string => `${root}/storage/v1/b/${bucket}/o`
  const get = (...paths: string[]): Load => ({ method: 'GET', headers, paths })
  const download = (bodyBytes: number): Load => get(`${root}/download/storage/v1/b/${transferBucket}/o/${downloadName(bodyBytes)}?alt=media`)
  const upload = (bodyBytes: number): Load => ({
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    paths: uploadNames(bodyBytes).map((name) => `${root}/upload/storage/v1/b/${transferBucket}/o?uploadType=media&name=${name}`),
    body: { file: bodyFile(bodyBytes), sizeBytes: bodyBytes },
  })
  return {
    metadata: () => get(...smallObjects.slice(0, 100).map((name) => `${objects(filesBucket)}/${encodeURIComponent(name)}`)),
    list: () => get(`${objects(filesBucket)}?prefix=${encodeURIComponent('releases/')}&maxResults=100`),
    bucket: () => get(`${root}/storage/v1/b/${filesBucket}`),
    downloadSmall: () => download(workloads.downloadSmall.bodyBytes),
    downloadLarge: () => download(workloads.downloadLarge.bodyBytes),
    uploadSmall: () => upload(workloads.uploadSmall.bodyBytes),
    uploadLarge: () => upload(workloads.uploadLarge.bodyBytes),
    metadataOfMany: () => get(...manyPlaces(manyCount()).map((index) => `${objects(manyBucket)}/${encodeURIComponent(manyName(index))}`)),
    listOfMany: () => get(...manyPlaces(manyCount()).map((index) => `${objects(manyBucket)}?startOffset=${encodeURIComponent(manyName(index))}&maxResults=100`)),
  } satisfies Partial<Record<WorkloadName, () => Load>>
}

/** Where an uploaded object can be read again. */
export function storedObject(root: string, name: string): string {
  return `${root}/storage/v1/b/${transferBucket}/o/${encodeURIComponent(name)}?alt=media`
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}
