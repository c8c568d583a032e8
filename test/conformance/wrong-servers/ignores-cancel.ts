import type { WrongServer } from './scaffold.ts';

/** Runs to the end whatever the client wants. */
export const ignoresCancel: WrongServer = {
  wrong: 'ignores cancel',
  caughtBy: ['cancel-waiting'],
  corrupt: () => ({
    toServer: (header, payload, pass) => {
      if (header.type !== 'cancel') pass(header, payload);
    },
  }),
};
