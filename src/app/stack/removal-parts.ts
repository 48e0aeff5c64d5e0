/** Kinds that only remove need nothing of the baker: what is never called says so when it is. */
import type { ImageParts } from '../kinds/image.ts'
import type { PackageParts } from '../kinds/python-package.ts'

function never(): never {
  throw new Error('a removal neither bakes nor publishes')
}

export const removalParts: { readonly package: PackageParts; readonly image: ImageParts } = {
  package: { build: never, wantedVersion: '', uploadToken: never },
  image: { keyOf: never, explain: never, bake: never, withArchive: never, upload: never, bootTest: never },
}
