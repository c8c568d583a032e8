import type { WrongServer } from './scaffold.ts';

/** An ack ahead of what was sent counts for what was. */
export const takesAnyAck: WrongServer = {
  wrong: 'accepts an ack of what it has not sent',
  caughtBy: ['ack-ahead'],
  corrupt: () => {
    const sent = new Map<unknown, number>();
    return {
      toClient: (header, payload, pass) => {
        if (typeof header['seq'] === 'number') sent.set(header['run'], header['seq']);
        pass(header, payload);
      },
      toServer: (header, payload, pass) => {
        const most = sent.get(header['run']) ?? 0;
        pass(
          header.type === 'ack' ? { ...header, seq: Math.min(Number(header['seq']), most) } : header,
          payload,
        );
      },
    };
  },
};
