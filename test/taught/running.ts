/** Errors that come while a trace runs, of its values or of all of it. */
import { LanguageModel, type Trace } from '@tracewire/client';
import type { Row } from './row.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const save = (m: Trace) => m.lm_head.output.save();
const LONG = { maxNewTokens: 240, stopTokens: [] };

export const RUNNING: readonly Row[] = [
  {
    what: 'a value behind a stop',
    code: 'not_reached',
    provoke: async ({ model }) => {
      const saved = await model.trace(PROMPT, (m) => {
        m.transformer.h[0].output.stop();
        return m.lm_head.output.save(); // ✗
      });
      return saved.value;
    },
    facts: { path: 'lm_head' },
    says: /stopped after transformer\.h\.0/,
  },
  {
    what: 'a value in a step that never came',
    code: 'not_reached',
    provoke: async ({ model }) => {
      const { saved } = await model.generate(PROMPT, { maxNewTokens: 5, stopStrings: ['a', 'e'] }, (m) => {
        return m.iter(4).lm_head.output.save(); // ✗
      });
      return saved.value;
    },
    facts: { path: 'lm_head', wanted: '4', got: '1' },
    says: /a stop string came/,
  },
  {
    what: 'an operation that fails on the data',
    code: 'failed',
    cause: 'wrong_dims',
    provoke: async ({ model }) => {
      const saved = await model.trace(PROMPT, (m) => {
        const index = m.lm_head.output.argmax(-1).mul(1000n);
        const row = m.op('Gather', [m.lm_head.output, index]); // ✗
        return row.save();
      });
      return saved.value;
    },
    facts: { path: 'Gather', wanted: '-1 to 0', got: '692000' },
  },
  {
    what: 'a module run on a value that takes more than one',
    code: 'failed',
    cause: 'cannot_apply',
    provoke: async ({ model }) => {
      const saved = await model.trace(PROMPT, (m) => {
        const later = m.transformer.h[1](m.transformer.h[0].output[0]); // ✗
        return later.save();
      });
      return saved.value;
    },
    facts: { path: 'transformer.h.1' },
    says: /write the value to transformer\.h\.1\.input/,
  },
  {
    what: 'logits that no token can be chosen from',
    code: 'operation_failed',
    provoke: ({ model }) =>
      model.generate(PROMPT, { maxNewTokens: 5, temperature: 1 }, (m) => m.lm_head.output.set(Number.NaN)), // ✗
    facts: {},
    says: /NaN/,
  },
  {
    what: 'a deadline that passes',
    code: 'deadline_exceeded',
    provoke: ({ model }) => model.generate(PROMPT, { ...LONG, deadlineMs: 20 }), // ✗
    facts: { path: 'deadlineMs', wanted: '20 ms' },
  },
  {
    what: 'a signal',
    code: 'cancelled',
    provoke: ({ model }) => model.generate(PROMPT, { ...LONG, signal: AbortSignal.timeout(20) }), // ✗
    facts: {},
  },
  {
    what: 'a run that nobody started',
    code: 'run_lost',
    provoke: ({ model }) => model.attach('no-such-run', save), // ✗
    facts: {},
    says: /no-such-run/,
  },
  {
    what: 'a run that somebody else follows since',
    code: 'run_moved',
    provoke: async ({ model, url }) => {
      const started = await model.start(PROMPT, LONG); // ✗
      const other = new LanguageModel('tiny-gpt2', { url });
      const taken = await other.attach(started.run, LONG);
      try {
        return await started.wait();
      } finally {
        taken.cancel();
        await taken.wait().catch(() => {});
        await other.close();
      }
    },
    facts: {},
    says: /Another connection follows run/,
  },
];
