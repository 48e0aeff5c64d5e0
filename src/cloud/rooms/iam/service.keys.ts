/** Keys of service accounts: user-managed ones, which leave as key files, and the Google-managed one with which the cloud signs for an account. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPair, randomBytes, sign, timingSafeEqual, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { ApiError, failedPrecondition, invalidArgument, notFound } from '../../kernel/api-error.ts'
import { decodeBase64 } from '../../kernel/base64.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { PublicKeyInfo, ServiceAccountInfo } from '../../kernel/ports.ts'
import { selfSignedCertificate } from '../../kernel/x509.ts'
import type { AccountService } from './service.accounts.ts'
import { createIssuer, signJwt } from './service.issuer.ts'
import type { Account, IamStore, Key } from './store.ts'

const makeKeyPair = promisify(generateKeyPair)
/** https://cloud.google.com/iam/quotas#limits */
const MAX_USER_KEYS = 10
const FOR_EVER = '9999-12-31T23:59:59Z'

export interface CreatedKey {
  readonly account: Account
  readonly key: Key
  /** The text of the key file; shown this once. */
  readonly keyFile: string
}

export type KeyService = ReturnType<typeof createKeyService>

export function createKeyService(kernel: Kernel, store: IamStore, accounts: AccountService) {
  const { database } = kernel
  const issuer = createIssuer(store)

  function get(project: string, emailOrId: string, keyId: string): { account: Account; key: Key } {
    const account = accounts.get(project, emailOrId)
    const key = store.key(keyId)
    if (key === undefined || key.uniqueId !== account.uniqueId) throw notFound(`Service account key ${keyId} does not exist.`)
    return { account, key }
  }

  function getUserKey(project: string, emailOrId: string, keyId: string): Key {
    const { key } = get(project, emailOrId, keyId)
    if (key.kind === 'SYSTEM_MANAGED') throw failedPrecondition('Google-managed keys cannot be changed.')
    return key
  }

  function addUserKey(project: string, emailOrId: string, key: Omit<Key, 'uniqueId' | 'kind' | 'disabled'>): { account: Account; key: Key } {
    return database.transaction(() => {
      const account = accounts.get(project, emailOrId)
      if (store.keysOf(account.uniqueId).filter((other) => other.kind === 'USER_MANAGED').length >= MAX_USER_KEYS)
        throw new ApiError('RESOURCE_EXHAUSTED', `Service account ${account.email} has ${MAX_USER_KEYS} keys already. Delete one first.`)
      const full: Key = { ...key, uniqueId: account.uniqueId, kind: 'USER_MANAGED', disabled: false }
      if (!store.insertKey(full)) throw new ApiError('ALREADY_EXISTS', 'This key is uploaded already.')
      return { account, key: full }
    })
  }

  /** @throws ApiError 404 for an unknown account, 403 for a disabled one */
  function requireUsable(email: string): Account {
    const account = store.live(email)
    if (account === undefined) throw notFound(`Unknown service account: ${email}`)
    if (account.disabled) throw new ApiError('PERMISSION_DENIED', `Service account ${email} is disabled.`)
    return account
  }

  /** The key with which the cloud signs for an account, made when first needed. @throws ApiError 404, 403 */
  async function managedKey(email: string): Promise<{ readonly keyId: string; readonly privatePem: string }> {
    const account = requireUsable(email)
    const existing = store.keysOf(account.uniqueId).find((key) => key.kind === 'SYSTEM_MANAGED')
    if (existing?.privatePem !== undefined) return { keyId: existing.keyId, privatePem: existing.privatePem }
    const pair = await makeKeyPair('rsa', { modulusLength: 2048 })
    const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    // Another request may have made one meanwhile: the first stays, and both sign with it.
    store.insertKey({ ...newKey(account, pair), uniqueId: account.uniqueId, kind: 'SYSTEM_MANAGED', disabled: false, privatePem })
    return managedKey(email)
  }

  function isUsable(key: Key): boolean {
    return key.kind === 'USER_MANAGED' && !key.disabled && Date.parse(key.validBefore) > Date.now()
  }

  function toInfo(account: Account): ServiceAccountInfo {
    return { email: account.email, uniqueId: account.uniqueId, projectId: account.projectId, disabled: account.disabled }
  }

  /** Accounts of a project that is being deleted cannot sign in. */
  function mayAct(account: Account): boolean {
    return !account.disabled && kernel.projects.find(account.projectId)?.state === 'ACTIVE'
  }

  kernel.ports.provide('serviceAccounts', {
    find(emailOrId) {
      const account = store.live(emailOrId)
      return account === undefined ? undefined : toInfo(account)
    },
    async verifyKeyFile(json) {
      const file = parseKeyFile(json)
      const key = file === undefined ? undefined : store.key(file.keyId)
      if (file === undefined || key === undefined || !isUsable(key) || !sameKey(file.publicPem, key.publicPem)) return undefined
      const account = store.live(key.uniqueId)
      return account === undefined || account.email !== file.email || !mayAct(account) ? undefined : toInfo(account)
    },
    async signJwt(email, claims) {
      requireUsable(email)
      return issuer.sign(claims)
    },
  })
  kernel.ports.provide('serviceAccountKeys', {
    assertionKeys(email, keyId) {
      const account = store.live(email)
      if (account === undefined || !mayAct(account)) return []
      return store
        .keysOf(account.uniqueId)
        .filter((key) => (isUsable(key) || key.kind === 'SYSTEM_MANAGED') && (keyId === undefined || key.keyId === keyId))
        .map((key) => toPublic(key, account.email))
    },
    managedKeys(email) {
      const account = store.live(email)
      if (account === undefined) return []
      return store
        .keysOf(account.uniqueId)
        .filter((key) => key.kind === 'SYSTEM_MANAGED')
        .map((key) => toPublic(key, account.email))
    },
    issuerKeys: () => issuer.keys(),
    async signClaims(email, claimsJson) {
      const { keyId, privatePem } = await managedKey(email)
      return { keyId, jwt: signJwt(keyId, privatePem, claimsJson) }
    },
    async signBytes(email, bytes) {
      const { keyId, privatePem } = await managedKey(email)
      return { keyId, signature: sign('RSA-SHA256', bytes, privatePem) }
    },
  })

  return {
    get,
    list: (project: string, emailOrId: string): { account: Account; keys: readonly Key[] } => {
      const account = accounts.get(project, emailOrId)
      return { account, keys: store.keysOf(account.uniqueId) }
    },

    /** `tokenUri` goes into the key file. @throws ApiError 404, 429 when it has too many keys */
    async create(project: string, emailOrId: string, tokenUri: string): Promise<CreatedKey> {
      const owner = accounts.get(project, emailOrId)
      const pair = await makeKeyPair('rsa', { modulusLength: 2048 })
      const { account, key } = addUserKey(project, emailOrId, newKey(owner, pair))
      const keyFile = {
        type: 'service_account',
        project_id: account.projectId,
        private_key_id: key.keyId,
        private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        client_email: account.email,
        client_id: account.uniqueId,
        auth_uri: 'https://accounts.google.com/o/oauth2/auth',
        token_uri: tokenUri,
        auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
        client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(account.email)}`,
        universe_domain: 'googleapis.com',
      }
      return { account, key, keyFile: `${JSON.stringify(keyFile, null, 2)}\n` }
    },

    /** Registers the public key of a certificate (base64 of its PEM). @throws ApiError 400, 404 */
    upload(project: string, emailOrId: string, publicKeyData: string): { account: Account; key: Key } {
      const certificate = parseCertificate(publicKeyData)
      return addUserKey(project, emailOrId, {
        keyId: createHash('sha1').update(certificate.raw).digest('hex'),
        origin: 'USER_PROVIDED',
        publicPem: certificate.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        certificatePem: certificate.toString(),
        validAfter: certificate.validFromDate.toISOString(),
        validBefore: certificate.validToDate.toISOString(),
      })
    },

    /** @throws ApiError 400 for a Google-managed key, 404 */
    setDisabled: (project: string, emailOrId: string, keyId: string, disabled: boolean): void => store.setKeyDisabled(getUserKey(project, emailOrId, keyId).keyId, disabled),

    /** Tokens that were made with it live on until they expire, as on Google. @throws ApiError 400, 404 */
    remove: (project: string, emailOrId: string, keyId: string): void => store.removeKey(getUserKey(project, emailOrId, keyId).keyId),
  }
}

function newKey(account: Account, pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }): Omit<Key, 'uniqueId' | 'kind' | 'disabled'> {
  const validFrom = new Date()
  return {
    keyId: randomBytes(20).toString('hex'),
    origin: 'GOOGLE_PROVIDED',
    publicPem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    certificatePem: selfSignedCertificate({ commonName: account.uniqueId, privateKey: pair.privateKey, validFrom, validTo: new Date(FOR_EVER) }),
    validAfter: validFrom.toISOString(),
    validBefore: FOR_EVER,
  }
}

function toPublic(key: Key, email: string): PublicKeyInfo {
  return { keyId: key.keyId, email, publicKeyPem: key.publicPem, certificatePem: key.certificatePem }
}

function sameKey(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Undefined for what is not a key file. The public key is worked out from the private one: having that is the proof. */
function parseKeyFile(json: string): { readonly keyId: string; readonly email: string; readonly publicPem: string } | undefined {
  try {
    const file = JSON.parse(json) as Record<string, unknown>
    const { private_key_id: keyId, client_email: email, private_key: privateKey } = file
    if (file['type'] !== 'service_account' || typeof keyId !== 'string' || typeof email !== 'string' || typeof privateKey !== 'string') return undefined
    const publicPem = createPublicKey(createPrivateKey(privateKey)).export({ type: 'spki', format: 'pem' }).toString()
    return { keyId, email, publicPem }
  } catch {
    return undefined
  }
}

function parseCertificate(publicKeyData: string): X509Certificate {
  const pem = decodeBase64(publicKeyData, 'publicKeyData')
  try {
    const certificate = new X509Certificate(pem)
    if (certificate.publicKey.asymmetricKeyType === 'rsa') return certificate
  } catch {
    // Falls through to the refusal.
  }
  throw invalidArgument('publicKeyData must be the base64 of an X.509 certificate in PEM with an RSA key.')
}
