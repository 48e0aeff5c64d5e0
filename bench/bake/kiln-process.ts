/** One bake in a process of its own, as a user's command is one. Reads a `BakeOrder` as JSON from stdin, writes a `BakeAnswer` to stdout. */
import { text } from 'node:stream/consumers'
import { kilnHome } from '../../src/host/home.ts'
import { createBaker } from '../../src/image/baker.ts'
import type { BakedImage, ImageSpec, LockFile } from '../../src/image/types.ts'

export interface BakeOrder {
  readonly home: string
  readonly spec: ImageSpec
  readonly lock: LockFile
  readonly index: { readonly url: string; readonly token: string }
}

export type BakeAnswer = Pick<BakedImage, 'digest' | 'diskPath' | 'sizeBytes' | 'cached' | 'durations'> & { readonly key: string }

const order = JSON.parse(await text(process.stdin)) as BakeOrder
const baker = createBaker({ home: kilnHome({ KILN_HOME: order.home }) })
const image = await baker.bake(order.spec, { lock: order.lock, index: { url: order.index.url, accessToken: async () => order.index.token } })
const { digest, diskPath, sizeBytes, cached, durations } = image
const answer: BakeAnswer = { key: image.key.key, digest, diskPath, sizeBytes, cached, durations }
process.stdout.write(JSON.stringify(answer))
