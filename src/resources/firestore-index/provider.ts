/** Composite indexes of Firestore. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.collectionGroups.indexes */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { FirestoreIndex } from '../../client/firestore-admin.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { firestoreIndexResource, hasShape } from './resource.ts'
import { FirestoreIndexProps } from './schema.ts'
import type { FirestoreIndexAttributes } from './schema.ts'

type Context = KindContext<Clients>
type Identity = Readonly<Record<string, string>>

/** An index over many documents is built for hours. */
const buildTimeoutMs = 4 * HOUR_MS

export const firestoreIndexKind: ResourceKind<FirestoreIndexProps, FirestoreIndexAttributes, Clients> = {
  kind: firestoreIndexResource.kind,
  identity: firestoreIndexResource.identity,
  parse: (props) => parseProps(firestoreIndexResource.kind, FirestoreIndexProps, props),

  async observe(context, identity) {
    const index = await find(context, identity)
    return index === undefined ? undefined : toAttributes(index)
  },

  // one that is still being built is waited for; one that broke is made anew
  diff: (props, observed) =>
    observed.state === 'CREATING' ? [{ path: 'state', from: observed.state, to: 'READY' }] : compare(firestoreIndexResource, { state: [observed.state, 'READY'] }),

  async create(context, props) {
    const identity = firestoreIndexResource.identity(props)
    const what = `build the index of ${props.collectionGroup} (${part(identity, 'fields')})`
    try {
      const index: FirestoreIndex = { queryScope: props.queryScope, fields: props.fields }
      const started = await context.clients.firestoreAdmin.createIndex(databaseOf(identity), props.collectionGroup, index, { signal: context.signal })
      context.progress.note(what)
      await waitForOperation(started, (name) => context.clients.firestoreAdmin.getOperation(name, { signal: context.signal }), {
        what,
        signal: context.signal,
        timeoutMs: buildTimeoutMs,
      })
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await ready(context, identity, what)
  },

  update: (context, props) => ready(context, firestoreIndexResource.identity(props), `build the index of ${props.collectionGroup}`),

  async remove(context, identity) {
    const index = await find(context, identity)
    if (index?.name === undefined) return
    const { name } = index
    const options = { signal: context.signal }
    try {
      await context.clients.firestoreAdmin.deleteIndex(name, options)
    } catch (error) {
      if (!isGone(error)) throw error
    }
    await waitFor({ what: `the index ${name} is gone`, timeoutMs: 10 * MINUTE_MS, intervalMs: SECOND_MS, signal: context.signal }, async () => {
      try {
        return { done: false, status: (await context.clients.firestoreAdmin.getIndex(name, options)).state ?? 'still there' }
      } catch (error) {
        if (!isGone(error)) throw error
        return { done: true, value: undefined }
      }
    })
  },
}

async function ready(context: Context, identity: Identity, what: string): Promise<FirestoreIndexAttributes> {
  return await waitFor({ what, timeoutMs: buildTimeoutMs, intervalMs: 2 * SECOND_MS, signal: context.signal }, async () => {
    const index = await find(context, identity)
    return index === undefined || index.state === 'CREATING' ? { done: false, status: index?.state ?? 'not there yet' } : { done: true, value: toAttributes(index) }
  })
}

async function find(context: Context, identity: Identity): Promise<FirestoreIndex | undefined> {
  try {
    const indexes = await context.clients.firestoreAdmin.listIndexes(databaseOf(identity), part(identity, 'collectionGroup'), { signal: context.signal })
    return indexes.find((index) => hasShape(identity, index))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function databaseOf(identity: Identity): string {
  return `projects/${part(identity, 'projectId')}/databases/${part(identity, 'database')}`
}

function toAttributes(index: FirestoreIndex): FirestoreIndexAttributes {
  return { name: index.name ?? '', state: index.state ?? 'READY' }
}
