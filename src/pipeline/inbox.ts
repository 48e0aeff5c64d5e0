/**
 * What came in from outside, with what became of it. Only a delivery whose signature was good uses up its id: whoever cannot sign must not be able to have
 * a real one refused as seen. Bounded, since anybody who reaches the address can send.
 */
import type { Database } from '../store/database.ts'

/** `queued`: a pipeline was made. `ignored`: fine, but not for us (another branch, another event). `refused`: it should not have come. */
export type DeliveryOutcome = 'queued' | 'ignored' | 'refused'

export interface Delivery {
  readonly id: number
  readonly stack: string
  /** The sender's id. */
  readonly delivery?: string
  readonly event?: string
  readonly receivedAt: string
  /** Its signature was good. */
  readonly verified: boolean
  readonly outcome: DeliveryOutcome
  readonly reason: string
  readonly pipeline?: number
  readonly sizeBytes: number
}

export interface Inbox {
  /** True when a delivery with this id and a good signature came before. */
  seen(stack: string, delivery: string): boolean
  record(delivery: Omit<Delivery, 'id' | 'receivedAt'>): Delivery
  /** The newest first. */
  list(filter?: { readonly stack?: string; readonly limit?: number }): readonly Delivery[]
}

const KEEP_VERIFIED = 5000
const KEEP_REFUSED = 1000

interface DeliveryRow {
  readonly id: number
  readonly stack: string
  readonly delivery: string | null
  readonly event: string | null
  readonly received_at: string
  readonly verified: number
  readonly outcome: DeliveryOutcome
  readonly reason: string
  readonly pipeline: number | null
  readonly size_bytes: number
}

export function createInbox(database: Database): Inbox {
  return {
    seen: (stack, delivery) => database.get('SELECT 1 FROM deliveries WHERE stack = ? AND delivery = ? AND verified = 1', stack, delivery) !== undefined,
    record: (given) =>
      database.transaction(() => {
        database.run(
          'INSERT INTO deliveries (stack, delivery, event, received_at, verified, outcome, reason, pipeline, size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
          ...[
            given.stack,
            given.delivery ?? null,
            given.event ?? null,
            new Date().toISOString(),
            given.verified ? 1 : 0,
            given.outcome,
            given.reason,
            given.pipeline ?? null,
            given.sizeBytes,
          ],
        )
        const row = database.get<DeliveryRow>('SELECT * FROM deliveries WHERE id = last_insert_rowid()')
        for (const [verified, keep] of [
          [1, KEEP_VERIFIED],
          [0, KEEP_REFUSED],
        ] as const)
          database.run(
            'DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE stack = ? AND verified = ? ORDER BY id DESC LIMIT -1 OFFSET ?)',
            given.stack,
            verified,
            keep,
          )
        if (row === undefined) throw new Error('the delivery that was just recorded is not there')
        return toDelivery(row)
      }),
    list: ({ stack, limit = 50 } = {}) =>
      (stack === undefined
        ? database.all<DeliveryRow>('SELECT * FROM deliveries ORDER BY id DESC LIMIT ?', limit)
        : database.all<DeliveryRow>('SELECT * FROM deliveries WHERE stack = ? ORDER BY id DESC LIMIT ?', stack, limit)
      ).map(toDelivery),
  }
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    stack: row.stack,
    ...(row.delivery === null ? {} : { delivery: row.delivery }),
    ...(row.event === null ? {} : { event: row.event }),
    receivedAt: row.received_at,
    verified: row.verified === 1,
    outcome: row.outcome,
    reason: row.reason,
    ...(row.pipeline === null ? {} : { pipeline: row.pipeline }),
    sizeBytes: row.size_bytes,
  }
}
