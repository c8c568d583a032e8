import type { WrongServer } from './scaffold.ts';

/** Lets in whoever comes. */
export const anySubprotocol: WrongServer = {
  wrong: 'asks for no subprotocol',
  caughtBy: ['subprotocol-missing'],
  webSocket: { verifyClient: () => true },
};
