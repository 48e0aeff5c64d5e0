/** Which Terraform is found, and which one is refused. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { compareVersions } from '../base/versions.ts'
import { findTerraform } from './program.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-terraform-'))
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function install(name: string, version: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\necho '{ "terraform_version": "${version}" }'\n`)
  await chmod(join(folder, name), 0o755)
}

test('OpenTofu is taken where there is no Terraform', async () => {
  await install('tofu', '1.10.2')
  expect(await findTerraform()).toEqual({ path: join(folder, 'tofu'), name: 'tofu', version: '1.10.2' })
  await install('terraform', '1.11.4')
  expect(await findTerraform()).toMatchObject({ name: 'terraform', version: '1.11.4' })
})

test('on a machine with both, KILN_TERRAFORM chooses', async () => {
  await install('terraform', '1.11.4')
  await expect(findTerraform({ KILN_TERRAFORM: 'tofu' })).rejects.toMatchObject({ code: 'E_TOOL_MISSING', message: 'tofu is not installed, and KILN_TERRAFORM asks for it' })
  await install('tofu', '1.10.2')
  expect(await findTerraform({ KILN_TERRAFORM: 'tofu' })).toMatchObject({ name: 'tofu' })
  expect(await findTerraform({ KILN_TERRAFORM: '' })).toMatchObject({ name: 'terraform' })
  await expect(findTerraform({ KILN_TERRAFORM: '/usr/bin/tofu' })).rejects.toMatchObject({ code: 'E_USAGE', hint: 'set it to terraform or tofu, or unset it' })
})

test('neither, or an old one, is refused with what to do', async () => {
  await expect(findTerraform()).rejects.toMatchObject({ code: 'E_TOOL_MISSING', hint: expect.stringContaining('https://') })
  await install('terraform', '1.5.7')
  await expect(findTerraform()).rejects.toMatchObject({ code: 'E_TOOL_MISSING', message: expect.stringContaining('1.5.7; 1.9.0 or newer') })
})

test('versions compare by number', () => {
  expect(compareVersions('1.10.0', '1.9.9')).toBeGreaterThan(0)
  expect(compareVersions('1.9.0-rc1', '1.9.0')).toBe(0)
  expect(compareVersions('1.8.5', '1.9.0')).toBeLessThan(0)
})
