import { defineConfig } from 'vitest/config';

/**
 * A unit's tests stand beside it; what needs several parts stands in test/. The packages see each other as
 * their users do, through node_modules and `dist`, so `npm test` builds first.
 */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['{protocol,client,server}/src/**/*.test.ts', 'test/**/*.test.ts'],
    // `npm run test:browser` wants Chromium; the other tests want Node alone.
    exclude: [
      '**/node_modules/**',
      '**/dist/**',
      ...(process.env['TRACEWIRE_BROWSER'] ? [] : ['test/browser/**']),
    ],
    // Most tests wait for other processes, so that two at a time fit two cores.
    maxWorkers: 2,
    // A server that prepares a model for the first time takes seconds, on a busy machine many.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
