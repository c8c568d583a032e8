import { rewriting, type WrongServer } from './scaffold.ts';

/** Writes where the mask is false, too. */
export const ignoresMasks: WrongServer = {
  wrong: 'ignores masks',
  caughtBy: ['write-mask', 'write-mask-selection', 'error-mask-dtype', 'error-mask-dims'],
  corrupt: rewriting(({ mask: _, ...node }) => node),
};
