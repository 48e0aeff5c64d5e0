/** Firestore databases against a fake Firestore. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { fakeDatabases } from '../testing/fake-firebase.ts'
import { startFake } from '../testing/fake-google.ts'
import { firestoreDatabaseKind } from './provider.ts'
import { firestoreDatabaseTerraform } from './terraform.ts'

const props = { projectId: 'p', location: 'nam5', deleteProtection: false }

kindContract(firestoreDatabaseKind, {
  fake: fakeDatabases,
  props,
  variants: [{ props: { ...props, deleteProtection: true }, paths: ['deleteProtection'] }],
  drift: { change: (service) => Object.assign(service.table.get('(default)'), { deleteProtectionState: 'DELETE_PROTECTION_ENABLED' }), paths: ['deleteProtection'] },
})

test('location and type cannot be changed, and the kind says that it is never replaced', async () => {
  const fake = await startFake(fakeDatabases())
  const observed = await firestoreDatabaseKind.create(contextOf(fake), firestoreDatabaseKind.parse(props))
  expect(firestoreDatabaseKind.diff(firestoreDatabaseKind.parse({ ...props, location: 'eur3' }), { ...observed, type: 'DATASTORE_MODE' })).toEqual([
    { path: 'location', from: 'nam5', to: 'eur3', forcesReplacement: true },
    { path: 'type', from: 'DATASTORE_MODE', to: 'FIRESTORE_NATIVE', forcesReplacement: true },
  ])
  expect(firestoreDatabaseKind.neverReplaced).toContain('documents')
  await fake.close()
})

test('a protected database is not deleted, and the message says what would have to be done', async () => {
  const service = fakeDatabases()
  const fake = await startFake(service)
  const parsed = firestoreDatabaseKind.parse({ projectId: 'p', location: 'nam5' })
  await firestoreDatabaseKind.create(contextOf(fake), parsed)
  await expect(firestoreDatabaseKind.remove(contextOf(fake), firestoreDatabaseKind.identity(parsed))).rejects.toMatchObject({
    message: 'the Firestore database (default) is protected against deletion, and stays with its documents',
    hint: expect.stringContaining('firestore.deleteProtection'),
  })
  expect(service.table.rows.size).toBe(1)
  await fake.close()
})

test('Terraform', () => {
  expect(firestoreDatabaseTerraform('db', firestoreDatabaseKind.parse(props))).toEqual({
    type: 'google_firestore_database',
    name: 'db',
    body: {
      project: 'p',
      name: '(default)',
      location_id: 'nam5',
      type: 'FIRESTORE_NATIVE',
      delete_protection_state: 'DELETE_PROTECTION_DISABLED',
      deletion_policy: 'DELETE',
    },
  })
})
