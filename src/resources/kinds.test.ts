/** The list of kinds and the folders agree. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { resourceKinds } from './kinds.ts'
import { terraformName } from './terraform.ts'

test('every folder is a kind of the same name, and every kind has a folder', () => {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'testing')
  expect(folders.map((entry) => entry.name).toSorted()).toEqual([...resourceKinds.keys()].toSorted())
})

test('Terraform names', () => {
  expect(terraformName('moshi-storage/entrypoint.sh')).toBe('moshi-storage_entrypoint_sh')
  expect(terraformName('3d')).toBe('_3d')
})
