/** Make files: real make reads them, and each target is the call that it should be. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { exampleInput } from '../testing.ts'
import { makefile } from './makefile.ts'
import { bootstrapScript, toolsMakefile } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'kiln-make-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'Makefile'), makefile(exampleInput()).text)
writeFileSync(join(folder, 'tools.mk'), toolsMakefile(exampleInput()).text)

function dryRun(...args: readonly string[]): string[] {
  const output = execFileSync('make', ['-n', '-C', folder, '--no-print-directory', ...args], { encoding: 'utf8' })
  return output.trim().replaceAll('\\\n', '').split('\n')
}

test('the runbook’s targets are single calls', () => {
  expect(dryRun('publish')).toEqual(['npx --no-install kiln publish --yes'])
  expect(dryRun('bake-base')).toEqual(['npx --no-install kiln bake python3 --yes'])
  expect(dryRun('bake')).toEqual(['npx --no-install kiln bake moshi-srv --yes'])
  expect(dryRun('cycle')).toEqual(['npx --no-install kiln publish --yes', 'npx --no-install kiln bake moshi-srv --yes', 'npx --no-install kiln dev --yes'])
  expect(dryRun('healthcheck', 'KILN=./kiln')).toEqual(['./kiln status --healthy'])
  expect(dryRun('rollback', 'RELEASE=7')).toEqual(['npx --no-install kiln rollback 7 --yes'])
  expect(dryRun('test')).toEqual(['cd ./server && PYTHONPATH=src python3 -m unittest discover -s tests'])
})

test('TARGET=gcp is passed on to every verb that has a cloud', () => {
  for (const target of ['publish', 'bake', 'dev', 'plan', 'up', 'deploy', 'rollback', 'healthcheck']) {
    for (const line of dryRun(target, 'TARGET=gcp')) expect(line).toMatch(/ --target gcp$/)
  }
})

test('help lists every target', () => {
  for (const file of ['Makefile', 'tools.mk']) {
    const listed = execFileSync('make', ['-C', folder, '-f', file, '--no-print-directory'], { encoding: 'utf8' })
    const phony = /^\.PHONY: (.*)$/m.exec(file === 'Makefile' ? makefile(exampleInput()).text : toolsMakefile(exampleInput()).text)?.[1]?.split(' ') ?? []
    expect(phony.length).toBeGreaterThan(10)
    expect(
      listed
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[0]),
    ).toEqual(phony)
  }
})

test('without Kiln the same targets call the original tools', () => {
  const names = (file: string): readonly string[] => [...file.matchAll(/^([a-z-]+):/gm)].map((match) => match[1] ?? '')
  const left = names(makefile(exampleInput()).text).filter((name) => !names(toolsMakefile(exampleInput()).text).includes(name))
  // `apply` is Terraform's word for up; synth is what one leaves
  expect(left).toEqual(['up', 'synth'])
  expect(toolsMakefile(exampleInput()).text.replaceAll(/^#.*$/gm, '')).not.toMatch(/\bkiln (up|bake|publish|deploy)/)
  expect(dryRun('-f', 'tools.mk', 'bake', 'VERSION=0.2.0')).toEqual(["packer build -only='moshi-srv.*' -var project=moshi-3 -var 'moshi_server_version=0.2.0' ops/packer"])
  expect(dryRun('-f', 'tools.mk', 'plan')).toEqual(['terraform -chdir=ops/terraform plan -input=false -var dev=false'])
  expect(dryRun('-f', 'tools.mk', 'dev')[0]).toContain('apply -input=false  -target=module.dev -var dev=true -var moshi_srv_image=')
})

test('the bootstrap script is a script, with the config’s values', () => {
  const { text } = bootstrapScript(exampleInput({ project: { id: 'moshi-3', name: "Moshi's own" } }))
  execFileSync('bash', ['-n'], { input: text })
  expect(text).toContain(`--name 'Moshi'\\''s own'`)
  expect(text).toContain('billing=${BILLING_ACCOUNT:-}')
})
