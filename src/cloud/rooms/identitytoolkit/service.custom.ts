/** Custom tokens: a server signs with a service account's key who its user is, and the user signs in with that. https://firebase.google.com/docs/auth/admin/create-custom-tokens */
import { createPublicKey } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Kernel } from '../../kernel/kernel.ts'
import { authError } from './errors.ts'
import { checkClaims } from './schema.ts'

const AUDIENCE = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit'

export interface CustomToken {
  readonly uid: string
  /** JSON text of the claims that every ID token of this session carries. */
  readonly claims: string
}

/** Uses the ports `serviceAccounts` and `serviceAccountKeys`. @throws ApiError 400 INVALID_CUSTOM_TOKEN, CREDENTIAL_MISMATCH for an account of another project */
export async function verifyCustomToken(kernel: Kernel, projectId: string, token: string): Promise<CustomToken> {
  const { email, keyId } = signerOf(token)
  const account = kernel.ports.use('serviceAccounts').find(email)
  if (account === undefined || account.disabled) throw authError('INVALID_CUSTOM_TOKEN', 'The service account that signed the token is unknown or disabled.')
  if (account.projectId !== projectId) throw authError('CREDENTIAL_MISMATCH')
  const keys = kernel.ports.use('serviceAccountKeys')
  for (const key of [...keys.assertionKeys(account.email, keyId), ...keys.managedKeys(account.email)]) {
    if (keyId !== undefined && key.keyId !== keyId) continue
    try {
      const { payload } = await jwtVerify(token, createPublicKey(key.publicKeyPem), {
        algorithms: ['RS256'],
        issuer: email,
        subject: email,
        audience: AUDIENCE,
        maxTokenAge: '1h',
        clockTolerance: 300,
      })
      const { uid, claims } = payload
      if (typeof uid !== 'string' || uid === '' || uid.length > 128) throw authError('INVALID_CUSTOM_TOKEN', 'The token names no user (uid).')
      return { uid, claims: checkClaims(JSON.stringify(claims ?? {})) }
    } catch (error) {
      // Another key of the account may be the right one; whatever else is wrong stays wrong with it.
      if (error instanceof Error && 'code' in error && error.code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') continue
      if (error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_J')) throw authError('INVALID_CUSTOM_TOKEN', error.message)
      throw error
    }
  }
  throw authError('INVALID_CUSTOM_TOKEN', 'The signature is of no key of its service account.')
}

function signerOf(token: string): { readonly email: string; readonly keyId: string | undefined } {
  try {
    return { email: decodeJwt(token).iss ?? '', keyId: decodeProtectedHeader(token).kid }
  } catch {
    throw authError('INVALID_CUSTOM_TOKEN', 'The token is no JWT.')
  }
}
