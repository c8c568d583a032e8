/** Several prompts in one trace: the graph they write, and what is refused. */

import { ModelIndex } from '@tracewire/protocol';
import { expect, expectTypeOf, test } from 'vitest';
import { gpt2 } from '../test/description.ts';
import { scripted } from '../test/scripted-server.ts';
import { type Batch, type Saved, Tensor, type Trace, type TracedValue, TraceError } from './index.ts';
import { CallSite } from './location.ts';
import { record } from './record.ts';
import { ModelTree } from './tree.ts';

const tree = new ModelTree(new ModelIndex(gpt2()));

/** The graph that a batch writes. */
const graphOf = (fn: (t: Batch) => unknown) => record(tree, 'invokes', new CallSite(), fn).recording.graph;

function errorOf(fn: (t: Batch) => unknown): TraceError {
  try {
    graphOf(fn);
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const here = (): number => Number(/batch\.test\.ts:(\d+)/.exec(new Error().stack?.split('\n')[2] ?? '')?.[1]);

test('each invoke has its prompt, and its places are its own', () => {
  const { invokes, nodes } = graphOf((t) => {
    t.invoke('a', (m) => m.lm_head.output.save());
    t.invoke([1, 2], (m) => {
      m.transformer.h[0].output[0].slice(0, -1).set(0);
      m.transformer.h[1].output.stop();
    });
    t.invoke(Tensor.from([3], 'int64'), (m) => m.transformer.h.at(-1).get('ln_1').input.save());
  });
  expect(invokes).toEqual([{ input: { text: 'a' } }, { input: { ids: [1, 2] } }, { input: { ids: [3] } }]);
  const places = nodes.flatMap((node) => ('place' in node ? [node.place] : []));
  expect(places).toEqual([
    { module: 'lm_head', port: 'output' },
    { module: 'transformer.h.0', port: 'output', member: 0, invoke: 1 },
    { module: 'transformer.h.1', port: 'output', invoke: 1 },
    { module: 'transformer.h.2.ln_1', port: 'input', invoke: 2 },
  ]);
});

test('a batch of one is written as a trace with a prompt is', () => {
  const body = (m: Trace) => {
    m.transformer.h[0].output[0].set(m.transformer.h[0].output[0].mul(2));
    return m.lm_head.output.save();
  };
  const plain = record(tree, { input: { text: 'a' } }, new CallSite(), body).recording.graph;
  expect(graphOf((t) => t.invoke('a', body))).toEqual(plain);
});

test('what one invoke returns another may use, and a module acts on its own invoke wherever it is used', () => {
  const { nodes } = graphOf((t) => {
    let first: Trace | undefined;
    const { value, place } = t.invoke('a', (m) => {
      first = m;
      return { value: m.transformer.h[0].output[0].add(1), place: m.transformer.h[1].output[0] };
    });
    t.invoke('b', (m) => {
      m.transformer.h[1].output[0].set(value);
      m.transformer.h[2].output[0].set(place);
      first?.transformer.h[0].ln_1.output.save();
    });
    t.log('the sum', value);
    t.op('Add', [value, t.constant(1)]).save();
  });
  const acts = nodes.flatMap((node) =>
    'place' in node ? [[node.kind, node.place.module, node.place.invoke]] : [],
  );
  expect(acts).toEqual([
    ['read', 'transformer.h.0', undefined],
    ['write', 'transformer.h.1', 1],
    ['read', 'transformer.h.1', undefined],
    ['write', 'transformer.h.2', 1],
    ['read', 'transformer.h.0.ln_1', undefined],
  ]);
});

test('what is wrong in an invoke has its line', () => {
  let line = 0;
  const error = errorOf((t) => {
    line = here();
    const late = t.invoke('a', (m) => m.transformer.h[1].output[0].mul(1));
    t.invoke('b', (m) => m.transformer.h[0].output[0].set(late));
    t.invoke([1, 2, 3].concat(Array(14).fill(1)), (m) => m.lm_head.output.save());
    t.invoke([], (m) => m.lm_head.output.save());
    t.invoke('c', (m) => m.transformer.hh?.[0]?.output.save());
  });
  expect(error.errors.map(({ body, location }) => [body.code, (location?.line ?? 0) - line])).toEqual([
    ['write_order', 2],
    ['input_too_long', 3],
    ['empty_input', 4],
    ['unknown_module', 5],
  ]);
});

test('a place that mixes the rows is refused with the line that reads it', () => {
  const description = gpt2();
  const modules = description.modules.map((module) =>
    module.path === 'lm_head'
      ? { ...module, outputs: module.outputs.map((port) => ({ ...port, mixed: true as const })) }
      : module,
  );
  const mixing = new ModelTree(new ModelIndex({ ...description, modules }));
  let line = 0;
  const write = () =>
    record(mixing, 'invokes', new CallSite(), (t) => {
      line = here();
      t.invoke('a', (m) => m.lm_head.output.save());
      t.invoke('b', (m) => m.lm_head.input.save());
    });
  expect(write).toThrow(/mixed_rows: lm_head\.output can’t be read in a batch/);
  expect(write).toThrow(new RegExp(`batch\\.test\\.ts:${line + 1}:`));
});

test.each<[string, (t: Batch) => unknown, RegExp]>([
  ['no invoke', () => undefined, /misuse: The trace has no prompt\. Give one: .*t\.invoke\(prompt/],
  [
    'an invoke inside an invoke',
    (t) => t.invoke('a', () => t.invoke('b', (m) => m.lm_head.output.save())),
    /misuse: An invoke can’t stand inside another one/,
  ],
  [
    'an invoke of an invoke',
    (t) => t.invoke('a', (m) => (m as Trace & Batch).invoke('b', () => 1)),
    /misuse: An invoke can’t stand inside another one/,
  ],
  [
    'no function',
    (t) => t.invoke('a', undefined as never),
    /misuse: invoke wants a prompt and a function, not undefined/,
  ],
  ['no prompt', (t) => t.invoke(undefined as never, () => 1), /bad_input: The input is undefined/],
  [
    'several prompts in one',
    (t) => t.invoke(['a', 'b'] as never, () => 1),
    /bad_input: Token 0 of the input is a string/,
  ],
  [
    'text and ids mixed',
    (t) => t.invoke([1, 'b'] as never, () => 1),
    /bad_input: Token 1 of the input is a string/,
  ],
  ['an async function', (t) => t.invoke('a', async () => 1), /misuse: The invoke’s function is async/],
  [
    'a module outside of invokes',
    (t) => (t as unknown as Trace).lm_head.output.save(),
    /misuse: This trace has no prompt of its own, so lm_head of which\? Write t\.invoke\(prompt, \(m\) => m\.lm_head…\)/,
  ],
  [
    'a placeholder returned',
    (t) => t.invoke('a', ({ lm_head }) => (lm_head.output.save() ? lm_head.output : undefined)),
    /misuse: The returned value is a placeholder/,
  ],
])('%s is an error', (_, fn, message) => {
  expect(() => graphOf(fn)).toThrow(message);
});

test('after an error in an invoke the next one is no nested one', () => {
  const error = errorOf((t) => {
    try {
      t.invoke('a', () => {
        throw new Error('mine');
      });
    } catch {}
    t.invoke('b', () => undefined);
  });
  expect(error.code).toBe('nothing_saved');
});

test('a trace with a prompt has no invokes', async () => {
  const { model } = scripted();
  const trace = model.trace('a', (m) => (m as Trace & Batch).invoke('b', () => 1));
  await expect(trace).rejects.toThrow(/This trace has a prompt of its own\. Leave that out/);
});

test('options may stand before the function, and are checked', async () => {
  const { model } = scripted();
  const fn = (t: Batch) => t.invoke('a', (m) => m.lm_head.output.save());
  await expect(model.trace({ remot: true } as object, fn)).rejects.toMatchObject({ code: 'unknown_option' });
  await expect(model.trace({ deadlineMs: 0 }, fn)).rejects.toMatchObject({ code: 'bad_input' });
});

test('a server that takes one prompt a pass is sent no more', async () => {
  const { model, server } = scripted();
  const save = (m: Trace) => m.lm_head.output.save();
  const two = model.trace((t) => [t.invoke('a', save), t.invoke('b', save)]);
  await expect(two).rejects.toMatchObject({ code: 'not_offered', body: { wanted: 'invokes' } });
  void model.trace((t) => t.invoke('a', save)).catch(() => undefined);
  expect((await server.nextRun()).graph.invokes).toHaveLength(1);
  await model.close();
});

test('the types of what invokes return', () => {
  const fn = (t: Batch) => {
    const value = t.invoke('a', (m) => m.lm_head.output.add(1));
    expectTypeOf(value).toEqualTypeOf<TracedValue>();
    const b = t.invoke('b', (m) => m.lm_head.output.save());
    expectTypeOf(b).toEqualTypeOf<Saved<Tensor>>();
    return { b };
  };
  const { model } = scripted();
  const traced = model.trace(fn);
  traced.catch(() => undefined);
  expectTypeOf(traced).toEqualTypeOf<Promise<{ b: Saved<Tensor> }>>();
});
