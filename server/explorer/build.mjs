/** Builds the explorer's page where what it is made of is newer than what was built: most builds change nothing of it. */
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const from = (path) => fileURLToPath(new URL(path, import.meta.url));

const SOURCES = ['.', '../../client/dist', '../../protocol/dist'].map(from);
const BUILT = from('../dist/explorer/index.html');

function newest(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(...files.map((file) => statSync(`${file.parentPath}/${file.name}`).mtimeMs));
}

const built = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (SOURCES.some((folder) => newest(folder) > built)) await build({ configFile: from('vite.config.ts') });
