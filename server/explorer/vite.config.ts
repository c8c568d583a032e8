/**
 * Builds the page into the server's `dist/explorer`, from where the gateway serves it. No inline script or style and no
 * data: address, for the page's policy forbids them; names have hashes, so that browsers may keep files for good.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  logLevel: 'warn',
  build: {
    outDir: fileURLToPath(new URL('../dist/explorer', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    license: { fileName: 'licences.md' },
  },
});
