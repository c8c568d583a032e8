import type { WrongServer } from './scaffold.ts';

/** Takes compression when a client offers it. */
export const compresses: WrongServer = {
  wrong: 'compresses',
  caughtBy: ['subprotocol-selected'],
  webSocket: { perMessageDeflate: true },
};
