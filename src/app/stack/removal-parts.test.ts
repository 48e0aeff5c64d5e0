import { expect, test } from 'vitest'
import { imageKind } from '../kinds/image.ts'
import { pythonPackageKind } from '../kinds/python-package.ts'
import { removalParts } from './removal-parts.ts'

test('kinds that only remove can be made, and whatever they would bake or publish says that it is not for them', async () => {
  expect(imageKind(removalParts.image).kind).toBe('image')
  const kind = pythonPackageKind(removalParts.package)
  expect(kind.identity(kind.parse({ project: 'p', location: 'l', repository: 'r', name: 'n', version: '1', sourceDigest: 'd' }))).toEqual({
    project: 'p',
    location: 'l',
    repository: 'r',
    name: 'n',
  })
  const parts = [...Object.values(removalParts.image), removalParts.package.build, removalParts.package.uploadToken] as (() => unknown)[]
  expect(parts).toHaveLength(8)
  for (const part of parts) expect(part).toThrow('neither bakes nor publishes')
})
