import type { WrongServer } from './scaffold.ts';

/** A text frame is no trouble to it. */
export const takesText: WrongServer = {
  wrong: 'ignores text frames',
  caughtBy: ['text-frame'],
  corrupt: () => ({ text: () => undefined }),
};
