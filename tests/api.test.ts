/** All rooms together: one table of methods, in which every method has one room and every permission a role, and of which docs/api-coverage.md tells. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { TableRow } from '../src/cloud/kernel/fault-routes.ts'
import { openMethods } from '../src/cloud/kernel/open-methods.ts'
import { allRoles, findRole, rolesWith } from '../src/cloud/kernel/roles/index.ts'
import { root } from '../tools/imports.ts'
import { coverageText } from '../tools/make-api-coverage.ts'
import { wholeTable } from '../tools/whole-cloud.ts'

let table: readonly TableRow[]
beforeAll(async () => {
  table = await wholeTable()
})

test('the table sees the whole cloud', () => {
  expect(new Set(table.map(({ room }) => room.id)).size).toBeGreaterThan(9)
  expect(table.length).toBeGreaterThan(300)
})

test('a method id belongs to one room', () => {
  const rooms = Map.groupBy(table, ({ route }) => route.id)
  expect([...rooms].filter(([, rows]) => new Set(rows.map(({ room }) => room.id)).size > 1).map(([id]) => id)).toEqual([])
})

test('no two rooms answer for one host, unless paths part them', () => {
  const hosts = new Map<string, string>()
  for (const room of new Set(table.map((row) => row.room))) {
    for (const { match, paths } of room.hosts) {
      if (typeof match !== 'string' || paths !== undefined) continue
      expect(hosts.get(match), `${match} is a host of ${room.id} and`).toBeUndefined()
      hosts.set(match, room.id)
    }
  }
})

test('every permission is in a predefined role; the basic roles do not count, except for what Google gives to owners alone', () => {
  const ownersAlone = ['resourcemanager.projects.undelete']
  const asked = new Set(table.map(({ route }) => route.permission).filter((permission) => permission !== 'public' && permission !== 'authenticated'))
  const missing = [...asked].filter((permission) => !ownersAlone.includes(permission) && rolesWith(permission).length === 0)
  expect(missing, 'add them to the roles that have them on Google: src/cloud/kernel/roles').toEqual([])
})

test('the methods without a permission are exactly those that are listed with a reason', () => {
  const open = new Set(table.filter(({ route }) => route.permission === 'public' || route.permission === 'authenticated').map(({ route }) => route.id))
  expect(Object.keys(openMethods).sort()).toEqual([...open].sort())
})

test('roles are named once and have no permission twice', () => {
  for (const role of allRoles()) {
    expect(findRole(role.name)).toBe(role)
    expect(role.permissions.length, `${role.name} has a permission twice`).toBe(new Set(role.permissions).size)
  }
})

test('docs/api-coverage.md is what the tables give: node tools/make-api-coverage.ts', () => {
  expect(readFileSync(join(root, 'docs/api-coverage.md'), 'utf8')).toBe(coverageText(table))
})
