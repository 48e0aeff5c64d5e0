/**
 * Runs every test and prints the true count as the last line: `N passed, N failed`. The fast project first, so that a broken tree is known early;
 * the machines' tests run in any case. Exit code 0 only when nothing failed and something passed.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './imports.ts'

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numFailedTestSuites: number
  readonly testResults: readonly { readonly name: string; readonly status: string; readonly assertionResults: readonly unknown[] }[]
}

const folder = mkdtempSync(join(tmpdir(), 'kiln-tests-'))
let passed = 0
let failed = 0
let skipped = 0

async function runProject(project: string): Promise<void> {
  const output = join(folder, `${project}.json`)
  const started = performance.now()
  const exitCode = await new Promise<number>((resolve) => {
    const child = spawn(
      process.execPath,
      [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${output}`],
      {
        cwd: root,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, KILN_HOME: join(folder, 'unused-home'), KILN_TEST_CACHE: join(folder, 'cache') },
      },
    )
    child.once('exit', (code) => resolve(code ?? 1))
  })
  let report: Report
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as Report
  } catch {
    console.log(`project ${project}: no report, exit code ${exitCode}`)
    failed += 1
    return
  }
  passed += report.numPassedTests
  failed += report.numFailedTests
  skipped += report.numPendingTests
  // A file that could not even be loaded has no tests to count: it counts as one failure.
  const broken = report.testResults.filter((result) => result.status === 'failed' && result.assertionResults.length === 0)
  failed += broken.length
  if (exitCode !== 0 && report.numFailedTests === 0 && broken.length === 0) failed += 1
  console.log(`project ${project}: ${report.numPassedTests} passed, ${report.numFailedTests + broken.length} failed in ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

try {
  await runProject('unit')
  await runProject('vm')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
