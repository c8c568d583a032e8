import { isTerminal, renumbering, type WrongServer } from './scaffold.ts';

/** A last word after the terminal status. */
export const lateLog: WrongServer = {
  wrong: 'its terminal status is not the last message',
  caughtBy: ['always-terminal-last'],
  corrupt: renumbering((header, payload, say) => {
    say(header, payload);
    if (isTerminal(header)) say({ type: 'log', run: header['run'], node: 0, text: 'bye' });
  }),
};
