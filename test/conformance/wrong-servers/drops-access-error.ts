import { renumbering, type WrongServer } from './scaffold.ts';

/** A save without a value hears nothing. */
export const dropsAccessError: WrongServer = {
  wrong: 'drops access errors',
  caughtBy: ['always-outcomes', 'stop', 'operation-fails'],
  corrupt: renumbering((header, payload, say) => {
    if (header.type !== 'access_error') say(header, payload);
  }),
};
