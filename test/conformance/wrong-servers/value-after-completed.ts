import { type Header, isTerminal, renumbering, type WrongServer } from './scaffold.ts';

/** Keeps each run's values until it has said that the run is completed. */
export const valueAfterCompleted: WrongServer = {
  wrong: 'sends a value after completed',
  caughtBy: ['always-terminal-last', 'always-outcomes'],
  corrupt: () => {
    const kept: (readonly [Header, Uint8Array])[] = [];
    return renumbering((header, payload, say) => {
      if (header.type === 'value') return void kept.push([header, payload]);
      say(header, payload);
      if (isTerminal(header)) for (const [value, bytes] of kept.splice(0)) say(value, bytes);
    })();
  },
};
