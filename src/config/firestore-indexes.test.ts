/** Files of indexes as Firebase's tools write them. */
import { expect, test } from 'vitest'
import { parseFirestoreIndexes } from './firestore-indexes.ts'

const index = {
  collectionGroup: 'lessons',
  queryScope: 'COLLECTION_GROUP',
  fields: [
    { fieldPath: 'user', order: 'ASCENDING' },
    { fieldPath: 'tags', arrayConfig: 'CONTAINS' },
  ],
}

test('a file of Firebase gives its indexes', () => {
  expect(parseFirestoreIndexes(JSON.stringify({ indexes: [index], fieldOverrides: [] }), './firestore.indexes.json')).toEqual([index])
  expect(parseFirestoreIndexes('{}', './firestore.indexes.json')).toEqual([])
})

test('what is wrong in it is named', () => {
  expect(() => parseFirestoreIndexes('{', './i.json')).toThrow('firestore.indexes: ./i.json is not JSON')
  expect(() => parseFirestoreIndexes(JSON.stringify({ indexes: [{ ...index, fields: [] }] }), './i.json')).toThrow('indexes[0].fields: expected at least two fields')
  expect(() => parseFirestoreIndexes(JSON.stringify({ indexes: [index, index] }), './i.json')).toThrow('indexes[1]: is in the list already')
  expect(() => parseFirestoreIndexes(JSON.stringify({ fieldOverrides: [{ collectionGroup: 'a' }] }), './i.json')).toThrow('exemptions of single fields are not handled by Kiln')
})
