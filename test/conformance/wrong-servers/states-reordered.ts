import { renumbering, type WrongServer } from './scaffold.ts';

/** Says `running` twice. */
export const statesReordered: WrongServer = {
  wrong: 'repeats the state running',
  caughtBy: ['always-states', 'run-completes'],
  corrupt: renumbering((header, payload, say) => {
    say(header, payload);
    if (header['state'] === 'running') say(header, payload);
  }),
};
