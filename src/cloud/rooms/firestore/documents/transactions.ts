/**
 * Transactions, optimistic: what was read is looked at again when they are committed, and another outcome aborts them. They live in memory: a
 * restart of the cloud ends them, and clients begin again.
 */
import { randomBytes } from 'node:crypto'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'

/** https://cloud.google.com/firestore/quotas: 270 seconds at most. */
const MAX_AGE_MS = 270_000
const MAX_OPEN = 10_000

/** Tells whether what was read is still so. */
export type StillTrue = () => boolean

interface Transaction {
  readonly uid: string
  readonly isReadOnly: boolean
  readonly beganMs: number
  readonly reads: StillTrue[]
}

export interface Transactions {
  /** Its id in base64. */
  begin(uid: string, isReadOnly: boolean): string
  /** Notes a read. @throws ApiError 400 for one that ended */
  read(uid: string, id: string, stillTrue: StillTrue): void
  /** Ends it; call within the database's transaction that writes. @throws ApiError 409 ABORTED, 400 */
  commit(uid: string, id: string, hasWrites: boolean): void
  rollback(uid: string, id: string): void
}

export function createTransactions(): Transactions {
  const open = new Map<string, Transaction>()

  function find(uid: string, id: string): Transaction {
    const transaction = open.get(id)
    if (transaction === undefined || transaction.uid !== uid || Date.now() - transaction.beganMs > MAX_AGE_MS)
      throw invalidArgument('The referenced transaction has expired or is no longer valid.')
    return transaction
  }

  /** The map keeps the order in which they began. */
  function forgetOld(): void {
    for (const [id, transaction] of open) {
      if (open.size < MAX_OPEN && Date.now() - transaction.beganMs <= MAX_AGE_MS) return
      open.delete(id)
    }
  }

  return {
    begin(uid, isReadOnly) {
      forgetOld()
      const id = randomBytes(16).toString('base64')
      open.set(id, { uid, isReadOnly, beganMs: Date.now(), reads: [] })
      return id
    },
    read: (uid, id, stillTrue) => void find(uid, id).reads.push(stillTrue),
    commit(uid, id, hasWrites) {
      const transaction = find(uid, id)
      open.delete(id)
      if (transaction.isReadOnly && hasWrites) throw invalidArgument('Cannot modify entities in a read-only transaction.')
      if (!hasWrites) return
      if (!transaction.reads.every((stillTrue) => stillTrue())) throw new ApiError('ABORTED', 'Too much contention on these documents. Please try again.', { reason: 'aborted' })
    },
    rollback(uid, id) {
      find(uid, id)
      open.delete(id)
    },
  }
}
