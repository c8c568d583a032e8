/** User functions in traces, end to end: the same numbers as the operators in them, and what bad use gets. */
import { createHash } from 'node:crypto';
import { LanguageModel, type Tensor, type Trace, TraceError, type UserFunction } from '@tracewire/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionBytes, op } from './support/function-file.ts';

import { modelOn, served } from './support/served.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const WIDTH = 128;

const server = await served();
const model = modelOn(server);
const local: LanguageModel = new LanguageModel('tiny-gpt2', { remote: false });
afterAll(() => local.close());

const filled = (count: number, at: (index: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => at(index));

/** Halves what it is given, and gives the largest four of it along the last axis. */
const bytes = functionBytes({
  inputs: { h: ['batch', 'position', WIDTH] },
  outputs: { half: ['batch', 'position', WIDTH], top: ['batch', 'position', 4] },
  weights: {
    identity: {
      dims: [WIDTH, WIDTH],
      data: filled(WIDTH * WIDTH, (index) => (index % (WIDTH + 1) === 0 ? 0.5 : 0)),
    },
    k: { dims: [1], data: BigInt64Array.of(4n) },
  },
  nodes: [op('MatMul', ['h', 'identity'], ['half']), op('TopK', ['half', 'k'], ['top', ''])],
});

const numbers = (tensor: Tensor): number[] => Array.from(tensor.data as Float32Array);

describe.each([
  ['on a server', () => model],
  ['in this process', () => local],
])('a function %s', (_, of) => {
  let half: UserFunction;
  beforeAll(() => {
    half = of().fn(bytes);
  });

  it('is explained, as what a run of it does', async () => {
    const call = (m: Trace) => {
      const [all, top] = half(m.transformer.h[1].output[0]);
      return { top: top?.save(), all: all?.save() };
    };
    const explanation = await of().explain(PROMPT, call);
    const { all, top } = await of().trace(PROMPT, call);
    expect(explanation.stoppedAfter).toBe('transformer.h.1');
    expect(explanation.saves.map(({ bytes }) => bytes)).toEqual(
      [top, all].map((saved) => numbers(saved?.value as Tensor).length * 4),
    );
  });

  it('gives what its operators give, and its outputs have the dims that follow', async () => {
    const saved = await of().trace(PROMPT, (m) => {
      const h = m.transformer.h[2].output[0];
      const [halved, top] = half(h);
      return { h: h.save(), halved: halved?.save(), top: top?.save(), both: half(h).save() };
    });
    const h = numbers(saved.h.value);
    expect(numbers(saved.halved?.value as Tensor)).toEqual(h.map((number) => number / 2));
    expect(saved.top?.value.dims).toEqual([1, 12, 4]);
    const first = h.slice(0, WIDTH).toSorted((a, b) => b - a);
    expect(numbers(saved.top?.value as Tensor).slice(0, 4)).toEqual(
      first.slice(0, 4).map((number) => number / 2),
    );
    const both = saved.both.value as unknown as readonly Tensor[];
    expect(both.map(({ dims }) => dims)).toEqual([
      [1, 12, WIDTH],
      [1, 12, 4],
    ]);
  });

  it('can be written to a place, and the pass goes on with it', async () => {
    const byFunction = await of().trace(PROMPT, (m) => {
      m.transformer.h[2].output[0].set(half(m.transformer.h[2].output[0]).at(0));
      return m.lm_head.output.save();
    });
    const byOperator = await of().trace(PROMPT, (m) => {
      m.transformer.h[2].output[0].set(m.transformer.h[2].output[0].mul(0.5));
      return m.lm_head.output.save();
    });
    expect(numbers(byFunction.value)).toEqual(numbers(byOperator.value));
  });

  it('stops the pass early like any value, and is called in each prompt of a batch', async () => {
    const saved = await of().trace((t) => {
      const one = t.invoke(PROMPT, (m) => half(m.transformer.h[0].output[0]).at(1).save());
      const two = t.invoke('Once', (m) => half(m.transformer.h[0].output[0]).at(1).save());
      return { one, two, report: t.report() };
    });
    expect([saved.one.value.dims, saved.two.value.dims]).toEqual([
      [1, 12, 4],
      [1, 2, 4],
    ]);
    expect(saved.report.value.stoppedAfter).toBe('transformer.h.0');
  });

  it('steers a generation in every step', async () => {
    const written = await of().generate(PROMPT, { maxNewTokens: 4, stopTokens: [] }, (m) => {
      const step = m.all();
      const [halved, top] = half(step.transformer.h[2].output[0]);
      step.transformer.h[2].output[0].set(halved ?? 0);
      return { top: top?.save() };
    });
    const operators = await of().generate(PROMPT, { maxNewTokens: 4, stopTokens: [] }, (m) => {
      const step = m.all();
      step.transformer.h[2].output[0].set(step.transformer.h[2].output[0].mul(0.5));
    });
    expect(written.tokens).toEqual(operators.tokens);
    expect(written.tokens).toHaveLength(4);
    const dims = [0, 1, 2, 3].map((step) => written.saved.top?.at(step).value.dims);
    expect(dims).toEqual([
      [1, 12, 4],
      [1, 1, 4],
      [1, 1, 4],
      [1, 1, 4],
    ]);
  });

  it('is called in an edit, in every later trace', async () => {
    const edited = of().edit((m) => {
      m.transformer.h[2].output[0].set(half(m.transformer.h[2].output[0]).at(0));
    });
    const { h, edit } = await edited.trace(PROMPT, (m) => {
      const edit = m.transformer.h[2].output[0].save();
      return { edit, h: m.transformer.h[1].output[0].save() };
    });
    const plain = await of().trace(PROMPT, (m) => m.transformer.h[2].output[0].save());
    expect(numbers(edit.value)).toEqual(numbers(plain.value).map((number) => number / 2));
    expect(h.value.dims).toEqual([1, 12, WIDTH]);
    await expect(edited.exportEdits()).rejects.toThrow(/can’t be exported/);
  });

  it('is described by the server as by the client', async () => {
    expect(await half.describe()).toEqual({ inputs: half.inputs, outputs: half.outputs });
    expect(half.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  });
});

it('gives the same bytes on a server and in this process', async () => {
  const [there, here] = await Promise.all(
    [model, local].map(async (one) => {
      const half = one.fn(bytes);
      return (await one.trace(PROMPT, (m) => half(m.transformer.h[1].output[0]).at(0).save())).value;
    }),
  );
  expect(there?.data).toEqual(here?.data);
});

describe('bad use of a function', () => {
  it('is told at the lines that wrote it, all at once', async () => {
    const half = model.fn(bytes);
    const wrong = model.trace(PROMPT, (m) => {
      half(m.transformer.h[0].output[0], 3).save();
      half(m.transformer.h[0].output).save();
      half(m.lm_head.output).save();
      half(m.op('Cast', [m.transformer.h[0].output[0]], { to: 11 })).save();
    });
    const error = (await wrong.catch((thrown: unknown) => thrown)) as TraceError;
    expect(error).toBeInstanceOf(TraceError);
    expect(error.errors.map(({ body }) => body.code)).toEqual([
      'bad_arity',
      'tuple_value',
      'wrong_dims',
      'wrong_dtype',
    ]);
    const lines = error.errors.map(({ location }) => location?.line ?? 0);
    expect(lines).toEqual([0, 1, 2, 3].map((more) => (lines[0] ?? 0) + more));
    expect(error.errors[2]?.body).toMatchObject({ path: 'h', wanted: '[batch, sequence, 128]' });
  });

  it('is told where the file is given, if the file is wrong', () => {
    const nope = functionBytes({
      inputs: { x: ['n'] },
      outputs: { y: ['n'] },
      nodes: [op('Loop', ['x'], ['y'])],
    });
    expect(() => model.fn(nope)).toThrow(/no operator "Loop"[\s\S]*functions\.test\.ts/);
    expect(() => model.fn('encoder.onnx' as never)).toThrow(/bytes of an ONNX model/);
    expect(() => model.fn(bytes)(3)).toThrow(/at least one value of the trace/);
  });

  it('fails the saves that need it when an operation in it fails, and nothing else', async () => {
    const divide = model.fn(
      functionBytes({
        inputs: { x: ['n'] },
        outputs: { y: ['m'] },
        weights: { zero: { dims: [1], data: BigInt64Array.of(0n) } },
        nodes: [
          op('Cast', ['x'], ['i'], [{ name: 'to', type: 2, i: 7 }]),
          op('Div', ['i', 'zero'], ['d']),
          op('Cast', ['d'], ['y'], [{ name: 'to', type: 2, i: 1 }]),
        ],
      }),
    );
    const { bad, good } = await model.trace('x', (m) => {
      const one = m.constant([1, 2]);
      return { bad: divide(one).save(), good: one.add(1).save() };
    });
    expect(numbers(good.value)).toEqual([2, 3]);
    expect(bad.error).toMatchObject({ code: 'failed', cause: { code: 'operation_failed', node: 1 } });
  });

  it('counts its results before they are made', async () => {
    const grow = model.fn(
      functionBytes({
        inputs: { x: [1] },
        outputs: { y: ['m', 'm'] },
        weights: { dims: { dims: [2], data: BigInt64Array.of(100_000n, 100_000n) } },
        nodes: [op('Expand', ['x', 'dims'], ['y'])],
      }),
    );
    await expect(model.trace('x', (m) => grow(m.constant([1])).save())).rejects.toMatchObject({
      code: 'too_much_memory',
    });
  });
});

describe('a large constant', () => {
  it('is sent within the message once, and by its hash from then on', async () => {
    const large = filled(64 * 1024, (index) => index % 77);
    const sum = (): Promise<number> =>
      model.trace('x', (m) => m.constant(large).sum().save()).then(({ value }) => value.item() as number);
    const expected = large.reduce((total, number) => total + number, 0);
    expect([await sum(), await sum(), await sum()]).toEqual([expected, expected, expected]);
  });

  it('may be larger than a message', async () => {
    const large = filled(5 * 1024 * 1024, (index) => index % 2);
    const { value } = await model.trace('x', (m) => m.constant(large).sum().save());
    expect(value.item()).toBe(large.length / 2);
  });
});
