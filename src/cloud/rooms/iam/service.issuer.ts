/**
 * The cloud's own key, with which it signs identity tokens. It is apart from the keys of accounts, since whoever may have something signed by an account
 * (signJwt, signBlob) could otherwise make identity tokens about others.
 */
import { generateKeyPair, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { PublicKeyInfo } from '../../kernel/ports.ts'
import { selfSignedCertificate } from '../../kernel/x509.ts'
import type { IamStore, IssuerKey } from './store.ts'

const makeKeyPair = promisify(generateKeyPair)
const ISSUER = 'accounts.google.com'
const FOR_EVER = new Date('9999-12-31T23:59:59Z')

export interface Issuer {
  /** A JWT (RS256) of these claims. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  keys(): readonly PublicKeyInfo[]
}

export function createIssuer(store: IamStore): Issuer {
  async function key(): Promise<IssuerKey> {
    const existing = store.issuerKey()
    if (existing !== undefined) return existing
    const { publicKey, privateKey } = await makeKeyPair('rsa', { modulusLength: 2048 })
    store.addIssuerKey({
      keyId: randomBytes(20).toString('hex'),
      publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificatePem: selfSignedCertificate({ commonName: ISSUER, privateKey, validFrom: new Date(), validTo: FOR_EVER }),
    })
    return key()
  }

  return {
    async sign(claims) {
      const { keyId, privatePem } = await key()
      return signJwt(keyId, privatePem, JSON.stringify(claims))
    },
    keys() {
      const made = store.issuerKey()
      return made === undefined ? [] : [{ keyId: made.keyId, email: ISSUER, publicKeyPem: made.publicPem, certificatePem: made.certificatePem }]
    },
  }
}

/** A JWT (RFC 7519, RS256) whose claims are exactly this JSON text. */
export function signJwt(keyId: string, privatePem: string, claimsJson: string): string {
  const input = `${base64url(JSON.stringify({ alg: 'RS256', kid: keyId, typ: 'JWT' }))}.${base64url(claimsJson)}`
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), privatePem).toString('base64url')}`
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
