import { type Corruption, isTerminal, type WrongServer } from './scaffold.ts';

/** The number before a run's last is never used. */
export const skipsSeq: WrongServer = {
  wrong: 'skips a sequence number',
  caughtBy: ['always-seq'],
  corrupt: (): Corruption => ({
    toClient: (header, payload, pass) =>
      pass(isTerminal(header) ? { ...header, seq: Number(header['seq']) + 1 } : header, payload),
    toServer: (header, payload, pass) => {
      if (header.type !== 'ack') pass(header, payload);
    },
  }),
};
