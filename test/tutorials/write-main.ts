/** `npm run docs:outputs`: runs the pages' programs and writes what they print into the pages. Read the difference before you commit. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, startServer } from '../support/server.ts';
import { blocksOf, readPage, removePrograms, runProgram, withPrints, writeProgram } from './page.ts';
import { runnablePages } from './pages.ts';

const wanted = process.argv.slice(2);
const server = await startServer();
try {
  for (const file of runnablePages().filter((name) => wanted.length === 0 || wanted.includes(name))) {
    const page = readPage(file);
    if (blocksOf(page).length === 0) continue;
    const prints = await runProgram(writeProgram(file, server.url));
    writeFileSync(path.join(ROOT, 'docs', file), withPrints(page, prints));
    console.log(file);
  }
} finally {
  await server.stop();
  removePrograms();
}
