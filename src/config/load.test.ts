/** Loading real files, in plain Node processes as users do, since the test runner has a module loader of its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../host/exec.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kiln-config-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(dir, name)), { recursive: true })
  writeFileSync(join(dir, name), text)
}

interface Loaded {
  readonly code?: string
  readonly message?: string
  readonly detail?: string
  readonly hint?: string
  readonly dir?: string
  readonly ids?: readonly string[]
}

/** Loads in a new process, as the CLI does; `between` is code that runs before a second load. */
async function load(folder = dir, between = ''): Promise<Loaded> {
  const script = `
    import { writeFileSync } from 'node:fs'
    const { loadStack } = await import(${JSON.stringify(new URL('./load.ts', import.meta.url).href)})
    try {
      const ids = []
      const stack = await loadStack(process.argv[1])
      ids.push(stack.config.project.id)
      ${between === '' ? '' : `${between}; ids.push((await loadStack(process.argv[1])).config.project.id)`}
      console.log(JSON.stringify({ dir: stack.dir, ids }))
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message, detail: error.detail, hint: error.hint }))
    }`
  const result = await run({ program: process.execPath, args: ['--input-type=module', '-e', script, folder] })
  expect(result.stderr).toBe('')
  return JSON.parse(result.stdout) as Loaded
}

const good = `import { defineStack } from 'kiln'
import { id } from './values.ts'
export default defineStack({ project: { id }, location: { region: 'us-central1' }, images: { base: { debian: 'bookworm' } } })
`

test("a folder without node_modules can import 'kiln' and its own files, anew each time", async () => {
  write('kiln.config.ts', good)
  write('values.ts', "export const id: string = 'first-1'\n")
  expect(await load(dir, `writeFileSync(${JSON.stringify(join(dir, 'values.ts'))}, "export const id = 'second-2'")`)).toEqual({ dir, ids: ['first-1', 'second-2'] })
})

test('no file, no folder', async () => {
  expect(await load()).toMatchObject({ code: 'E_CONFIG_NOT_FOUND', message: `there is no kiln.config.ts in ${dir}`, hint: expect.stringContaining('--stack DIR') })
  expect(await load(join(dir, 'none'))).toMatchObject({ code: 'E_CONFIG_NOT_FOUND', message: `${join(dir, 'none')} is not a folder` })
})

test.each([
  ['a missing bracket', 'export default {\n  a: [1, 2\n}\n', 3, 1],
  ['two of one name', 'const a = 1\nconst a = 2\nexport default a\n', 2, 7],
  ['TypeScript that cannot be erased', 'enum A { B }\nexport default A\n', 1, 1],
  ['an export that is not there', "import { nope } from 'kiln'\nexport default nope\n", 1, 10],
])('syntax: %s is shown with its place', async (_name, text, line, column) => {
  write('kiln.config.ts', text)
  const result = await load()
  expect(result).toMatchObject({ code: 'E_CONFIG_SYNTAX', message: expect.stringContaining(`${join(dir, 'kiln.config.ts')}:${line}:${column}: `) })
  expect(result.detail).toContain(`${line} | ${text.split('\n')[line - 1]}`)
  expect(result.detail).toContain(`      | ${' '.repeat(column - 1)}^`)
})

test('a syntax error in an imported file names that file', async () => {
  write('kiln.config.ts', good)
  write('values.ts', 'export const id = @\n')
  expect(await load()).toMatchObject({ code: 'E_CONFIG_SYNTAX', message: expect.stringContaining(`${join(dir, 'values.ts')}:1:`) })
})

test('a config that throws shows where', async () => {
  write('kiln.config.ts', "const name: string | undefined = undefined\n\nthrow new Error('MOSHI_PROJECT is not set')\nexport default name\n")
  const result = await load()
  expect(result).toMatchObject({ code: 'E_CONFIG_SYNTAX', message: `${join(dir, 'kiln.config.ts')}:3:7: the config failed while it was loaded: MOSHI_PROJECT is not set` })
  expect(result.detail).toContain('^')
})

test('an import that is not there, and no default export', async () => {
  write('kiln.config.ts', "import { a } from './none.ts'\nexport default a\n")
  expect(await load()).toMatchObject({ code: 'E_CONFIG_SYNTAX', message: expect.stringContaining(join(dir, 'none.ts')) })
  write('kiln.config.ts', 'export const stack = {}\n')
  expect(await load()).toMatchObject({ code: 'E_CONFIG_SYNTAX', message: expect.stringContaining('has no default export') })
})

test('local paths are looked for, and named', async () => {
  const image = "{ from: 'base', python: ['x'], files: { './entrypoint.sh': '/opt/x/entrypoint.sh', './folder': '/opt/x/y' } }"
  write('folder/file', '')
  write(
    'kiln.config.ts',
    `export default { project: { id: 'moshi-3' }, location: { region: 'us-central1' }, images: { base: { debian: 'bookworm' }, srv: ${image} }, buckets: { 'moshi-storage': { objects: { a: './none' } } } }`,
  )
  const result = await load()
  expect(result).toMatchObject({ code: 'E_CONFIG_INVALID' })
  expect(result.detail?.split('\n')).toEqual([
    `package.source: there is no folder ${join(dir, 'server')}`,
    `images.srv.files["./entrypoint.sh"]: there is no file ${join(dir, 'entrypoint.sh')}`,
    `images.srv.files["./folder"]: expected a file, but ${join(dir, 'folder')} is a folder`,
    `buckets.moshi-storage.objects.a: there is no file ${join(dir, 'none')}`,
  ])
})

test('the example loads', async () => {
  expect(await load(resolve(import.meta.dirname, '../../examples/moshi'))).toMatchObject({ ids: ['moshi-3'] })
})

test("the example's own tests pass", async () => {
  const folder = resolve(import.meta.dirname, '../../examples/moshi/server')
  const result = await run({ program: '/usr/bin/python3', args: ['-B', '-m', 'unittest', 'discover', '-s', 'tests'], cwd: folder, env: { PYTHONPATH: 'src' } })
  expect(result.stderr).toMatch(/Ran \d\d tests/)
})
