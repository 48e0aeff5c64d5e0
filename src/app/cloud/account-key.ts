/**
 * A key file of a service account for `--as`: every Google tool reads this form, old ones too, where impersonation files are understood
 * by few. Made once per account with the API, kept in the data folder, made anew when the account no longer has it.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'

interface KeyList {
  readonly keys?: readonly { readonly name?: string }[]
  readonly error?: { readonly message: string }
}

interface NewKey {
  readonly privateKeyData?: string
  readonly error?: { readonly message: string }
}

/** Path of the key file. @throws KilnError E_NOT_FOUND when there is no such account, E_API */
export async function accountKeyFile(home: KilnHome, url: string, token: string, email: string): Promise<string> {
  if (!/^[\w.-]+@[\w.-]+$/.test(email))
    throw new KilnError('E_USAGE', `${email} is not the e-mail address of a service account`, { hint: 'it looks like NAME@PROJECT.iam.gserviceaccount.com' })
  const folder = join(home.cloud, 'tools', 'keys')
  const path = join(folder, `${email}.json`)
  const base = `${url}/iam.googleapis.com/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}/keys`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const listed = (await (await fetch(base, { headers })).json()) as KeyList
  if (listed.error !== undefined)
    throw new KilnError('E_NOT_FOUND', `the service account ${email} cannot be used: ${listed.error.message}`, {
      hint: '`kiln cloud exec -- gcloud iam service-accounts list` shows them',
    })
  const stored = await readTextIfExists(path)
  if (stored !== undefined) {
    const { private_key_id: id } = JSON.parse(stored) as { readonly private_key_id?: string }
    if (id !== undefined && (listed.keys ?? []).some((key) => key.name?.endsWith(`/keys/${id}`) === true)) return path
  }
  const made = (await (await fetch(base, { method: 'POST', headers, body: JSON.stringify({ privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE' }) })).json()) as NewKey
  if (made.privateKeyData === undefined) throw new KilnError('E_API', `no key for ${email}: ${made.error?.message ?? 'the answer has none'}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFileDurable(path, Buffer.from(made.privateKeyData, 'base64').toString(), 0o600)
  return path
}
