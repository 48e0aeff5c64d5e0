/** Every call of Kiln that generated files make is one that the command line takes. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { synthesise } from '../src/synth/synth.ts'
import { exampleInput } from '../src/synth/testing.ts'

const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

function calls(): ReadonlyMap<string, ReadonlySet<string>> {
  const verbs = new Map<string, Set<string>>()
  for (const { path, text } of synthesise(exampleInput())) {
    const found =
      path === 'Makefile' ? text.replaceAll('$(on)', ' --target gcp').matchAll(/\$\(KILN\) (.*)$/gm) : path.endsWith('.yml') ? text.matchAll(/--no-install kiln (.*)$/gm) : []
    for (const [, words = ''] of found) {
      const [verb = '', ...rest] = words.split(' ')
      const options = verbs.get(verb) ?? new Set()
      for (const word of rest) if (word.startsWith('--')) options.add(word)
      verbs.set(verb, options)
    }
  }
  return verbs
}

function helpOf(verb: string): string {
  return execFileSync(process.execPath, [main, verb, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, KILN_HOME: '/nonexistent' } })
}

test('verbs and options exist', () => {
  const listed = [...helpOf('').matchAll(/^ {2}([a-z]+)[ |]/gm)].map((match) => match[1] ?? '')
  const missing: string[] = []
  for (const [verb, options] of calls()) {
    if (!listed.includes(verb)) {
      missing.push(verb)
      continue
    }
    const help = helpOf(verb)
    for (const option of options) if (!help.includes(`${option} `) && !help.includes(`${option}\n`)) missing.push(`${verb} ${option}`)
  }
  expect(missing).toEqual([])
})
