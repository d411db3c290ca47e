import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    globalSetup: 'test/services-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two workers: the tests start real processes of their own.
    maxWorkers: 2,
  },
});
