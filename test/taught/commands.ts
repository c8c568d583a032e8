/** Errors of programs: of the command line, and of a script that lacks a package. What they print is looked at. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ErrorCode } from '@tracewire/protocol';
import { ROOT } from '../support/server.ts';

export interface CommandRow {
  readonly what: string;
  readonly code: ErrorCode;
  /** Of Node, given the port that a server listens on. */
  arguments(port: string): readonly string[];
  readonly exit: number;
  /** What to do about it, and where. */
  readonly says: readonly RegExp[];
}

const CLI = path.join(ROOT, 'server/dist/cli/main.js');

/** A folder as `npm install @tracewire/client` makes it: all that the client needs, and no engine. */
function withoutEngine(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-alone-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [here, there] = [path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules')];
  mkdirSync(there);
  for (const name of readdirSync(here))
    if (name !== 'tracewire' && !name.startsWith('.'))
      symlinkSync(path.join(here, name), path.join(there, name));
  return folder;
}

const SCRIPT = `import { LanguageModel } from '@tracewire/client';
const model = new LanguageModel('tiny-gpt2', { remote: false });
await model.trace('a', (m) => m.lm_head.output.save());
`;

export const COMMANDS: readonly CommandRow[] = [
  {
    what: 'a port that another server has',
    code: 'address_in_use',
    arguments: (port) => [CLI, 'serve', '--port', port],
    exit: 1,
    says: [/port \d+ of 127\.0\.0\.1/, /--port/],
  },
  {
    what: 'a server for all without keys',
    code: 'bad_configuration',
    arguments: () => [CLI, 'serve', '--host', '0.0.0.0'],
    exit: 2,
    says: [/tracewire keys make NAME/, /--no-keys/],
  },
  {
    what: 'a configuration file that isn’t there',
    code: 'bad_configuration',
    arguments: () => [CLI, 'serve', '--config', 'nothing.json'],
    exit: 2,
    says: [/nothing\.json can’t be read/, /no such file/],
  },
  {
    what: 'a model’s folder that isn’t there',
    code: 'model_not_found',
    arguments: () => [CLI, 'tree', './nothing'],
    exit: 1,
    says: [/nothing/],
  },
  {
    what: 'a run in this process without the engine',
    code: 'not_installed',
    arguments: () => {
      const script = path.join(withoutEngine(), 'script.mjs');
      writeFileSync(script, SCRIPT);
      return ['--preserve-symlinks', '--preserve-symlinks-main', script];
    },
    exit: 1,
    says: [/npm install tracewire/, /script\.mjs:3:/],
  },
];

export async function printedBy(args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, args, { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (part: Buffer) => {
    text += part.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, text };
}
