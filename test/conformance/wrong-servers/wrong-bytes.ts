import type { Corruption, WrongServer } from './scaffold.ts';

/** The bytes of values are turned round, as a big-endian machine would have them. */
export const wrongBytes: WrongServer = {
  wrong: 'sends big-endian numbers',
  caughtBy: ['constant-float32', 'operator-Add'],
  corrupt: (): Corruption => ({
    toClient(header, payload, pass) {
      if (header.type !== 'value') return pass(header, payload);
      const words = Buffer.from(payload.subarray(0, payload.length - (payload.length % 4)));
      pass(header, Buffer.concat([words.swap32(), payload.subarray(words.length)]));
    },
  }),
};
