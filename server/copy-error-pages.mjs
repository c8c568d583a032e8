/** Puts the pages of docs/errors/ into the package, where `tracewire explain` finds them. */
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const from = (path) => fileURLToPath(new URL(path, import.meta.url));

cpSync(from('../docs/errors'), from('dist/errors'), { recursive: true });
