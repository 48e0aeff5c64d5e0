/** Composite indexes against a fake Firestore. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeIndexes } from '../testing/fake-firebase.ts'
import { startFake } from '../testing/fake-google.ts'
import { firestoreIndexKind } from './provider.ts'
import { indexFields } from './resource.ts'
import { firestoreIndexTerraform } from './terraform.ts'

const props = {
  projectId: 'p',
  collectionGroup: 'lessons',
  fields: [
    { fieldPath: 'user', order: 'ASCENDING' },
    { fieldPath: 'time', order: 'DESCENDING' },
  ],
}

kindContract(firestoreIndexKind, {
  fake: fakeIndexes,
  props,
  variants: [],
  drift: { change: (service) => service.indexes.forEach((index) => Object.assign(index, { state: 'NEEDS_REPAIR' })), paths: ['state'] },
})

test('one that somebody began is waited for, not made twice', async () => {
  const service = fakeIndexes()
  const fake = await startFake(service)
  const parsed = firestoreIndexKind.parse(props)
  service.begin('lessons', { queryScope: 'COLLECTION', fields: props.fields })
  const observed = await firestoreIndexKind.observe(contextOf(fake), firestoreIndexKind.identity(parsed))
  expect(firestoreIndexKind.diff(parsed, observed ?? { name: '', state: '' })).toEqual([{ path: 'state', from: 'CREATING', to: 'READY' }])
  await firestoreIndexKind.update(contextOf(fake), parsed, observed ?? { name: '', state: '' }, [])
  expect(service.indexes.map((index) => index['state'])).toEqual(['READY'])
  await fake.close()
})

test('other indexes of the same collection are left alone', async () => {
  const service = fakeIndexes()
  const fake = await startFake(service)
  const parsed = firestoreIndexKind.parse(props)
  service.begin('lessons', { queryScope: 'COLLECTION', fields: [...props.fields].toReversed() })
  await firestoreIndexKind.create(contextOf(fake), parsed)
  expect(service.indexes).toHaveLength(2)
  await firestoreIndexKind.remove(contextOf(fake), firestoreIndexKind.identity(parsed))
  expect(service.indexes.map((index) => indexFields(index['fields'] as typeof props.fields))).toEqual(['time DESCENDING, user ASCENDING'])
  await fake.close()
})

test('the document name that Google adds is no difference, one that it would not add is', () => {
  const [user, time] = [
    { fieldPath: 'user', order: 'ASCENDING' },
    { fieldPath: 'time', order: 'DESCENDING' },
  ]
  expect(indexFields([user, time, { fieldPath: '__name__', order: 'DESCENDING' }])).toBe('user ASCENDING, time DESCENDING')
  expect(indexFields([user, time, { fieldPath: '__name__', order: 'ASCENDING' }])).toBe('user ASCENDING, time DESCENDING, __name__ ASCENDING')
  expect(
    indexFields([
      { fieldPath: 'tags', arrayConfig: 'CONTAINS' },
      { fieldPath: '__name__', order: 'ASCENDING' },
    ]),
  ).toBe('tags CONTAINS')
})

test('Terraform', () => {
  expect(firestoreIndexTerraform('i', firestoreIndexKind.parse({ ...props, fields: [...props.fields, { fieldPath: 'tags', arrayConfig: 'CONTAINS' }] }))).toEqual({
    type: 'google_firestore_index',
    name: 'i',
    body: {
      project: 'p',
      database: '(default)',
      collection: 'lessons',
      query_scope: 'COLLECTION',
      fields: [
        { field_path: 'user', order: 'ASCENDING' },
        { field_path: 'time', order: 'DESCENDING' },
        { field_path: 'tags', array_config: 'CONTAINS' },
      ],
    },
  })
})
