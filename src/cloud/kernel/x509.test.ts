import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { selfSignedCertificate } from './x509.ts'

test('OpenSSL reads the certificate back, and its signature is right', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  for (const validTo of [new Date('2030-01-02T03:04:05Z'), new Date('9999-12-31T23:59:59Z')]) {
    const certificate = new X509Certificate(selfSignedCertificate({ commonName: '112233445566778899001', privateKey, validFrom: new Date('2026-01-01T00:00:00Z'), validTo }))
    expect(certificate.subject).toBe('CN=112233445566778899001')
    expect(certificate.issuer).toBe(certificate.subject)
    expect(certificate.validFromDate).toEqual(new Date('2026-01-01T00:00:00Z'))
    expect(certificate.validToDate).toEqual(validTo)
    expect(certificate.verify(publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(privateKey)).toBe(true)
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  }
})

test('the tampered one does not verify', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = selfSignedCertificate({ commonName: 'aaaa', privateKey, validFrom: new Date(), validTo: new Date('2049-12-31T23:59:59Z') })
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\n/g, ''), 'base64')
  der.write('bbbb', der.indexOf('aaaa'))
  expect(new X509Certificate(der).verify(publicKey)).toBe(false)
})
