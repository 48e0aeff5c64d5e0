/** Props and attributes of an object in a bucket. */
import { z } from 'zod'

export const BucketObjectProps = z.strictObject({
  bucket: z.string(),
  /** The object's name. */
  name: z.string(),
  /** Absolute path of the file on this machine. */
  source: z.string(),
  /** Base64 of the file's MD5, as Cloud Storage shows it: what decides whether the object is the same. */
  md5: z.string(),
  contentType: z.string().default('application/octet-stream'),
})
export type BucketObjectProps = z.output<typeof BucketObjectProps>

export type BucketObjectAttributes = {
  /** `gs://BUCKET/NAME` */
  readonly url: string
  readonly generation: string
  readonly md5: string
  readonly contentType: string
}
