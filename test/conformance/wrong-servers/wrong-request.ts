import { retelling, type WrongServer } from './scaffold.ts';

/** Counts its answers by itself. */
export const wrongRequest: WrongServer = {
  wrong: 'answers with a request number of its own',
  caughtBy: ['requests-in-flight', 'tokenize'],
  corrupt: retelling((header) =>
    'request' in header && header.type !== 'error' ? { ...header, request: 0 } : header,
  ),
};
