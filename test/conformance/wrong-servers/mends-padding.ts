import { encodeFrame } from '@tracewire/protocol';
import type { WrongServer } from './scaffold.ts';

/** Does not look at the padding. */
export const mendsPadding: WrongServer = {
  wrong: 'accepts padding that is not zero',
  caughtBy: ['frame-padding'],
  corrupt: () => ({
    notFrame: (_, pass) =>
      pass(Buffer.concat(encodeFrame({ type: 'describe', request: 7, model: 'tiny-gpt2' }))),
  }),
};
