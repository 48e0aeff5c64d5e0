/**
 * Firestore databases. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases
 * Replacing one would delete its documents, so a plan refuses it; removing one goes through only when its protection was taken off before.
 */
import { KilnError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { ApiError, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { FirestoreDatabase } from '../../client/firestore-admin.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { Operation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { databaseName, firestoreDatabaseResource } from './resource.ts'
import { FirestoreDatabaseProps } from './schema.ts'
import type { FirestoreDatabaseAttributes } from './schema.ts'

type Context = KindContext<Clients>

const native = 'FIRESTORE_NATIVE'

export const firestoreDatabaseKind: ResourceKind<FirestoreDatabaseProps, FirestoreDatabaseAttributes, Clients> = {
  kind: firestoreDatabaseResource.kind,
  identity: firestoreDatabaseResource.identity,
  parse: (props) => parseProps(firestoreDatabaseResource.kind, FirestoreDatabaseProps, props),
  neverReplaced: 'a database with another location or type would be a new one without its documents',

  async observe(context, identity) {
    try {
      return await read(context, identity)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) =>
    compare(firestoreDatabaseResource, {
      location: [observed.location, props.location],
      type: [observed.type, native],
      deleteProtection: [observed.deleteProtection, props.deleteProtection],
    }),

  async create(context, props) {
    const identity = firestoreDatabaseResource.identity(props)
    const database: FirestoreDatabase = { locationId: props.location, type: native, deleteProtectionState: protection(props) }
    try {
      const started = await context.clients.firestoreAdmin.createDatabase(props.projectId, props.database, database, { signal: context.signal })
      await finish(context, started, `create the Firestore database ${props.database}`)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await read(context, identity)
  },

  async update(context, props, observed) {
    const database: FirestoreDatabase = { deleteProtectionState: protection(props) }
    const started = await context.clients.firestoreAdmin.patchDatabase(observed.name, 'deleteProtectionState', database, { signal: context.signal })
    await finish(context, started, `change the Firestore database ${props.database}`)
    return await read(context, firestoreDatabaseResource.identity(props))
  },

  async remove(context, identity) {
    try {
      const started = await context.clients.firestoreAdmin.deleteDatabase(databaseName(identity), { signal: context.signal })
      await finish(context, started, `delete the Firestore database ${part(identity, 'database')}`)
    } catch (error) {
      if (isGone(error)) return
      throw isProtected(error) ? refusal(part(identity, 'database'), error) : error
    }
  },
}

function protection(props: FirestoreDatabaseProps): string {
  return props.deleteProtection ? 'DELETE_PROTECTION_ENABLED' : 'DELETE_PROTECTION_DISABLED'
}

function isProtected(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 400 || error.status === 412) && /protect/i.test(error.message)
}

function refusal(database: string, cause: unknown): KilnError {
  return new KilnError('E_API', `the Firestore database ${database} is protected against deletion, and stays with its documents`, {
    hint: 'to give the documents up: set firestore.deleteProtection to false, run kiln up, then run this again',
    cause,
  })
}

async function finish(context: Context, started: Operation, what: string): Promise<void> {
  await waitForOperation(started, (name) => context.clients.firestoreAdmin.getOperation(name, { signal: context.signal }), { what, signal: context.signal })
}

async function read(context: Context, identity: Readonly<Record<string, string>>): Promise<FirestoreDatabaseAttributes> {
  const database = await context.clients.firestoreAdmin.getDatabase(databaseName(identity), { signal: context.signal })
  return {
    name: databaseName(identity),
    database: part(identity, 'database'),
    location: database.locationId ?? '',
    type: database.type ?? '',
    deleteProtection: database.deleteProtectionState === 'DELETE_PROTECTION_ENABLED',
  }
}
