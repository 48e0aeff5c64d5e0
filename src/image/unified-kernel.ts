/**
 * Unified kernel images: systemd's EFI stub with kernel, initial RAM disk and command line added as PE sections
 * (UAPI group specification "Unified Kernel Image"). Written here, not by objcopy, since section addresses must follow those of the
 * stub, which differ between systemd versions, and since the result must depend on nothing but its inputs.
 */
import { KilnError } from '../base/errors.ts'

export interface PeSection {
  /** At most 8 characters: ".linux". */
  readonly name: string
  readonly data: Uint8Array
}

/** Initialised data, readable (PE format, section flags). */
const SECTION_FLAGS = 0x4000_0040

/**
 * Appends sections to a PE image.
 * @throws KilnError E_BAKE when the stub is not a PE image or has no room for more section headers.
 */
export function appendSections(stub: Uint8Array, sections: readonly PeSection[]): Buffer {
  const image = Buffer.from(stub)
  if (image.length < 0x40 || image.readUInt16LE(0) !== 0x5a4d) throw new KilnError('E_BAKE', 'the EFI stub is not a PE image')
  const pe = image.readUInt32LE(0x3c)
  if (image.readUInt32LE(pe) !== 0x4550) throw new KilnError('E_BAKE', 'the EFI stub has no PE header')
  const optional = pe + 24
  const sectionCount = image.readUInt16LE(pe + 6)
  const sectionAlignment = image.readUInt32LE(optional + 32)
  const fileAlignment = image.readUInt32LE(optional + 36)
  const headersSize = image.readUInt32LE(optional + 60)
  const table = optional + image.readUInt16LE(pe + 20)
  const firstFree = table + sectionCount * 40
  if (firstFree + sections.length * 40 > headersSize) throw new KilnError('E_BAKE', `the EFI stub has no room for ${sections.length} more sections`)

  let address = 0
  for (let index = 0; index < sectionCount; index += 1) {
    const header = table + index * 40
    address = Math.max(address, image.readUInt32LE(header + 12) + image.readUInt32LE(header + 8))
  }
  const parts: Buffer[] = [image]
  let length = image.length
  const append = (data: Uint8Array): void => {
    parts.push(Buffer.from(data))
    length += data.length
  }
  sections.forEach((section, index) => {
    append(Buffer.alloc(align(length, fileAlignment) - length))
    address = align(address, sectionAlignment)
    const rawSize = align(section.data.length, fileAlignment)
    const header = firstFree + index * 40
    image.fill(0, header, header + 40)
    image.write(section.name, header, 8, 'latin1')
    image.writeUInt32LE(section.data.length, header + 8)
    image.writeUInt32LE(address, header + 12)
    image.writeUInt32LE(rawSize, header + 16)
    image.writeUInt32LE(length, header + 20)
    image.writeUInt32LE(SECTION_FLAGS, header + 36)
    append(section.data)
    append(Buffer.alloc(rawSize - section.data.length))
    address += section.data.length
  })
  image.writeUInt16LE(sectionCount + sections.length, pe + 6)
  image.writeUInt32LE(align(address, sectionAlignment), optional + 56)
  // The checksum is optional for EFI programs, and the stub's own is no longer right.
  image.writeUInt32LE(0, optional + 64)
  return Buffer.concat(parts)
}

function align(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
