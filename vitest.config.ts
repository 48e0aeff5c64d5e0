import { defineConfig } from 'vitest/config'

/**
 * unit: fast, no VM, no network beyond loopback, no apt. vm: boots machines or bakes images; few, and one at a time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/*.vm.test.ts', 'node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          isolate: false,
          // One at a time, in the same order everywhere: they share one process each, and servers of their own want the second core.
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'vm',
          include: ['src/**/*.vm.test.ts', 'tests/**/*.vm.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
