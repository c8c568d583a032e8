/**
 * What must hold in every conversation. The first of these cases makes a run with values, chunks, access errors and
 * logs; then each reports what the audit has noted of its rule in all cases so far. So these come last.
 */

import type { Notebook, Rule } from '../audit.ts';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, Mismatch, sleep } from '../mismatch.ts';
import { outputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { listOf } from '../work.ts';

interface RuleCase {
  readonly rule: Rule;
  readonly requirements: readonly string[];
  readonly shows: string;
}

const RULES: readonly RuleCase[] = [
  {
    rule: 'frame',
    requirements: [
      'R-010',
      'R-015',
      'R-016',
      'R-018',
      'R-019',
      'R-020',
      'R-021',
      'R-022',
      'R-023',
      'R-024',
      'R-025',
    ],
    shows: 'all that the server sends is a frame',
  },
  {
    rule: 'schema',
    requirements: ['R-001', 'R-002', 'R-003', 'R-004', 'R-086', 'R-183', 'R-186', 'R-281', 'R-293'],
    shows: 'all that the server sends keeps to its table, errors too',
  },
  { rule: 'binary', requirements: ['R-009'], shows: 'the server sends no text frame' },
  { rule: 'payload', requirements: ['R-017'], shows: 'messages without tensors have no payload' },
  {
    rule: 'size',
    requirements: ['R-011', 'R-081'],
    shows: 'no message has more than limits.chunkBytes of payload',
  },
  {
    rule: 'unknown-run',
    requirements: ['R-090'],
    shows: 'no message is of a run that this client did not start',
  },
  { rule: 'seq', requirements: ['R-090'], shows: 'each run’s messages are numbered 1, 2, 3 … without gaps' },
  {
    rule: 'states',
    requirements: ['R-091', 'R-107', 'R-291'],
    shows: 'states come in order: received, queued, running, an end',
  },
  {
    rule: 'status-fields',
    requirements: ['R-092', 'R-093', 'R-094', 'R-095', 'R-292'],
    shows: 'each field of a status comes with its state',
  },
  {
    rule: 'terminal-last',
    requirements: ['R-108'],
    shows: 'nothing numbered comes after a run’s terminal status',
  },
  { rule: 'refused-silent', requirements: ['R-088'], shows: 'of a refused run nothing else comes' },
  {
    rule: 'outcomes',
    requirements: ['R-101', 'R-106', 'R-149'],
    shows: 'every save has exactly one outcome before the terminal status',
  },
  { rule: 'access-codes', requirements: ['R-102'], shows: 'access errors have one of their five codes' },
  {
    rule: 'value-bytes',
    requirements: ['R-031', 'R-032', 'R-035', 'R-036', 'R-037', 'R-097', 'R-299'],
    shows: 'a value’s bytes lie as its header says',
  },
  {
    rule: 'chunks',
    requirements: ['R-098', 'R-099'],
    shows: 'chunks are exactly limits.chunkBytes or the rest, each where it says',
  },
  {
    rule: 'unbroken',
    requirements: ['R-100'],
    shows: 'nothing of the same run comes between a value and its chunks',
  },
  {
    rule: 'window',
    requirements: ['R-112', 'R-114'],
    shows: 'no more payload than limits.windowBytes is ahead of acks',
  },
  { rule: 'local-codes', requirements: ['R-185'], shows: 'no error has a client’s own code' },
];

/** One of everything: a large value, a tuple, a log, an access error; then what comes late has time to come. */
async function exercise({ open, model }: CaseContext): Promise<void> {
  const peer = await open();
  const sketch = new Sketch({ ids: model.ids });
  sketch.saveRead(outputOf(model.early));
  const bytes = Math.min(2.5 * peer.limits.chunkBytes, peer.limits.savedBytes / 2, 8 * 1024 * 1024);
  sketch.save(listOf(sketch, 1, Math.floor(bytes / 4)));
  sketch.save(
    sketch.operator('TopK', [sketch.constant('float32', [2], [1, 2]), sketch.constant('int64', [1], [1])]),
  );
  sketch.add({ kind: 'log', text: 'conformance' });
  sketch.stop(wholeOutputOf(model.early));
  const late = model.flowing.findLast(({ path }) => path !== '');
  if (late && late.order.output > model.early.order.output) sketch.saveRead(outputOf(late));
  const view = peer.run(sketch.request);
  await view.end();
  await sleep(30);
  if ('textCame' in peer.wire && (peer.wire as { textCame(): boolean }).textCame()) {
    throw new Mismatch('binary frames only', 'a text frame');
  }
}

/** Once is enough for all rules. */
const exercised = new WeakSet<Notebook>();

export const ALWAYS: readonly ConformanceCase[] = RULES.map(({ rule, requirements, shows }) => ({
  id: `always-${rule}`,
  requirements,
  shows,
  run: async (context) => {
    // What a run that never ends breaks, the audit has noted before the wait for its end is over.
    if (!exercised.has(context.notes)) await exercise(context).catch(() => undefined);
    exercised.add(context.notes);
    const notes = context.notes.of(rule);
    check(notes.length === 0, shows, () => notes.join('; '));
  },
}));
