import { Entries, frame } from '../../../server/src/conformance/pack.ts';
import type { WrongServer } from './scaffold.ts';

/** Its statuses name their run twice. */
export const duplicateKeys: WrongServer = {
  wrong: 'sends duplicate keys',
  caughtBy: ['always-frame'],
  corrupt: () => {
    let raw: (bytes: Uint8Array) => void = () => undefined;
    return {
      opened: (_, writing) => {
        raw = writing;
      },
      toClient: (header, payload, pass) => {
        if (header.type !== 'status') return pass(header, payload);
        raw(frame(new Entries(...Object.entries(header), ['run', header['run']])));
      },
    };
  },
};
