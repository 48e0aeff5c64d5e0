/**
 * What a stack made, and what it only found and looks after. The live cloud is the truth about how things are; this says whose they are.
 * The row is written before the call that makes the thing, so that a kill between the two cannot leave a thing that nobody knows.
 */
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import { canonicalJson, sameJson } from '../base/json.ts'
import type { KilnHome } from '../host/home.ts'
import { openDatabase } from '../store/database.ts'
import type { Database } from '../store/database.ts'
import type { Address } from './types.ts'

export type Identity = Readonly<Record<string, string>>
export type Attributes = Readonly<Record<string, unknown>>

export interface InventoryRow {
  readonly address: Address
  readonly kind: string
  /** What the kind needs to find or delete the live thing. */
  readonly identity: Identity
  /** As they were after the last apply; undefined while the thing is being made for the first time. */
  readonly attributes: Attributes | undefined
  /** What must be deleted after this one. */
  readonly dependsOn: readonly Address[]
  /** True: this stack made the thing, or is about to. False: it was there before; it is never deleted. */
  readonly made: boolean
  readonly state: 'creating' | 'ready' | 'deleting'
}

export interface Inventory {
  /** Every row, oldest first. */
  rows(): readonly InventoryRow[]
  get(address: Address): InventoryRow | undefined
  /** The row that speaks of this live thing, whatever its address. */
  find(kind: string, identity: Identity): InventoryRow | undefined
  /** Before a create call: the thing will be ours. A row that is there keeps its attributes. */
  intend(row: Pick<InventoryRow, 'address' | 'kind' | 'identity' | 'dependsOn'>): void
  /** After a create or update call, or when a thing was found as it should be. Writes only what differs. */
  record(row: Pick<InventoryRow, 'address' | 'kind' | 'identity' | 'attributes' | 'dependsOn' | 'made'>): void
  /** Before a delete call. */
  intendDelete(address: Address): void
  /** The thing is gone, or is not ours to look after any more. */
  forget(address: Address): void
  /** The row gets an address of its own, to be deleted later; the place is free for the thing that replaces it. */
  setAside(address: Address): Address
  /** The same live thing under another address. */
  move(from: Address, to: Address): void
  close(): void
}

const migrations = {
  namespace: 'engine.inventory',
  steps: [
    `CREATE TABLE resource (
      number INTEGER PRIMARY KEY,
      address TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      identity TEXT NOT NULL,
      attributes TEXT,
      depends_on TEXT NOT NULL,
      made INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting'))
    ) STRICT`,
  ],
}

/**
 * Opens the inventory of a stack in the data folder; made when it is not there.
 * @throws KilnError E_DATA_NEWER when a newer Kiln wrote it; E_DATA_BROKEN.
 */
export function openInventory(home: Pick<KilnHome, 'engine'>, stack: string): Inventory {
  return inventoryOver(openDatabase(join(home.engine, `${checkStackName(stack)}.db`), [migrations]))
}

/** An inventory that is gone with the process, for tests and for `plan` without a data folder. */
export function memoryInventory(): Inventory {
  return inventoryOver(openDatabase(':memory:', [migrations]))
}

/** Stack names become file names. @throws KilnError E_PLAN for others than 1 to 63 lower-case letters, digits and hyphens. */
export function checkStackName(stack: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(stack)) return stack
  throw new KilnError('E_PLAN', `"${stack}" cannot be the name of a stack; use lower-case letters, digits and hyphens`)
}

const asideMark = '~old-'

/** The address under which the thing was known before it was set aside. */
export function originalAddress(address: Address): Address {
  const end = address.indexOf(asideMark)
  return end < 0 ? address : (address.slice(0, end) as Address)
}

interface StoredRow {
  readonly address: string
  readonly kind: string
  readonly identity: string
  readonly attributes: string | null
  readonly depends_on: string
  readonly made: number
  readonly state: InventoryRow['state']
}

function inventoryOver(database: Database): Inventory {
  function get(address: Address): InventoryRow | undefined {
    const stored = database.get<StoredRow>('SELECT * FROM resource WHERE address = ?', address)
    return stored === undefined ? undefined : fromStored(stored)
  }

  return {
    rows: () => database.all<StoredRow>('SELECT * FROM resource ORDER BY number').map(fromStored),
    get,
    find(kind, identity) {
      const stored = database.get<StoredRow>('SELECT * FROM resource WHERE kind = ? AND identity = ? ORDER BY number DESC', kind, canonicalJson(identity))
      return stored === undefined ? undefined : fromStored(stored)
    },
    intend(row) {
      database.run(
        `INSERT INTO resource (address, kind, identity, depends_on, made, state) VALUES (?, ?, ?, ?, 1, 'creating')
         ON CONFLICT (address) DO UPDATE SET kind = excluded.kind, identity = excluded.identity, depends_on = excluded.depends_on, made = 1, state = 'creating'`,
        row.address,
        row.kind,
        canonicalJson(row.identity),
        JSON.stringify(row.dependsOn),
      )
    },
    record(row) {
      const before = get(row.address)
      if (before !== undefined && sameJson(before, { ...row, state: 'ready' })) return
      database.run(
        `INSERT INTO resource (address, kind, identity, attributes, depends_on, made, state) VALUES (?, ?, ?, ?, ?, ?, 'ready')
         ON CONFLICT (address) DO UPDATE SET kind = excluded.kind, identity = excluded.identity, attributes = excluded.attributes,
           depends_on = excluded.depends_on, made = excluded.made, state = 'ready'`,
        row.address,
        row.kind,
        canonicalJson(row.identity),
        row.attributes === undefined ? null : canonicalJson(row.attributes),
        JSON.stringify(row.dependsOn),
        row.made ? 1 : 0,
      )
    },
    intendDelete(address) {
      database.run("UPDATE resource SET state = 'deleting' WHERE address = ?", address)
    },
    forget(address) {
      database.run('DELETE FROM resource WHERE address = ?', address)
    },
    setAside(address) {
      const aside: Address = `${originalAddress(address)}${asideMark}${shortId()}`
      database.run('UPDATE resource SET address = ? WHERE address = ?', aside, address)
      return aside
    },
    move(from, to) {
      database.run('UPDATE resource SET address = ? WHERE address = ?', to, from)
    },
    close: () => database.close(),
  }
}

function fromStored(stored: StoredRow): InventoryRow {
  return {
    address: stored.address as Address,
    kind: stored.kind,
    identity: JSON.parse(stored.identity) as Identity,
    attributes: stored.attributes === null ? undefined : (JSON.parse(stored.attributes) as Attributes),
    dependsOn: JSON.parse(stored.depends_on) as Address[],
    made: stored.made === 1,
    state: stored.state,
  }
}
