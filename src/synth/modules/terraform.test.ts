/** Terraform: every kind has its place, and resources refer to each other instead of repeating names. */
import { expect, test } from 'vitest'
import { resourceKinds } from '../../resources/kinds.ts'
import { synthesise } from '../synth.ts'
import { exampleInput } from '../testing.ts'
import { outside, places } from './places.ts'
import { terraformFiles } from './root.ts'
import { mapResources } from './stack.ts'

const texts = (files: readonly { readonly path: string; readonly text: string }[]): string =>
  files
    .filter(({ path }) => path.startsWith('ops/terraform/'))
    .map(({ text }) => text)
    .join('\n')

test('every resource kind has a component, or a reason why Terraform does not have it', () => {
  expect([...resourceKinds.keys()].filter((kind) => places[kind] === undefined && outside[kind] === undefined)).toEqual([])
  expect([...Object.keys(places), ...Object.keys(outside)].filter((kind) => !resourceKinds.has(kind))).toEqual([])
})

test('every resource is in exactly one block, or is named with the reason', () => {
  const input = exampleInput()
  const { blocks, left } = mapResources(input.desired, input)
  const there = [...blocks.flatMap((block) => block.members.map(({ resource }) => resource.address)), ...left.map(({ address }) => address)]
  expect(there.sort()).toEqual(
    input.desired
      .filter(({ kind }) => resourceKinds.has(kind))
      .map(({ address }) => address)
      .sort(),
  )
})

test('block addresses are unique, and names are Terraform names without dashes', () => {
  const input = exampleInput()
  const addresses = mapResources(input.desired, input).blocks.map((block) => `${block.component}.${block.type}.${block.label}`)
  expect(new Set(addresses).size).toBe(addresses.length)
  for (const address of addresses) expect(address).toMatch(/^[a-z0-9]+\.google_\w+\.[a-z_]\w*$/)
})

test('the project, accounts and e-mail addresses are variables and references, said once', () => {
  const files = synthesise(exampleInput()).filter(({ path }) => path.startsWith('ops/terraform/') && !/terraform\.tfvars$|tfbackend$/.test(path))
  // derived names carry the project's id: the stack's label, and what serves it
  const literals =
    texts(files)
      .replaceAll(/^ *description += ".*"$/gm, '')
      .match(/"[^"\n]*moshi-3[^"\n]*"/g) ?? []
  expect(literals.filter((literal) => !/^"(moshi-3|(allow-)?serve-moshi-3(-\w+)*)"$/.test(literal))).toEqual([])
  expect(texts(files)).not.toContain('gserviceaccount.com')
})

test('what a component takes from another is an output there, and is passed by the root', () => {
  const files = terraformFiles(exampleInput())
  const at = (path: string): string => files.find((file) => file.path === `ops/terraform/${path}`)?.text ?? ''
  expect(at('accounts/outputs.tf')).toContain('value       = google_service_account.artifact_reader.member')
  expect(at('pypi/variables.tf')).toContain('variable "artifact_reader_member"')
  expect(at('pypi/main.tf')).toContain('= var.artifact_reader_member')
  expect(at('main.tf')).toMatch(/artifact_reader_member\s+= module\.accounts\.artifact_reader_member/)
})

test('every variable that a component uses is declared, and every declared one is used and passed', () => {
  const files = terraformFiles(exampleInput())
  const components = new Set(files.flatMap(({ path }) => /^ops\/terraform\/(\w+)\//.exec(path)?.[1] ?? []))
  expect(components.size).toBeGreaterThan(4)
  const root = files.find(({ path }) => path === 'ops/terraform/main.tf')?.text ?? ''
  for (const component of components) {
    const text = texts(files.filter(({ path }) => path.startsWith(`ops/terraform/${component}/`)))
    const declared = [...text.matchAll(/^variable "(\w+)"/gm)].map((match) => match[1])
    const used = new Set([...text.matchAll(/\bvar\.(\w+)/g)].map((match) => match[1]))
    expect([component, [...used].sort()]).toEqual([component, declared.toSorted()])
    const call = new RegExp(`^module "${component}" \\{\n([\\s\\S]*?)^\\}`, 'm').exec(root)?.[1] ?? ''
    const passed = [...call.matchAll(/^ {2}(\w+) += /gm)].map((match) => match[1]).filter((name) => !['source', 'count', 'depends_on'].includes(name ?? ''))
    expect([component, passed.toSorted()]).toEqual([component, declared.toSorted()])
  }
})

test('a user’s text with an expression in it stays text', () => {
  const files = terraformFiles(exampleInput({ dev: { image: 'moshi-srv', metadata: { note: '${google_service_account.x.email} %{ if true }' } } }))
  expect(texts(files)).toContain('note = "$${google_service_account.x.email} %%{ if true }"')
})

test('where a group serves the development VM is there only when it is asked for; without a group it always is', () => {
  const at = (files: ReturnType<typeof terraformFiles>, path: string): string => files.find((file) => file.path === `ops/terraform/${path}`)?.text ?? ''
  const files = terraformFiles(exampleInput())
  expect(at(files, 'main.tf')).toMatch(/module "dev" \{\n {2}source = ".\/dev"\n {2}count {2}= var\.dev \? 1 : 0\n/)
  expect(at(files, 'main.tf')).toMatch(/moshi_srv_image += coalesce\(var\.dev_image, local\.moshi_srv_image\)/)
  expect(at(files, 'variables.tf')).toMatch(/variable "dev" \{[^}]*default {5}= false\n\}/)
  expect(at(files, 'outputs.tf')).toContain('= one(module.dev[*].moshi_dev_address)')
  const alone = terraformFiles(exampleInput({ server: undefined, dns: undefined }))
  expect(at(alone, 'main.tf')).toMatch(/module "dev" \{\n {2}source = ".\/dev"\n\n/)
  expect(texts(alone)).not.toMatch(/var\.dev\b|variable "dev"/)
  expect(at(alone, 'outputs.tf')).toContain('= module.dev.moshi_dev_address')
})

test('versions belong to the deployer', () => {
  const text = terraformFiles(exampleInput()).find(({ path }) => path === 'ops/terraform/server/main.tf')?.text ?? ''
  expect(text).toMatch(/resource "google_compute_instance_group_manager"[\s\S]*lifecycle \{\n\s+ignore_changes = \[[^\]]*\bversion\b/)
  expect(text).toMatch(/resource "google_compute_instance_template"[\s\S]*?ignore_changes = all/)
})

test('imports name every block by its address in the root, with an id', () => {
  const input = exampleInput({}, { imports: true })
  const text = terraformFiles(input).find(({ path }) => path === 'ops/terraform/imports.tf')?.text ?? ''
  expect(text).toContain('to = module.apis.google_project_service.enabled["compute.googleapis.com"]\n  id = "moshi-3/compute.googleapis.com"')
  const members = mapResources(input.desired, input).blocks.flatMap((block) => block.members.map(({ resource }) => resource))
  // the provider cannot import objects; the cloud alone knows the ids of the others
  const unknown = [
    'bucket-object/moshi-storage/entrypoint.sh',
    'firestore-index/lessons/user-asc+time-desc',
    'firebase-ruleset/cloud.firestore',
    'service-account-iam-member/github-deployer/github',
  ]
  // the development VM is not there until somebody asks for it
  const dev = ['firewall/allow-kiln-ssh', 'firewall/kiln-moshi-srv', 'instance/moshi-dev']
  const known = members.filter(({ address }) => ![...unknown, ...dev].includes(address))
  expect(known.length).toBe(members.length - unknown.length - dev.length)
  expect(text.match(/^import \{/gm)).toHaveLength(known.length)
  expect(text).not.toContain('undefined')
})
