import { defineConfig } from 'vitest/config';

/** Several threads on processors with protection keys make V8 abort now and then; a forked process does not inherit the flag. */
const execArgv = process.arch === 'x64' ? ['--no-memory-protection-keys'] : [];

const shared = {
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
};

/** Every file brings nodes, names and folders of its own; most of its time it waits for them. */
const sideBySide = { pool: 'forks' as const, maxWorkers: 2 };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          execArgv,
          include: ['test/unit/**/*.test.ts'],
          // Not threads: where one ends the process, all results end with it.
          pool: 'forks',
          // By itself vitest leaves one processor free.
          maxWorkers: '100%',
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'golden',
          execArgv,
          include: ['test/golden/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'sim',
          execArgv,
          include: ['test/sim/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'cluster',
          execArgv,
          include: ['test/cluster/*.test.ts'],
          ...sideBySide,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        ...shared,
        // Minutes each; not part of npm test.
        test: {
          name: 'cluster-long',
          execArgv,
          include: ['test/cluster/long/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 180_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'e2e',
          execArgv,
          include: ['test/e2e/**/*.test.ts', 'test/native/**/*.test.ts'],
          exclude: ['test/e2e/long/**'],
          ...sideBySide,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        ...shared,
        // Minutes each; not part of npm test.
        test: {
          name: 'e2e-long',
          execArgv,
          include: ['test/e2e/long/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
