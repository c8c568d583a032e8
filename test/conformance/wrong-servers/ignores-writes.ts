import { rewriting, type WrongServer } from './scaffold.ts';

/** Reads where it should write. */
export const ignoresWrites: WrongServer = {
  wrong: 'ignores writes',
  caughtBy: [
    'write-then-read',
    'write-twice',
    'write-flows-on',
    'write-output-outside',
    'write-input-inside',
  ],
  corrupt: rewriting((node) => (node['kind'] === 'write' ? { kind: 'read', place: node['place'] } : node)),
};
