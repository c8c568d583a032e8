import { encodeFrame } from '@tracewire/protocol';
import type { WrongServer } from './scaffold.ts';

/** Of a key that comes twice the last counts, as most decoders have it. */
export const acceptsDuplicateKeys: WrongServer = {
  wrong: 'accepts duplicate keys',
  caughtBy: ['header-duplicate-key'],
  corrupt: () => ({
    notFrame: (_, pass) =>
      pass(Buffer.concat(encodeFrame({ type: 'describe', request: 8, model: 'tiny-gpt2' }))),
  }),
};
