import { renumbering, type WrongServer } from './scaffold.ts';

/** Waits for no acks. */
export const ignoresWindow: WrongServer = {
  wrong: 'ignores the window',
  caughtBy: ['window', 'always-window'],
  corrupt: renumbering((header, payload, say) => say(header, payload)),
};
