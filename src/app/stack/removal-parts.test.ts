import { expect, test } from 'vitest'
import { imageKind } from '../kinds/image.ts'
import { pythonPackageKind } from '../kinds/python-package.ts'
import { removalParts } from './removal-parts.ts'

test('kinds that only remove can be made, and whatever they would bake, publish or roll out says that it is not for them', async () => {
  expect(imageKind(() => removalParts.image).kind).toBe('image')
  const kind = pythonPackageKind(removalParts.package)
  expect(kind.identity(kind.parse({ project: 'p', location: 'l', repository: 'r', name: 'n', version: '1', sourceDigest: 'd' }))).toEqual({
    project: 'p',
    location: 'l',
    repository: 'r',
    name: 'n',
  })
  const parts = [
    ...Object.values(removalParts.image),
    removalParts.package.build,
    removalParts.package.uploadToken,
    removalParts.release.deploy,
    removalParts.release.mend,
  ] as (() => unknown)[]
  expect(parts).toHaveLength(7)
  for (const part of parts) expect(part).toThrow('neither bakes, publishes nor rolls out')
})
