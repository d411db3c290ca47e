import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    globalSetup: 'test/services-setup.ts',
    // Limits end what hangs, and say nothing of speed: a busy machine takes many times as long as an idle one, for a
    // server's start above all. Only what takes longer than this when all is well has a limit of its own.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 90_000 } },
    // Two workers: the tests start real processes of their own.
    maxWorkers: 2,
  },
});
