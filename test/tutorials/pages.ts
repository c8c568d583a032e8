/** The pages whose code is run, by their place under docs/. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../support/server.ts';

const OTHERS = ['CONCEPTS.md', 'COMING-FROM-NNSIGHT.md', 'LIMITS.md'];

/** Every tutorial, and what else has a program. */
export function runnablePages(): string[] {
  const tutorials = readdirSync(path.join(ROOT, 'docs/tutorials')).sort();
  return [...tutorials.map((name) => `tutorials/${name}`), ...OTHERS];
}
