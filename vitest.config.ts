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
    // A server that prepares a model for the first time takes seconds.
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
