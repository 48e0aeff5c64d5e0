import { describe, expect, test } from 'vitest'
import { GIB, MIB } from '../../base/units.ts'
import { diskSizeFor, parseUsedInodes } from './disk.ts'

describe('disk size', () => {
  test.each([
    [300 * MIB, 1],
    [650 * MIB, 1],
    [900 * MIB, 2],
    [3 * GIB, 4],
  ])('%d bytes of content need %d GiB', (content, gib) => expect(diskSizeFor(content)).toBe(gib * GIB))
})

test('inodes in use are all that dumpe2fs does not list as free, without the reserved ones', () => {
  const listing = `Filesystem volume name:   kiln-root
Inode count:              40

Group 0: (Blocks 0-100)
  Free blocks: 50-99
  Free inodes: 14-18, 20
Group 1: (Blocks 101-200)
  Free inodes: 23-40
`
  expect(parseUsedInodes(listing)).toEqual([2, 11, 12, 13, 19, 21, 22])
  expect(() => parseUsedInodes('nonsense')).toThrow('cannot be read')
})
