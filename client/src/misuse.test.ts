/** What wrong traces get: every error with its code, the nearest right name and the line, all at once. */
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { written } from '../test/written.ts';
import { concat, type Saved, type Tensor, type Trace, type TracedValue, TraceError } from './index.ts';
import { formatLocation } from './location.ts';

function errorOf(fn: (m: Trace) => unknown): TraceError {
  try {
    written(fn);
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** What users put values into. */
class Holder {
  readonly held: unknown;
  constructor(held: unknown) {
    this.held = held;
  }
}

const codesOf = (fn: (m: Trace) => unknown): string[] => errorOf(fn).errors.map(({ body }) => body.code);
/** The line this is called on. */
const here = (): number =>
  Number(/misuse\.test\.ts:(\d+)/.exec(new Error().stack?.split('\n')[2] ?? '')?.[1]);

test('all static errors are reported at once, each with its line and the nearest name', () => {
  let line = 0;
  const error = errorOf((m) => {
    line = here();
    m.transformer.hh?.[0]?.output.save();
    m.lm_head.output.add(1n).add(m.lm_head.output.argmax()).save();
    m.op('Softmx', [m.lm_head.output]).save();
    m.transformer.h[0].output.add(1).save();
    m.transformer.h[0].output[0].set(m.lm_head.output);
    m.transformer.h[9].output[0].set(0);
    m.lm_head.parameter('wieght').save();
    m.transformer.h[0].output[5]?.save();
  });
  expect(error.errors.map(({ body, location }) => [body.code, (location?.line ?? 0) - line])).toEqual([
    ['unknown_module', 1],
    ['wrong_dtype', 2],
    ['unknown_operator', 3],
    ['tuple_value', 4],
    ['write_order', 5],
    ['unknown_module', 6],
    ['unknown_parameter', 7],
    ['not_a_tuple', 8],
  ]);
  expect(error.errors.map(({ body }) => body.nearest)).toEqual([
    'transformer.h',
    undefined,
    'Softmax',
    undefined,
    undefined,
    undefined,
    'lm_head.weight',
    undefined,
  ]);
  expect(error.message).toMatch(
    /^8 errors in the trace:\n {2}1\. unknown_module: .*Did you mean transformer\.h\?\n/,
  );
  const first = error.errors[0]?.location;
  expect(first && error.message.includes(`at ${formatLocation(first)}`)).toBe(true);
});

test('an error leads to no others: what is made of it is silent', () => {
  const codes = codesOf((m) => {
    const [hidden, key] = m.nowhere?.at(0).output ?? [];
    const { values } = m.lm_head(hidden?.slice(0, -1).add(key ?? 0) ?? 0).topK(2);
    m.transformer.h[0].output[0].set(values.cast('float32'));
    m.nowhere2?.output.stop();
    return values.save();
  });
  expect(codes).toEqual(['unknown_module', 'unknown_module']);
});

test('an error’s saves throw when read, and say why', () => {
  let saved: Saved<unknown> | undefined;
  errorOf((m) => {
    saved = m.lm_head.output.save();
    m.nowhere?.output.save();
  });
  expect(() => saved?.value).toThrow(
    /^Accessing value before it's been set\. The trace did not run\..*nowhere/,
  );
});

test.each<[string, (m: Trace) => unknown, RegExp]>([
  ['template', (m) => `${m.lm_head.output}`, /\.log\("text"\).*\.save\(\)/],
  ['plus', (m) => (m.lm_head.output as unknown as number) + 1, /\.add\(…\)/],
  ['compare', (m) => (m.lm_head.output as unknown as number) > 1, /where\(condition, a, b\)/],
  ['number', (m) => +(m.lm_head.output.sum() as unknown as number), /\.add\(…\)/],
  ['JSON', (m) => JSON.stringify({ h: m.lm_head.output }), /\.save\(\)/],
  ['join', (m) => [m.lm_head.output.exp()].join(), /\.save\(\)/],
  ['spread', (m) => [...(m.lm_head.output as Iterable<unknown>)], /\.slice\(0\)/],
  ['module in a template', (m) => `${m.lm_head}`, /Write \.output/],
  [
    'module as operand',
    (m) => m.lm_head.output.add(m.lm_head as never),
    /m\.lm_head is a module.*m\.lm_head\.output/,
  ],
  ['assigning an output', (m) => Object.assign(m.lm_head, { output: 1 }), /\.output\.set\(value\)/],
  ['assigning a member', (m) => Object.assign(m.lm_head.output, [1]), /\.output\[0\]\.set\(value\)/],
  ['negative index', (m) => m.transformer.h[-1], /write \.at\(-1\)/],
  ['row of a computed value', (m) => m.lm_head.output.add(1)[0], /\.slice\(0\)/],
  [
    'unknown operation',
    (m) => (m.lm_head.output as unknown as { sofmax(): void }).sofmax(),
    /Did you mean softmax/,
  ],
  ['reading dims', (m) => (m.lm_head.output as unknown as { dims: unknown }).dims, /\.value\.dims/],
  ['wrong operand', (m) => m.lm_head.output.add('1' as never), /An operand is a string/],
  ['no value to concat', () => concat([[1], [2]]), /at least one value of the trace/],
  ['two inputs to a module', (m) => (m.lm_head as (...all: unknown[]) => unknown)(1, 2), /one value, not 2/],
  ['async function', async (m) => m.lm_head.output.save(), /is async/],
  ['returning a placeholder', (m) => ({ logits: m.lm_head.output }), /returned logits is a placeholder/],
  ['bad selector', (m) => m.lm_head.output.slice('1-2'), /selector for axis 0 is "1-2"/],
  ['step 0', (m) => m.lm_head.output.slice([0, 1, 0]), /step for axis 0 is 0/],
  ['bad dtype', (m) => m.lm_head.output.cast('float31' as never), /Did you mean float32/],
  [
    'awaiting in it',
    async (m) => void (await m.lm_head.output),
    /Leave async and await out of it, \.save\(\)/,
  ],
  [
    'a generator',
    function* (m) {
      yield m.lm_head.output.save();
    },
    /Leave the \* out/,
  ],
  [
    'branching',
    (m) => ((m.lm_head.output as unknown as number) > 1 ? 1 : 2),
    /instead of if.*where\(condition, a, b\)/,
  ],
  [
    'an index into an array',
    (m) => [1, 2][m.lm_head.output.argmax() as unknown as number],
    /as an index, m\.op\("Gather"/,
  ],
  [
    'a selector',
    (m) => m.lm_head.output.slice(m.lm_head.output.argmax() as never),
    /m\.op\("Gather", \[value, index\], \{ axis: 0 \}\)/,
  ],
  [
    'an array of placeholders',
    (m) => m.lm_head.output.add([m.lm_head.output as never, 1]),
    /stack\(\[a, b\]\)/,
  ],
  ['modules to concat', (m) => concat([m.lm_head, m.lm_head] as never), /concat wants m\.lm_head\.output/],
  ['reading numbers', (m) => (m.lm_head.output as unknown as Tensor).toArray(), /\.value\.toArray\(\)/],
  ['a handle as a number', (m) => (m.lm_head.output.save() as unknown as number) + 1, /\.value\.item\(\)/],
  [
    'leaving in an array in an object',
    (m) => ({ a: [{ logits: m.lm_head.output }] }),
    /returned a\.0\.logits is a placeholder/,
  ],
  ['leaving in a map', (m) => new Map([['logits', m.lm_head.output]]), /returned logits is a placeholder/],
  ['leaving in a set', (m) => new Set([m.lm_head.output]), /returned 0 is a placeholder/],
  [
    'leaving in an object of one’s own',
    (m) => new Holder(m.lm_head.output),
    /returned held is a placeholder/,
  ],
  ['a module that leaves', (m) => ({ head: m.lm_head }), /returned head is a module.*\.output\.save\(\)/],
  ['sources that leave', (m) => m.transformer.h[0].attn.source, /is a list of places/],
])('misuse: %s', (_, fn, message) => {
  const error = errorOf(fn);
  expect(error.message).toMatch(message);
  expect(error.errors[0]?.location?.file).toMatch(/(misuse\.test|written)\.ts$/);
});

test('placeholders are no thenables, and print without harm', () => {
  written((m) => {
    for (const placeholder of [m, m.lm_head, m.lm_head.output, m.lm_head.output.slice(0), m.lm_head.weight]) {
      expect((placeholder as { then?: unknown }).then).toBeUndefined();
      expect(inspect(placeholder)).toMatch(/^(Module|Place|PlaceSlice|TracedValue)\(/);
    }
    return m.lm_head.output.save();
  });
});

test('a placeholder can’t be used after its trace, nor in another one', () => {
  let late: TracedValue | undefined;
  let root: Trace | undefined;
  written((m) => {
    root = m;
    late = m.lm_head.output.add(1);
    return late.save();
  });
  expect(() => late?.add(1)).toThrow(/belongs to a trace whose function has returned/);
  expect(() => root?.lm_head).toThrow(/belongs to a trace whose function has returned/);
  expect(errorOf((m) => m.lm_head.output.add(late ?? 0).save()).message).toMatch(/belongs to another trace/);
});

test('a trace that saves nothing is an error', () => {
  expect(codesOf((m) => m.lm_head.output.stop())).toEqual(['nothing_saved']);
});

test('a module that can’t be hooked says why; nearest names cover our own', () => {
  expect(errorOf((m) => m.transformer.drop?.output.save()).message).toMatch(
    /no_hook: .*dropout does nothing here/,
  );
  expect(errorOf((m) => (m.lm_head as unknown as { outptu: unknown }).outptu).errors[0]?.body.nearest).toBe(
    'lm_head.output',
  );
  expect(errorOf((m) => m.get('transformer.ln_ff').output.save()).errors[0]?.body.nearest).toBe(
    'transformer.ln_f',
  );
  expect(errorOf((m) => m.get('transformer.h.0.lm_1').output.save()).errors[0]?.body.nearest).toBe(
    'transformer.h.0.ln_1',
  );
});

test('what the function throws comes out as it is, unless the trace had errors before', () => {
  const own = new Error('mine');
  const fail = (): never => {
    throw own;
  };
  expect(() => written(fail)).toThrow(own);
  const error = errorOf((m) => [m.nowhere, fail()]);
  expect(error.code).toBe('unknown_module');
  expect(error.cause).toBe(own);
});

test('a loop on a placeholder ends', () => {
  const error = errorOf((m) => {
    let value = m.lm_head.output.add(1);
    while (value.lt(5)) value = value.add(1);
  });
  expect(error.message).toMatch(/more than 100000 nodes/);
});
