import { clientMessages } from '@tracewire/protocol';
import type { WrongServer } from './scaffold.ts';

/** Ignores messages that it doesn't know. */
export const silentOnUnknown: WrongServer = {
  wrong: 'has no error for an unknown message',
  caughtBy: ['unknown-message'],
  corrupt: () => ({
    toServer: (header, payload, pass) => {
      if (header.type in clientMessages) pass(header, payload);
    },
  }),
};
