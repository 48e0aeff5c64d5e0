/** What the image kind needs of baker, packer and boot test, for one stack. */
import { join } from 'node:path'
import { uploadObject } from '../../client/upload.ts'
import type { KilnHome } from '../../host/home.ts'
import { requireHealthy } from '../../image/boot-test.ts'
import { explainKeyChange, imageKey, isResolved } from '../../image/key.ts'
import { packForCompute } from '../../image/pack.ts'
import type { KeyInputs, PrivateIndex } from '../../image/types.ts'
import { probeAccelerator } from '../../vm/accelerator.ts'
import { createQemuDriver } from '../../vm/qemu/driver.ts'
import type { ImageParts } from '../kinds/image-offline.ts'
import type { BakeQueue } from './bake-queue.ts'
import type { ImageSpecs } from './image-specs.ts'

export interface ImagePartsOptions {
  readonly home: KilnHome
  readonly specs: ImageSpecs
  readonly queue: BakeQueue
  readonly index: PrivateIndex
  /** Health path and port of images with a server. */
  readonly health: (family: string) => { readonly path: string; readonly port: number; readonly timeoutSeconds: number } | undefined
  /** Key inputs of the last bake of each family on this machine, to say what changed. */
  readonly lastInputs: ReadonlyMap<string, KeyInputs>
  readonly noCache?: boolean
}

/** For images without a server: until SSH answers. A boot under emulation on a busy machine takes minutes. */
const SSH_TIMEOUT_SECONDS = 600

/** Makes the parts for one stack. */
export function createImageParts(options: ImagePartsOptions): ImageParts {
  const { home, specs, queue } = options
  return {
    keyOf(family, wheels) {
      const key = imageKey(specs.spec(family, wheels), queue.lock())
      return { key: key.key, resolved: isResolved(key.inputs) }
    },
    explain(family, wheels) {
      const before = options.lastInputs.get(family)
      return before === undefined ? [] : explainKeyChange(before, imageKey(specs.spec(family, wheels), queue.lock()).inputs)
    },
    async bake(family, wheels, progress, signal) {
      const baked = await queue.bake(specs.spec(family, wheels), options.index, { progress, signal, noCache: options.noCache === true })
      return { key: baked.key.key, digest: baked.digest, diskPath: baked.diskPath }
    },
    withArchive: (disk, signal, use) =>
      queue.withTemporary(async (folder) => {
        const path = join(folder, 'disk.tar.gz')
        await packForCompute(disk.diskPath, path, signal)
        return use(path)
      }),
    async upload(clients, bucket, name, path, signal) {
      await uploadObject(clients, { bucket, name, file: path, contentType: 'application/gzip', metadata: { 'managed-by': 'kiln' }, signal })
      return `https://storage.googleapis.com/${bucket}/${name}`
    },
    async bootTest(family, disk, progress, signal) {
      // The first machine of a data folder: find out once what boots a real kernel here.
      const kernel = await queue.kernel(specs.base(family))
      if (kernel !== undefined) await probeAccelerator({ home, kernel, signal })
      progress.note('booting the image for its test')
      const health = options.health(family)
      const report = await requireHealthy(family, {
        driver: createQemuDriver({ home }),
        disk: disk.diskPath,
        timeoutMs: (health?.timeoutSeconds ?? SSH_TIMEOUT_SECONDS) * 1000,
        signal,
        ...(health === undefined ? {} : { health }),
      })
      progress.note(`boot test passed: healthy after ${(report.bootMs / 1000).toFixed(1)} s`)
    },
  }
}
