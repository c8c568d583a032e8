import { rewriting, type WrongServer } from './scaffold.ts';

/** Takes every hook for one of the first prompt, as a server would that doesn't know invokes. */
export const ignoresInvokes: WrongServer = {
  wrong: 'takes all invokes for the first',
  caughtBy: [
    'invokes-alone',
    'invokes-writes',
    'invokes-across',
    'invokes-number',
    'invokes-stop',
    'batch-generate',
    'batch-generate-end',
    'batch-generate-across',
  ],
  corrupt: rewriting((node) => {
    const place = node['place'] as { readonly invoke?: number } | undefined;
    return place?.invoke === undefined ? node : { ...node, place: { ...place, invoke: 0 } };
  }),
};
