/** A job of a generated workflow, step by step as GitHub's runner does it, on a machine that has nothing: an own home, an own data folder, no credentials. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { authenticate } from './action.mjs'

/** Runs the only job of `file` in `cwd` and gives what each step said. @throws Error at the step that fails, as the job fails */
export async function runJob(file, { cwd, vars, inputs = {}, github = {}, home }) {
  const { jobs } = parse(readFileSync(file, 'utf8'))
  const [job] = Object.values(jobs)
  assert.deepEqual(job.permissions, { contents: 'read', 'id-token': 'write' })
  mkdirSync(join(home, 'home'), { recursive: true })
  const value = (text) =>
    String(text).replaceAll(/\$\{\{ *(.*?) *\}\}/g, (_, expression) => {
      const [, context, name] = /^(vars|inputs)\.(\w+)$/.exec(expression) ?? assert.fail(`an expression that is not known here: ${expression}`)
      return { vars, inputs }[context][name] ?? ''
    })
  const runner = { ...baseEnvironment(), HOME: join(home, 'home'), KILN_HOME: join(home, 'kiln'), CI: 'true', GITHUB_ACTIONS: 'true', ...github }
  const exported = {}
  const said = []
  for (const { name, uses, run, with: parameters = {}, env = {} } of job.steps) {
    const [action] = (uses ?? '').split('@')
    // the code and Node are here, and `kiln` is where npm would have put it
    if (action === 'actions/checkout' || action === 'actions/setup-node' || run === 'npm ci') continue
    if (action === 'google-github-actions/auth') {
      const before = { ...process.env }
      await authenticate(Object.fromEntries([...Object.entries(parameters).map(([key, text]) => [key, value(text)]), ['project_id', vars.PROJECT]]))
      for (const [key, text] of Object.entries(process.env)) if (before[key] !== text) exported[key] = text
      assert.ok('GOOGLE_APPLICATION_CREDENTIALS' in exported)
      continue
    }
    assert.equal(uses, undefined, `an action that is not known here: ${uses}`)
    // not in this process's way: the stand-in for GitHub, which steps ask for tokens, is in it
    const ended = await promisify(execFile)('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run], {
      cwd,
      env: { ...runner, ...exported, ...Object.fromEntries(Object.entries(env).map(([key, text]) => [key, value(text)])) },
      maxBuffer: 1 << 28,
    }).catch((error) => error)
    const output = `${ended.stdout}${ended.stderr}`
    if (ended.code !== undefined) throw new Error(`the step "${name ?? run}" ended with ${ended.code}:\n${output.split('\n').slice(-40).join('\n')}`)
    said.push({ name, output })
  }
  return said
}

/** What every process here has: where programs are, the way to the network and whom it trusts. Nobody's credentials. */
function baseEnvironment() {
  const credentials = /^(GOOGLE_|CLOUDSDK_|GCLOUD_|GCP_|KILN|OWNER_TOKEN|GITHUB_|PROJECT$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !credentials.test(name)))
}
