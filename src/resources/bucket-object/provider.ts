/** Objects whose content is a file of the stack. https://cloud.google.com/storage/docs/json_api/v1/objects */
import type { storage_v1 } from '@googleapis/storage/build/v1.js'
import { KilnError } from '../../base/errors.ts'
import { checksumFile } from '../../client/checksums.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isGone, isPreconditionFailed } from '../../client/errors.ts'
import { uploadObject } from '../../client/upload.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, managedByLabel, parseProps, part } from '../resource.ts'
import { bucketObjectResource } from './resource.ts'
import { BucketObjectProps } from './schema.ts'
import type { BucketObjectAttributes } from './schema.ts'

const mostRaces = 4

export const bucketObjectKind: ResourceKind<BucketObjectProps, BucketObjectAttributes, Clients> = {
  kind: bucketObjectResource.kind,
  identity: bucketObjectResource.identity,
  parse: (props) => parseProps(bucketObjectResource.kind, BucketObjectProps, props),

  async observe(context, identity) {
    const storage = await context.clients.storage()
    try {
      return toAttributes(await call(storage.objects.get({ bucket: part(identity, 'bucket'), object: part(identity, 'name') }, { signal: context.signal })))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => compare(bucketObjectResource, { md5: [observed.md5, props.md5], contentType: [observed.contentType, props.contentType] }),

  create: (context, props) => put(context, props, '0'),
  update: (context, props, observed) => put(context, props, observed.generation),

  async remove(context, identity) {
    const storage = await context.clients.storage()
    try {
      await call(storage.objects.delete({ bucket: part(identity, 'bucket'), object: part(identity, 'name') }, { signal: context.signal }))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

/** Uploads over exactly the generation that was seen; when another came meanwhile, looks again before it writes over it. */
async function put(context: KindContext<Clients>, props: BucketObjectProps, seenGeneration: string): Promise<BucketObjectAttributes> {
  const checksums = await checksumFile(props.source, context.signal)
  if (checksums.md5 !== props.md5) throw new KilnError('E_APPLY', `${props.source} changed after the plan was made`, { hint: 'run the same command again' })
  let generation = seenGeneration
  for (let race = 1; ; race += 1) {
    try {
      const object = await uploadObject(context.clients, {
        bucket: props.bucket,
        name: props.name,
        file: props.source,
        contentType: props.contentType,
        metadata: { [managedByLabel]: 'kiln' },
        ifGenerationMatch: generation,
        checksums,
        signal: context.signal,
      })
      return { url: `gs://${props.bucket}/${props.name}`, generation: object.generation, md5: props.md5, contentType: props.contentType }
    } catch (error) {
      if (!isPreconditionFailed(error) || race >= mostRaces) throw error
      const live = await bucketObjectKind.observe(context, bucketObjectResource.identity(props))
      if (live !== undefined && bucketObjectKind.diff(props, live).length === 0) return live
      generation = live?.generation ?? '0'
    }
  }
}

function toAttributes(object: storage_v1.Schema$Object): BucketObjectAttributes {
  return {
    url: `gs://${object.bucket ?? ''}/${object.name ?? ''}`,
    generation: object.generation ?? '0',
    md5: object.md5Hash ?? '',
    contentType: object.contentType ?? 'application/octet-stream',
  }
}
