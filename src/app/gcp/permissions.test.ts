/** The table of permissions knows every kind, and names roles. */
import { expect, test } from 'vitest'
import { resourceKinds } from '../../resources/kinds.ts'
import { neededPermissions, rolesFor, unknownKinds } from './permissions.ts'

test('every kind says what it needs', () => {
  expect(unknownKinds([...resourceKinds.keys(), 'image', 'python-package'])).toEqual([])
})

test('every permission of the table has a role', () => {
  const all = neededPermissions([...resourceKinds.keys(), 'image', 'python-package'].map((kind) => ({ kind, address: `${kind}/x`, props: {}, dependsOn: [] })))
  expect([...rolesFor(all).keys()].filter((role) => !role.startsWith('roles/'))).toEqual([])
})

test('an image that Packer makes needs a VM, whose permissions have roles too', () => {
  const image = (engine: string) => ({ kind: 'image', address: 'image/x', props: { engine }, dependsOn: [] }) as const
  const needed = neededPermissions([image('packer')])
  expect(needed).toContain('compute.instances.getSerialPortOutput')
  expect([...rolesFor(needed).keys()].filter((role) => !role.startsWith('roles/'))).toEqual([])
  expect(neededPermissions([image('offline')])).not.toContain('compute.instances.getSerialPortOutput')
})

test('what the stack does not have is not asked for', () => {
  const needed = neededPermissions([{ kind: 'secret', address: 'secret/x', props: {}, dependsOn: [] }])
  expect(needed).toContain('secretmanager.secrets.create')
  expect(needed.filter((permission) => permission.startsWith('compute.'))).toEqual([])
  expect(needed).toContain('storage.buckets.create')
})
