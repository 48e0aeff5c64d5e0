/** `firestore.indexes.json`, as Firebase's tools write it. https://firebase.google.com/docs/reference/firestore/indexes */
import { z } from 'zod'
import { indexProblems } from './checks.sections.ts'
import { list, section } from './fields.ts'
import { invalidConfig, problemsOf } from './problems.ts'
import { FirestoreIndex } from './schema.sections.ts'

const IndexFile = section('an object: { indexes, fieldOverrides }', {
  indexes: list('indexes', FirestoreIndex).default([]),
  fieldOverrides: z.array(z.unknown()).max(0, { error: 'exemptions of single fields are not handled by Kiln; set them with: gcloud firestore indexes fields update' }).default([]),
})

/**
 * Reads the file's text.
 * @param file shown in messages.
 * @throws KilnError E_CONFIG_INVALID that names key paths.
 */
export function parseFirestoreIndexes(text: string, file: string): readonly FirestoreIndex[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalidConfig([{ path: ['firestore', 'indexes'], message: `${file} is not JSON: ${error instanceof Error ? error.message : ''}` }], 'kiln.config.ts')
  }
  const result = IndexFile.safeParse(value)
  if (!result.success) throw invalidConfig(problemsOf(result.error), file)
  const problems = indexProblems(result.data.indexes, ['indexes'])
  if (problems.length > 0) throw invalidConfig(problems, file)
  return result.data.indexes
}
