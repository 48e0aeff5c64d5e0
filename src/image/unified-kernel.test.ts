import { describe, expect, test } from 'vitest'
import { appendSections } from './unified-kernel.ts'

/** A PE32+ image with one section and room for `spare` more headers. */
function stub(spare = 4): Buffer {
  const image = Buffer.alloc(0x400)
  image.writeUInt16LE(0x5a4d, 0)
  image.writeUInt32LE(0x40, 0x3c)
  image.writeUInt32LE(0x4550, 0x40)
  image.writeUInt16LE(1, 0x46)
  image.writeUInt16LE(0x70, 0x54)
  const optional = 0x58
  image.writeUInt32LE(0x1000, optional + 32)
  image.writeUInt32LE(0x200, optional + 36)
  const table = optional + 0x70
  image.writeUInt32LE(table + 40 + spare * 40, optional + 60)
  image.writeUInt32LE(0x12345678, optional + 64)
  image.write('.text', table)
  image.writeUInt32LE(0x1800, table + 8)
  image.writeUInt32LE(0x1000, table + 12)
  return image
}

describe('sections of a unified kernel image', () => {
  test('follow the stub in memory and in the file, each aligned', () => {
    const result = appendSections(stub(), [
      { name: '.cmdline', data: Buffer.from('quiet\0') },
      { name: '.linux', data: Buffer.alloc(0x1234, 7) },
    ])
    const table = 0x58 + 0x70
    const section = (index: number): object => {
      const at = table + index * 40
      return {
        name: result.toString('latin1', at, at + 8).replace(/\0+$/, ''),
        size: result.readUInt32LE(at + 8),
        address: result.readUInt32LE(at + 12),
        raw: result.readUInt32LE(at + 16),
        offset: result.readUInt32LE(at + 20),
      }
    }
    expect(result.readUInt16LE(0x46)).toBe(3)
    expect(section(1)).toEqual({ name: '.cmdline', size: 6, address: 0x3000, raw: 0x200, offset: 0x400 })
    expect(section(2)).toEqual({ name: '.linux', size: 0x1234, address: 0x4000, raw: 0x1400, offset: 0x600 })
    expect(result.readUInt32LE(0x58 + 56)).toBe(0x6000)
    expect(result.readUInt32LE(0x58 + 64)).toBe(0)
    expect(result.length).toBe(0x600 + 0x1400)
    expect(result.subarray(0x600, 0x600 + 0x1234).every((byte) => byte === 7)).toBe(true)
  })

  test('no room for headers, or not a PE image: an error, not a broken image', () => {
    expect(() => appendSections(stub(0), [{ name: '.linux', data: Buffer.alloc(1) }])).toThrow('no room')
    expect(() => appendSections(Buffer.alloc(10), [])).toThrow('not a PE image')
    expect(() => appendSections(Buffer.from('MZ'.padEnd(0x100, '\0')), [])).toThrow('no PE header')
  })
})
