/** The example's files are kept as files: a change of them is looked at in review. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { headerMark, isOwn } from './file.ts'
import { synthesise } from './synth.ts'
import { exampleInput } from './testing.ts'

const golden = join(import.meta.dirname, '__fixtures__/moshi')

test('every file of the example with every section', async () => {
  const files = synthesise(exampleInput({}, { imports: true }))
  for (const file of files) await expect(file.text).toMatchFileSnapshot(join(golden, `${file.path}.golden`))
  const kept = readdirSync(golden, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(kept.map((entry) => join(entry.parentPath, entry.name).slice(golden.length + 1)).sort()).toEqual(files.map((file) => `${file.path}.golden`).sort())
})

test('the same input gives the same files, whatever the order of keys', () => {
  expect(synthesise(exampleInput())).toEqual(synthesise(exampleInput()))
})

test('every file says who made it, ends with a newline, and no line ends with a blank', () => {
  for (const { path, text } of synthesise(exampleInput({}, { imports: true }))) {
    expect([path, isOwn(text)]).toEqual([path, true])
    expect([path, text.split(headerMark).length]).toEqual([path, 2])
    expect([path, /[^\n]\n$/.test(text)]).toEqual([path, true])
    expect([path, /[ \t]$/m.test(text)]).toEqual([path, false])
  }
})

test('scripts may be run, nothing else', () => {
  for (const { path, mode } of synthesise(exampleInput())) expect([path, mode]).toEqual([path, path.endsWith('.sh') ? 0o755 : 0o644])
})

test('paths stay in the repository and are there once', () => {
  const paths = synthesise(exampleInput({}, { imports: true })).map(({ path }) => path)
  expect(new Set(paths).size).toBe(paths.length)
  for (const path of paths) expect(path).toMatch(/^(Makefile|ops\/[\w./-]+|\.github\/workflows\/[\w-]+\.yml)$/)
  expect(paths.join('\n')).not.toContain('..')
})

test('what the config lacks has no files', () => {
  const { server: _server, github: _github, dev: _dev, ...rest } = exampleInput().config
  const input = exampleInput({ server: undefined, github: undefined, dev: undefined, firestore: undefined, auth: undefined, dns: undefined, buckets: {} })
  expect(Object.keys(rest)).toContain('images')
  const paths = synthesise(input).map(({ path }) => path)
  expect(paths.filter((path) => path.startsWith('.github/'))).toEqual([])
  expect(paths.filter((path) => /terraform\/(server|dev|ipv4|dns|firebase|github)\//.test(path))).toEqual([])
  expect(synthesise(input).find(({ path }) => path === 'Makefile')?.text).not.toContain('deploy')
})

test('no secret and no key in any file', () => {
  for (const { path, text } of synthesise(exampleInput({}, { imports: true }))) {
    expect([path, /PRIVATE KEY|account_file|credentials_json|secrets\.[A-Z]/.test(text)]).toEqual([path, false])
  }
})
