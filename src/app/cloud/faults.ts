/** Faults of the running pocket cloud, over its own /kiln/faults. */
import { KilnError } from '../../base/errors.ts'
import type { KilnHome } from '../home.ts'
import { cloudStatus, ownerToken } from './control.ts'

/** A fault as the cloud tells it: its kind, what it was told, and how often it struck. */
export interface SetFault {
  readonly id: string
  readonly kind: string
  readonly createTime: string
  readonly seen: number
  readonly struck: number
  readonly [field: string]: unknown
}

/** @throws KilnError E_CLOUD_NOT_RUNNING */
export async function listFaults(home: KilnHome): Promise<readonly SetFault[]> {
  return (await ask<{ faults: readonly SetFault[] }>(home, 'GET', '/kiln/faults')).faults
}

/** @throws KilnError E_CLOUD_NOT_RUNNING, E_USAGE with what the cloud has against it */
export async function addFault(home: KilnHome, spec: Readonly<Record<string, unknown>>): Promise<{ readonly fault?: SetFault; readonly endedTokens?: number }> {
  return ask(home, 'POST', '/kiln/faults', spec)
}

/** One fault by its id, or all. @throws KilnError E_CLOUD_NOT_RUNNING, E_NOT_FOUND */
export async function removeFaults(home: KilnHome, id?: string): Promise<{ readonly removed: number }> {
  return ask(home, 'DELETE', id === undefined ? '/kiln/faults' : `/kiln/faults/${encodeURIComponent(id)}`)
}

async function ask<Answer>(home: KilnHome, method: string, path: string, body?: unknown): Promise<Answer> {
  const { url } = await cloudStatus(home)
  if (url === undefined) throw new KilnError('E_CLOUD_NOT_RUNNING', 'the pocket cloud is not running', { hint: 'start it: kiln cloud start' })
  const { accessToken } = await ownerToken(home, url)
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${accessToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (response.ok) return (await response.json()) as Answer
  const { error } = (await response.json()) as { error: { message: string } }
  if (response.status === 404) throw new KilnError('E_NOT_FOUND', error.message, { hint: '`kiln cloud fault list` shows what is set' })
  if (response.status === 400) throw new KilnError('E_USAGE', error.message, { hint: '`kiln cloud fault add --help` has an example of each kind' })
  throw new KilnError('E_API', error.message)
}
