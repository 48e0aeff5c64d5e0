/** The verb `kiln import` on the pocket cloud or on Google Cloud. */
import { createClients } from '../../client/clients.ts'
import type { KilnHome } from '../../host/home.ts'
import { startCloud } from '../cloud/control.ts'
import { pocketClients } from '../stack/cloud-clients.ts'
import { kilnVersion } from '../version.ts'
import { importProject, writeDraft } from './import.ts'
import type { ImportResult } from './import.ts'

export interface ImportVerbOptions {
  readonly home: KilnHome
  readonly projectId: string
  readonly target: 'pocket' | 'gcp'
  /** Folder to write the draft into. Left out: nothing is written. */
  readonly out: string | undefined
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

export type ImportVerbResult = ImportResult & Record<string, unknown> & { readonly written: readonly string[] }

/** @throws KilnError E_NOT_FOUND, E_PERMISSION, E_USAGE when a file exists that would be written */
export async function importVerb(options: ImportVerbOptions): Promise<ImportVerbResult> {
  const { home, projectId, signal, note } = options
  const clients = options.target === 'gcp' ? createClients({ version: kilnVersion }) : pocketClients(home, (await startCloud({ home })).daemon.url)
  const result = await importProject({ clients, projectId, signal, note })
  const written = options.out === undefined ? [] : await writeDraft(result, options.out)
  return { ...result, written }
}
