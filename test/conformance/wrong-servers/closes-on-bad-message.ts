import type { WrongServer } from './scaffold.ts';

/** Takes every bad_message for the end. */
export const closesOnBadMessage: WrongServer = {
  wrong: 'closes on bad_message',
  caughtBy: ['field-unknown', 'ack-ahead'],
  corrupt: () => {
    let close: (code: number) => void = () => undefined;
    return {
      opened: (closing) => {
        close = closing;
      },
      toClient: (header, payload, pass) => {
        pass(header, payload);
        if (header.type === 'error' && JSON.stringify(header).includes('bad_message')) close(4400);
      },
    };
  },
};
