/**
 * Values of secrets, by reference: `env:NAME` or `file:/path`. A value is read where it is sent and kept nowhere; plans, logs and the inventory see only
 * what `secretDigest` makes of it, which is slow on purpose so that a short value cannot be found by trying.
 */
import { scrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { KilnError, systemErrorCode } from '../base/errors.ts'
import { sha256Hex } from '../base/ids.ts'

/** https://cloud.google.com/secret-manager/quotas */
const MAX_BYTES = 64 * 1024

const derive = promisify(scrypt) as (value: Uint8Array, salt: string, bytes: number) => Promise<Buffer>

/** The value that a reference names, or undefined when its variable is not set or its file is not there. @throws KilnError E_CONFIG_INVALID for an empty or too large one */
export async function readSecretValue(reference: string): Promise<Buffer | undefined> {
  const value = await bytesOf(reference)
  if (value === undefined) return undefined
  if (value.length === 0) throw new KilnError('E_CONFIG_INVALID', `${reference} is empty`, { hint: 'a secret has at least one byte; nothing was changed' })
  if (value.length > MAX_BYTES) throw new KilnError('E_CONFIG_INVALID', `${reference} has ${value.length} bytes`, { hint: `a secret has at most ${MAX_BYTES} bytes` })
  return value
}

/** As `readSecretValue`. @throws KilnError E_CONFIG_INVALID when there is none, or when it is not the one of the plan any more */
export async function requireSecretValue(reference: string, salt: string, plannedDigest: string | undefined): Promise<Buffer> {
  const value = await readSecretValue(reference)
  if (value === undefined) {
    throw new KilnError('E_CONFIG_INVALID', reference.startsWith('env:') ? `the environment variable ${reference.slice(4)} is not set` : `there is no file ${reference.slice(5)}`, {
      hint: 'the config takes the value of a secret from there; set it and run the same command again',
    })
  }
  if (plannedDigest !== undefined && (await secretDigest(value, salt)) !== plannedDigest) {
    throw new KilnError('E_APPLY', `${reference} changed after the plan was made`, { hint: 'run the same command again' })
  }
  return value
}

async function bytesOf(reference: string): Promise<Buffer | undefined> {
  if (reference.startsWith('env:')) {
    const text = process.env[reference.slice(4)]
    return text === undefined ? undefined : Buffer.from(text)
  }
  try {
    return await readFile(reference.slice('file:'.length))
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What stands for a value where it is compared. `salt` is the full name of the thing that holds it, so that equal values of two things do not show as equal. */
export function secretDigest(value: Uint8Array, salt: string): Promise<string> {
  const key = sha256Hex(`${salt}\0${sha256Hex(value)}`)
  const known = digests.get(key) ?? derive(value, salt, 32).then((digest) => digest.toString('base64url'))
  digests.set(key, known)
  return known
}

/** Those of this process: the value here and the live one are the same almost always. */
const digests = new Map<string, Promise<string>>()
