import { rewriting, type WrongServer } from './scaffold.ts';

/** Reads the input of what it should skip. */
export const ignoresSkips: WrongServer = {
  wrong: 'ignores skips',
  caughtBy: ['skip', 'skip-inside', 'skip-tuple', 'skip-unset-needed', 'skip-dims', 'error-skip-stop'],
  corrupt: rewriting((node) =>
    node['kind'] === 'skip' ? { kind: 'read', place: { module: node['module'], port: 'input' } } : node,
  ),
};
