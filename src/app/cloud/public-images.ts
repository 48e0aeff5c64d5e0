/**
 * The pocket cloud's share of Google's public images: Debian, baked here from Debian's own packages when one is first booted, with the
 * programs that Google's images of Debian have too. https://cloud.google.com/compute/docs/images/os-details
 */
import { constants } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import type { PublicImages } from '../../cloud/rooms/compute/index.ts'
import { run } from '../../host/exec.ts'
import type { KilnHome } from '../../host/home.ts'
import { createBaker } from '../../image/baker.ts'
import { RECIPE_VERSION } from '../../image/recipe/packages.ts'
import type { BaseImageSpec } from '../../image/types.ts'

const packages = ['curl', 'less', 'python3', 'python3-pip', 'python3-venv', 'rsync']

const suites = [
  { suite: 'bookworm', version: 12 },
  { suite: 'trixie', version: 13 },
] as const

/** Bakes with the caches of this data folder, so that a second one takes seconds. */
export function createPublicImages(home: KilnHome): PublicImages {
  const offered = suites.map(({ suite, version }) => {
    const name = `debian-${version}-${suite}-v${RECIPE_VERSION}`
    const spec: BaseImageSpec = { type: 'base', name: `public-debian-${version}`, suite, packages }
    const image = {
      projectId: 'debian-cloud',
      name,
      family: `debian-${version}`,
      description: `Debian GNU/Linux ${version} (${suite}), baked by this pocket cloud`,
      diskSizeGb: 10,
      fileId: `public-${name}`,
    }
    return { spec, image }
  })
  const baker = createBaker({ home })
  return {
    images: offered.map(({ image }) => image),
    async provide(fileId, path, signal) {
      const found = offered.find(({ image }) => image.fileId === fileId)
      if (found === undefined) throw new Error(`no public image has the file ${fileId}`)
      await baker.open()
      const baked = await baker.bake(found.spec, signal === undefined ? {} : { signal })
      try {
        await copyFile(baked.diskPath, path, constants.COPYFILE_FICLONE_FORCE)
      } catch {
        // No reflinks on this file system; the holes at least stay holes.
        await run({ program: 'cp', args: ['--sparse=always', baked.diskPath, path] }, { what: 'copying the disk' })
      }
    },
  }
}
