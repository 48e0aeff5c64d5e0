/** Self-signed X.509 certificates (RFC 5280) for RSA keys, since Google publishes keys of accounts in that form and Node can read certificates but not make them. */
import { createPublicKey, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface CertificateRequest {
  readonly commonName: string
  readonly privateKey: KeyObject
  readonly validFrom: Date
  readonly validTo: Date
}

const OID = {
  commonName: '2.5.4.3',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** A certificate in PEM that says: this RSA key may sign, as this name, and is no authority over others. */
export function selfSignedCertificate(request: CertificateRequest): string {
  const { commonName, privateKey, validFrom, validTo } = request
  const algorithm = sequence(oid(OID.sha256WithRsa), tlv(0x05))
  const name = sequence(tlv(0x31, sequence(oid(OID.commonName), tlv(0x0c, Buffer.from(commonName)))))
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    name,
    sequence(time(validFrom), time(validTo)),
    name,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    tlv(
      0xa3,
      sequence(
        extension(OID.basicConstraints, true, sequence()),
        // The first bit of the string: digitalSignature; seven bits are unused.
        extension(OID.keyUsage, true, tlv(0x03, Buffer.from([7, 0x80]))),
        extension(OID.extendedKeyUsage, false, sequence(oid(OID.clientAuth))),
      ),
    ),
  )
  const signature = sign('RSA-SHA256', body, privateKey)
  const der = sequence(body, algorithm, tlv(0x03, Buffer.from([0]), signature))
  return `-----BEGIN CERTIFICATE-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`
}

/** Tag, length and value: the one form of DER. */
function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(value.length), value])
}

function lengthOf(sizeBytes: number): Buffer {
  if (sizeBytes < 0x80) return Buffer.from([sizeBytes])
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(sizeBytes)
  const significant = bytes.subarray(bytes.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.from([0x80 | significant.length]), significant])
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(0x30, ...parts)
}

/** A positive integer in its shortest form. */
function integer(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const shortest = start === -1 ? Buffer.from([0]) : bytes.subarray(start)
  return tlv(0x02, (shortest[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), shortest]) : shortest)
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left & 0x7f) | 0x80)
  return digits
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(digits.slice(2))) : tlv(0x18, Buffer.from(digits))
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value))
}
