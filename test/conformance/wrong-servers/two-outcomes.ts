import { renumbering, type WrongServer } from './scaffold.ts';

/** Every access error comes twice. */
export const twoOutcomes: WrongServer = {
  wrong: 'gives a save two outcomes',
  caughtBy: ['always-outcomes'],
  corrupt: renumbering((header, payload, say) => {
    say(header, payload);
    if (header.type === 'access_error') say(header, payload);
  }),
};
