/**
 * Memory snapshots over QMP. The guest's memory is a file that QEMU maps, so only devices and processors go through a migration (`x-ignore-shared`): saving takes
 * a tenth of a second, and a machine that goes on from it maps the same file for itself alone. https://www.qemu.org/docs/master/devel/migration/
 */
import { KilnError } from '../../base/errors.ts'
import { SECOND_MS } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import type { SnapshotFiles } from '../driver.ts'
import { metadataNetdev, shellWord, subnetNetdev } from './network.ts'
import type { QmpClient } from './qmp.ts'

interface MigrationStatus {
  readonly status?: string
  readonly 'error-desc'?: string
}

const limits = { timeoutMs: 60 * SECOND_MS, intervalMs: 10, code: 'E_VM' as const }

async function prepare(qmp: QmpClient): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] })
}

/** Stops the guest and writes its state; its disks are written out then too. The machine does not go on after it. @throws KilnError E_VM */
export async function saveState(qmp: QmpClient, files: SnapshotFiles, signal: AbortSignal | undefined): Promise<void> {
  await prepare(qmp)
  await qmp.execute('stop')
  await qmp.execute('migrate', { uri: `exec:cat > ${shellWord(files.state)}` })
  await waitFor({ what: 'the state of the machine to be written', ...limits, ...(signal === undefined ? {} : { signal }) }, async () => {
    const { status, 'error-desc': words } = (await qmp.execute('query-migrate')) as MigrationStatus
    if (status === 'completed') return { done: true, value: undefined }
    if (status === 'failed' || status === 'cancelled') throw new KilnError('E_VM', `QEMU could not write the state of the machine: ${words ?? status}`)
    return { done: false, status: status ?? 'not begun' }
  })
}

/** Loads the state into a machine that waits for it, and lets it run. Repeatable at any point. @throws KilnError E_VM when QEMU refuses it. */
export async function loadState(qmp: QmpClient, files: SnapshotFiles, signal: AbortSignal | undefined): Promise<void> {
  const runState = async (): Promise<string> => ((await qmp.execute('query-status')) as { status?: string }).status ?? ''
  if ((await runState()) === 'inmigrate' && ((await qmp.execute('query-migrate')) as MigrationStatus).status === undefined) {
    await prepare(qmp)
    await qmp.execute('migrate-incoming', { uri: `exec:cat ${shellWord(files.state)}` })
  }
  const after = await waitFor({ what: 'the state of the snapshot to be loaded', ...limits, ...(signal === undefined ? {} : { signal }) }, async () => {
    const status = await runState()
    return status === 'inmigrate' ? { done: false, status } : { done: true, value: status }
  })
  if (after === 'running') return
  // The seed's cards have their link on; said again for both, since a card without a peer may have noted otherwise.
  await qmp.execute('set_link', { name: subnetNetdev, up: true })
  await qmp.humanCommand(`set_link ${metadataNetdev} on`)
  await qmp.execute('cont')
}
