/** A session whose traces are the prompts of one pass gives what it gives trace by trace, within float error. */
import {
  type DetachedRun,
  LanguageModel,
  type RunReport,
  type Saved,
  type Session,
  type Tensor,
  TraceError,
  ValueNotSetError,
} from '@tracewire/client';
import { beforeEach, describe, expect, it } from 'vitest';
import { relativeError } from './support/reference.ts';
import { served } from './support/served.ts';

const EIFFEL = 'The Eiffel Tower is in the city of';
const COLOSSEUM = 'The Colosseum is in the city of';
const BATCH = { batch: true } as const;

const server = await served();

/** A clean run, and one of the other prompt for each of three blocks, patched there. */
function sweep(s: Session): { readonly logits: Saved<Tensor>[]; readonly report: Saved<RunReport> } {
  const clean = s.trace(COLOSSEUM, (m) => ({
    hidden: [0, 2, 5].map((block) => m.transformer.h.at(block).output[0].slice(null, -1)),
    report: m.report(),
  }));
  const logits = clean.hidden.map((hidden, index) =>
    s.trace(EIFFEL, (m) => {
      m.transformer.h
        .at([0, 2, 5][index] ?? 0)
        .output[0].slice(null, -1)
        .set(hidden);
      return m.lm_head.output.slice(0, -1).save();
    }),
  );
  return { logits, report: clean.report };
}

describe.each([
  ['over a socket', true],
  ['in this process', false],
] as const)('a session in one pass %s', (_, remote) => {
  let model: LanguageModel;
  beforeEach(() => {
    model = new LanguageModel('tiny-gpt2', { url: server.url, remote });
    return () => model.close();
  });

  it('gives what a session gives, and runs each part of the model once', async () => {
    const apart = await model.session(sweep);
    const together = await model.session(BATCH, sweep);
    for (const [index, { value }] of together.logits.entries()) {
      const alone = apart.logits[index]?.value;
      const wanted = { dims: [...(alone?.dims ?? [])], data: alone?.data as Float32Array };
      expect(relativeError(wanted, value.dims, value.data as Float32Array)).toBeLessThan(1e-4);
    }
    const { segmentsRun, segmentsTotal, tokens } = together.report.value;
    expect(segmentsRun).toBe(segmentsTotal);
    expect(tokens).toBeGreaterThan(3 * apart.report.value.tokens);
  });

  it('ends a stopped trace alone, and takes prompts of several traces', async () => {
    const { stopped, fine, both } = await model.session(BATCH, (s) => ({
      stopped: s.trace(EIFFEL, (m) => {
        m.transformer.h[1].output.stop();
        return m.transformer.h[3].output[0].save();
      }),
      fine: s.trace(COLOSSEUM, (m) => m.lm_head.output.slice(0, -1).argmax(-1).save()),
      both: s.trace((t) => [EIFFEL, COLOSSEUM].map((text) => t.invoke(text, (m) => m.lm_head.output.save()))),
    }));
    expect(() => stopped.value).toThrow(ValueNotSetError);
    expect(stopped.error?.code).toBe('not_reached');
    expect(await model.tokenizer.decode([Number(fine.value.item())])).toBe(' Rome');
    expect(both.map(({ value }) => value.dims[1])).toEqual([12, 10]);
  });

  it.each<[string, (s: Session) => unknown, RegExp]>([
    [
      'a value for a place before its own',
      (s) => {
        const late = s.trace(COLOSSEUM, (m) => m.transformer.h[5].output[0].slice(null, -1));
        s.trace(EIFFEL, (m) => {
          m.transformer.h[0].output[0].slice(null, -1).set(late);
          m.lm_head.output.save();
        });
      },
      /transformer\.h\.0/,
    ],
    [
      'a generation',
      (s) => s.generate(EIFFEL, { maxNewTokens: 2 }),
      /batch: true is one pass.*Leave batch out/,
    ],
    ['no trace', () => undefined, /has no trace\. Add one: s\.trace/],
    ['no function', (s) => s.trace(EIFFEL, 3 as never), /a function that writes the trace, not a number/],
    ['a trace in another', (s) => s.trace(EIFFEL, () => s.trace(EIFFEL, () => 1)), /inside another one/],
  ])('refuses %s', async (_, fn, message) => {
    const error = await model.session(BATCH, fn).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TraceError);
    expect(String(error)).toMatch(message);
  });

  it('refuses a batch that is no boolean, by its name', async () => {
    await expect(model.session({ batch: 1 as never }, sweep)).rejects.toThrow(
      /batch of session is true or false/,
    );
  });
});

it('outlives its client, and is followed with the same options', async () => {
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  const { run } = await model.startSession(BATCH, sweep);
  const another = new LanguageModel('tiny-gpt2', { url: server.url });
  const followed: DetachedRun<ReturnType<typeof sweep>> = await another.attachSession(run, BATCH, sweep);
  await followed.wait();
  expect(followed.result.logits.map(({ value }) => value.dims[0])).toEqual([1536, 1536, 1536]);
  await model.close();
  await another.close();
});
