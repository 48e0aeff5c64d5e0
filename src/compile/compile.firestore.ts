/** The Firestore database of a stack, its composite indexes and its security rules. */
import { resolve } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { parseFirestoreIndexes } from '../config/firestore-indexes.ts'
import type { StackConfig } from '../config/schema.ts'
import type { FirestoreIndex } from '../config/schema.sections.ts'
import type { DesiredResource } from '../engine/types.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import type { StackFacts } from './facts.ts'

const firestore = 'firestore.googleapis.com'
const rulesApi = 'firebaserules.googleapis.com'
const database = '(default)'
/** The release that Firestore reads. */
const release = 'cloud.firestore'

/** The APIs of the section. */
export function firestoreApis(config: StackConfig): readonly string[] {
  if (config.firestore === undefined) return []
  return config.firestore.rules === undefined ? [firestore] : [firestore, rulesApi]
}

/** Nothing without the section. @throws KilnError E_PLAN when a file was not read before; E_CONFIG_INVALID for its content */
export function compileFirestore({ config, facts, projectId }: Compilation): readonly DesiredResource[] {
  const section = config.firestore
  if (section === undefined) return []
  const base = resource('firestore-database', 'default', { projectId, database, location: section.location, deleteProtection: section.deleteProtection }, [
    serviceAddress(firestore),
  ])
  const indexes = indexesOf(section.indexes, facts).map((index) => {
    const { collectionGroup, queryScope, fields } = index
    return resource('firestore-index', indexAddress(index), { projectId, database, collectionGroup, queryScope, fields }, [base.address])
  })
  if (section.rules === undefined) return [base, ...indexes]
  const ruleset = resource('firebase-ruleset', release, { projectId, release, file: 'firestore.rules', content: textOf(section.rules, facts) }, [
    serviceAddress(rulesApi),
    base.address,
  ])
  const released = resource('firebase-release', release, { projectId, release, rulesetId: { $ref: ruleset.address, attribute: 'rulesetId' } }, [serviceAddress(rulesApi)])
  return [base, ...indexes, ruleset, released]
}

function indexesOf(indexes: string | readonly FirestoreIndex[], facts: StackFacts): readonly FirestoreIndex[] {
  return typeof indexes === 'string' ? parseFirestoreIndexes(textOf(indexes, facts), indexes) : indexes
}

/** `lessons/user-asc+time-desc`: the same for the same shape, whatever else is in the list. */
function indexAddress(index: FirestoreIndex): string {
  const fields = index.fields.map((field) => `${field.fieldPath}-${field.order === undefined ? 'contains' : field.order === 'ASCENDING' ? 'asc' : 'desc'}`)
  return `${index.collectionGroup}/${fields.join('+')}${index.queryScope === 'COLLECTION_GROUP' ? '/group' : ''}`
}

function textOf(path: string, facts: StackFacts): string {
  const source = resolve(facts.stackDir, path)
  const text = facts.texts?.[source]
  if (text === undefined) throw new KilnError('E_PLAN', `${source} was not read before compiling`)
  return text
}
