/**
 * The pocket cloud's own certificate authority: one per data folder, made at first use, its key readable by the owner only, and trusted
 * by nobody but the programs that are told to (`kiln cloud exec`, pocket VMs). X.509: RFC 5280.
 */
import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { DAY_MS } from '../../base/units.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'

export interface IssuedCertificate {
  /** Leaf first, then the authority. PEM. */
  readonly certificateChain: string
  /** PKCS #8, PEM. */
  readonly privateKey: string
}

export interface Authority {
  /** PEM of the authority's own certificate. */
  readonly certificate: string
  /** Where that PEM lies. */
  readonly certificateFile: string
  /** A server certificate for these DNS names or IP addresses. `validDays` counts from a day ago. */
  issue(names: readonly string[], options?: { readonly validDays?: number }): Promise<IssuedCertificate>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const AUTHORITY_DAYS = 3650
/** Apple's and the browsers' limit for leaves that are trusted by hand is 825 days; nothing here lives as long as a quarter of it. */
const LEAF_DAYS = 200

/** The authority of a data folder. Two daemons never make it at once: the caller holds the data folder's lock. */
export async function openAuthority(folder: string): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const certificateFile = join(folder, 'ca.pem')
  const keyFile = join(folder, 'ca-key.pem')
  const stored = { certificate: await readTextIfExists(certificateFile), key: await readTextIfExists(keyFile) }
  if (stored.certificate !== undefined && stored.key !== undefined && new x509.X509Certificate(stored.certificate).notAfter.getTime() > Date.now() + LEAF_DAYS * DAY_MS) {
    return authorityOf(certificateFile, stored.certificate, await importKey(stored.key))
  }
  const keys = await generateKeys()
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Kiln pocket cloud, O=Kiln',
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const certificate = `${made.toString('pem')}\n`
  // The key first: a certificate without its key would be of no use to the next start.
  await writeFileDurable(keyFile, await exportKey(keys.privateKey), 0o600)
  await writeFileDurable(certificateFile, certificate)
  return authorityOf(certificateFile, certificate, keys.privateKey)
}

function authorityOf(certificateFile: string, certificate: string, signingKey: webcrypto.CryptoKey): Authority {
  const issuer = new x509.X509Certificate(certificate)
  return {
    certificate,
    certificateFile,
    async issue(names, options = {}) {
      const first = names[0]
      if (first === undefined) throw new Error('a certificate needs at least one name')
      const keys = await generateKeys()
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        // A common name has at most 64 characters (RFC 5280, ub-common-name); clients look at the alternative names.
        subject: [{ CN: [first.length <= 64 ? first : 'pocket cloud'] }],
        issuer: issuer.subjectName,
        ...validity(options.validDays ?? LEAF_DAYS),
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', value: name }))),
          await x509.AuthorityKeyIdentifierExtension.create(issuer),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
      })
      return { certificateChain: `${leaf.toString('pem')}\n${certificate}`, privateKey: await exportKey(keys.privateKey) }
    },
  }
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  // A day back, for machines whose clock is a little behind.
  const notBefore = new Date(Date.now() - DAY_MS)
  return { notBefore, notAfter: new Date(notBefore.getTime() + days * DAY_MS) }
}

/** Positive and at most 20 bytes (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString()
}
