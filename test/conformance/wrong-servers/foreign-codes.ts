import { retelling, type WrongServer } from './scaffold.ts';

/** Has one code for all that is wrong, and one of a client's. */
export const foreignCodes: WrongServer = {
  wrong: 'sends a client’s own error codes',
  caughtBy: ['error-unknown-module', 'always-local-codes'],
  corrupt: retelling((header) =>
    header.type === 'error' ? { ...header, errors: [{ code: 'misuse', message: 'This is wrong.' }] } : header,
  ),
};
