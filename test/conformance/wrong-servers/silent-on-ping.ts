import type { WrongServer } from './scaffold.ts';

/** Has no time for pings. */
export const silentOnPing: WrongServer = {
  wrong: 'answers no ping',
  caughtBy: ['ping'],
  webSocket: { autoPong: false },
};
