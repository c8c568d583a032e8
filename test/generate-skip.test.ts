/** Modules skipped in some steps of a generation, through a real server. */
import { type StepTrace, type Tensor, TraceError } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { modelOn, served } from './support/served.ts';

const PROMPT = 'When Mary and John went to the store, John gave a drink to';
const LONG = { maxNewTokens: 6, stopTokens: [] } as const;

const server = await served('--model', 'tiny-gpt2');
const model = modelOn(server);

/** What the mlp of a block gave, and took, in every step, and the logits. */
const watch = (m: StepTrace) => ({
  given: m.all().transformer.h[2].mlp.output.save<Tensor>(),
  taken: m.all().transformer.h[2].mlp.input.save<Tensor>(),
  logits: m.all().lm_head.output.slice(0, -1).save(),
});

const same = (a: Tensor | undefined, b: Tensor | undefined): boolean =>
  a !== undefined && b !== undefined && String(a.data) === String(b.data);

it.each<[string, (m: StepTrace) => StepTrace, readonly number[]]>([
  ['the first', (m) => m, [0]],
  ['one', (m) => m.iter(3), [3]],
  ['some', (m) => m.iter([1, 4]), [1, 4]],
  ['a range', (m) => m.iter({ start: 2, end: 5 }), [2, 3, 4]],
  ['all', (m) => m.all(), [0, 1, 2, 3, 4, 5]],
])('%s: the module gives what stands for it there, and itself elsewhere', async (_, at, steps) => {
  const { saved } = await model.generate(PROMPT, LONG, (m) => {
    const { mlp } = at(m).transformer.h[2];
    mlp.skip(mlp.input);
    return watch(m);
  });
  const replaced = [...saved.given.steps].filter(([step, { value }]) =>
    same(value, saved.taken.at(step).value),
  );
  expect(replaced.map(([step]) => step)).toEqual(steps);
  // A write of the output is the same thing, done the long way.
  const written = await model.generate(PROMPT, LONG, (m) => {
    const { mlp } = at(m).transformer.h[2];
    mlp.output.set(mlp.input);
    return watch(m);
  });
  const { saved: plain } = await model.generate(PROMPT, LONG, watch);
  const differs = (step: number): boolean => !same(plain.logits.at(step).value, saved.logits.at(step).value);
  expect([0, 1, 2, 3, 4, 5].findIndex(differs)).toBe(steps[0]);
  for (const step of [0, 1, 2, 3, 4, 5])
    expect(same(written.saved.logits.at(step).value, saved.logits.at(step).value)).toBe(true);
});

it('one module differently in different steps, with hooks inside it in others', async () => {
  const { saved } = await model.generate(PROMPT, LONG, (m) => {
    const inside = m.iter([0, 2]).transformer.h[2].mlp.c_fc.output.save();
    for (const step of [1, 3]) {
      const { mlp } = m.iter(step).transformer.h[2];
      mlp.skip(mlp.input.mul(step));
    }
    return { inside, ...watch(m) };
  });
  expect([...saved.inside.steps.keys()]).toEqual([0, 2]);
  const ratio = (step: number): number =>
    Number(saved.given.at(step).value.data[5]) / Number(saved.taken.at(step).value.data[5]);
  expect(ratio(1)).toBeCloseTo(1, 5);
  expect(ratio(3)).toBeCloseTo(3, 4);
});

it('a whole block in one step, for one prompt of two', async () => {
  const { saved } = await model.generate(LONG, (t) =>
    [0, 1].map((invoke) =>
      t.invoke(invoke === 0 ? PROMPT : [9, 31, 44], (m) => {
        const [before, block] = [m.iter(2).transformer.h[1], m.iter(2).transformer.h[2]];
        if (invoke === 1) block.skip(before.output);
        return [1, 2].map((index) => m.all().transformer.h.at(index).output[0].save<Tensor>());
      }),
    ),
  );
  const equal = saved.map(([before, after]) =>
    [...(before?.steps ?? [])].flatMap(([step, { value }]) =>
      same(value, after?.at(step).value) ? [step] : [],
    ),
  );
  expect(equal).toEqual([[], [2]]);
});

it('what stood before in an edit, in each step', async () => {
  const edited = model.edit((m) => m.transformer.h[2].mlp.skip(m.transformer.h[2].mlp.input));
  const { saved } = await edited.generate(PROMPT, LONG, watch);
  for (const [step, { value }] of saved.given.steps)
    expect(same(value, saved.taken.at(step).value)).toBe(true);
});

describe('refused is', () => {
  it.each<[string, (m: StepTrace) => unknown, string, RegExp]>([
    [
      'a constant in later steps, which it has none of',
      (m) => m.iter(3).transformer.h[2].mlp.skip(m.constant(new Array(128).fill(0))),
      'bad_reference',
      /has no steps, and the module is skipped in steps 3.*input\.mul\(0\)\.add\(value\)/,
    ],
    [
      'a value of another step',
      (m) => m.iter(3).transformer.h[2].mlp.skip(m.transformer.h[2].mlp.input),
      'bad_reference',
      /is of steps 0, and the module is skipped in steps 3/,
    ],
    [
      'all steps’ value for the first',
      (m) => m.transformer.h[2].mlp.skip(m.all().transformer.h[2].mlp.input),
      'bad_reference',
      /is of steps 0 on, and the module is skipped in steps 0/,
    ],
    [
      'a second skip in a step that has one',
      (m) => {
        const { mlp } = m.all().transformer.h[2];
        mlp.skip(mlp.input);
        const { mlp: again } = m.iter(4).transformer.h[2];
        again.skip(again.input);
      },
      'inside_skip',
      /skipped already/,
    ],
    [
      'a stop inside in a step that is skipped',
      (m) => {
        const { mlp } = m.iter([2, 3]).transformer.h[2];
        mlp.skip(mlp.input);
        m.all().transformer.h[2].mlp.c_fc.output.stop();
      },
      'inside_skip',
      /can’t stop at/,
    ],
  ])('%s', async (_, fn, code, message) => {
    const error = await failure(model.generate(PROMPT, LONG, fn));
    expect(error).toBeInstanceOf(TraceError);
    expect(error).toMatchObject({ code });
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain('generate-skip.test.ts');
  });

  it('no longer the constant, once it is of the steps as the advice says', async () => {
    const { saved } = await model.generate(PROMPT, LONG, (m) => {
      const { mlp } = m.iter(3).transformer.h[2];
      mlp.skip(mlp.input.mul(0).add(m.constant(new Array(128).fill(2))));
      return watch(m);
    });
    expect(new Set(saved.given.at(3).value.data as Float32Array)).toEqual(new Set([2]));
    expect(new Set(saved.given.at(2).value.data as Float32Array).size).toBeGreaterThan(100);
  });
});
