/** Kinds that only remove need nothing of the baker: what is never called says so when it is. */
import type { ImageMaker } from '../kinds/image-maker.ts'
import type { RolloutParts } from '../kinds/release.ts'
import type { PackageParts } from '../kinds/python-package.ts'

function never(): never {
  throw new Error('a removal neither bakes, publishes nor rolls out')
}

export const removalParts: { readonly package: PackageParts; readonly image: ImageMaker; readonly release: RolloutParts } = {
  package: { build: never, wantedVersion: '', uploadToken: never },
  image: { keyOf: never, explain: never, prepare: never },
  release: { deploy: never, mend: never, isForced: false },
}
