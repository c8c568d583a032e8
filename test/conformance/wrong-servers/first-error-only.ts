import { retelling, type WrongServer } from './scaffold.ts';

/** Of all that is wrong it tells the first. */
export const firstErrorOnly: WrongServer = {
  wrong: 'tells one error at a time',
  caughtBy: ['errors-all-at-once'],
  corrupt: retelling((header) =>
    header.type === 'error'
      ? { ...header, errors: (header['errors'] as readonly unknown[]).slice(0, 1) }
      : header,
  ),
};
