import { renumbering, type WrongServer } from './scaffold.ts';

/** Cuts every value of some size into two messages, though it would fit one. */
export const wrongChunkSize: WrongServer = {
  wrong: 'sends chunks of another size than it says',
  caughtBy: ['always-chunks', 'chunks-one'],
  corrupt: renumbering((header, payload, say) => {
    if (header.type !== 'value' || payload.length < 64 || payload.length !== header['bytes'])
      return say(header, payload);
    const { run, save } = header;
    say(header, payload.subarray(0, 32));
    say({ type: 'chunk', run, save, offset: 32 }, payload.subarray(32));
  }),
};
