#!/usr/bin/env node
// The command's file must exist before the first build, or npm links nothing in a fresh clone.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('tracewire: this clone has not been built. Run `npm run build` first.\n');
  process.exitCode = 1;
}
