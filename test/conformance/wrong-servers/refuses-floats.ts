import type { WrongServer } from './scaffold.ts';

/** A float is never a uint to it, 7.0 neither. */
export const refusesFloats: WrongServer = {
  wrong: 'refuses an integer that comes as a float',
  caughtBy: ['number-float64'],
  corrupt: () => ({
    bytes: (bytes, answer) => {
      if (!bytes.includes(Buffer.of(0xcb, 0x40, 0x1c))) return false;
      answer({ type: 'error', errors: [{ code: 'bad_message', message: 'request: wanted an integer.' }] });
      return true;
    },
  }),
};
