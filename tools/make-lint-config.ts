/** Makes .oxlintrc.json from the layer table: `node tools/make-lint-config.ts` writes it, the tidy test compares it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './imports.ts'
import { layers, onlyIn } from './layers.ts'

/** The text of .oxlintrc.json. */
export function lintConfigText(): string {
  const overrides = layers.map((layer) => {
    const forbidden = layers.filter((other) => other.folder !== layer.folder && !layer.mayImport.includes(other.folder))
    const packages = Object.entries(onlyIn).filter(([, folders]) => !folders.includes(layer.folder))
    return {
      files: [`src/${layer.folder}/**`],
      excludeFiles: ['**/*.test.ts'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            paths: packages.map(([name, folders]) => ({ name, message: `Only ${folders.join(', ')} may import this package.` })),
            patterns: forbidden.map((other) => ({
              group: [`**/${other.folder}/**`, `!./**`],
              message: `src/${layer.folder} may not import src/${other.folder} (tools/layers.ts).`,
            })),
          },
        ],
      },
    }
  })
  const config = {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: ['typescript', 'unicorn', 'import', 'promise', 'vitest'],
    categories: { correctness: 'error', suspicious: 'error' },
    rules: {
      'typescript/no-explicit-any': 'error',
      'typescript/consistent-type-imports': 'error',
      'import/no-default-export': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-await-in-loop': 'off',
      'no-shadow': 'off',
      'unicorn/no-array-sort': 'off',
      // Argument lists are grouped by spreads: one line per flag with its value.
      'unicorn/no-useless-spread': 'off',
      'unicorn/no-array-reverse': 'off',
      'import/no-unassigned-import': 'off',
      'promise/always-return': 'off',
      'no-underscore-dangle': 'off',
      'unicorn/consistent-function-scoping': 'off',
      'vitest/require-mock-type-parameters': 'off',
      // The second argument of expect is a message here, and suites loop over tables.
      'vitest/valid-expect': 'off',
      'vitest/no-conditional-expect': 'off',
      'vitest/expect-expect': ['error', { assertFunctionNames: ['expect', 'expect*'] }],
      // Fastify's body parsers take callbacks.
      'promise/no-callback-in-promise': 'off',
    },
    ignorePatterns: ['node_modules', 'examples/**/server/**'],
    overrides: [
      ...overrides,
      { files: ['**/*.config.ts', 'examples/**'], rules: { 'import/no-default-export': 'off' } },
      { files: ['conformance/**', 'tools/**', 'bench/**'], rules: { 'no-console': 'off' } },
    ],
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

if (import.meta.main) writeFileSync(join(root, '.oxlintrc.json'), lintConfigText())
