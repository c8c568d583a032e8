/** What JavaScript itself can do with a placeholder, and what each says to write instead. */
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { written } from '../test/written.ts';
import { type Trace, TraceError } from './index.ts';

function messageOf(fn: (m: Trace) => unknown): string {
  try {
    written(fn);
  } catch (error) {
    if (error instanceof TraceError) {
      expect(error.code).toBe('misuse');
      expect(error.errors[0]?.location?.file).toMatch(/(misuse-javascript\.test|written)\.ts$/);
      return error.message;
    }
    throw error;
  }
  throw new Error('Nothing was thrown.');
}

/** A placeholder as code without types has it. */
const loose = (m: Trace): never => m.lm_head.output.exp() as never;

test.each<[string, (m: Trace) => unknown, RegExp]>([
  ['Math.max', (m) => Math.max(loose(m), 0), /\.max\(\), \.abs\(\), \.exp\(\) instead of Math’s/],
  ['Number', (m) => Number(loose(m)), /\.add\(…\)/],
  ['parseFloat', (m) => Number.parseFloat(loose(m)), /\.save\(\) and read \.value/],
  ['isNaN', (m) => Number.isNaN(Number(loose(m))), /\.add\(…\)/],
  ['minus', (m) => -loose(m), /\.sub\(…\)/],
  // biome-ignore lint/suspicious/noDoubleEquals: what people write.
  ['==', (m) => loose(m) == 1, /\.eq\(…\)/],
  ['+=', (m) => Object.assign(m.lm_head, { output: (m.lm_head.output as never) + 1 }), /\.add\(…\)/],
  ['++', (m) => [loose(m)].map((value: number) => ++value), /\.add\(…\)/],
  ['String', (m) => String(loose(m)), /\.log\("text"\)/],
  ['an object’s key', (m) => ({ [loose(m)]: 1 }), /\.save\(\) and read \.value/],
  ['spread into an object', (m) => ({ ...(loose(m) as object) }), /can’t be spread/],
  [
    'for … in',
    (m) => {
      for (const key in loose(m) as object) throw new Error(key);
    },
    /key by key/,
  ],
  ['Object.keys', (m) => Object.keys(loose(m)), /key by key/],
  ['Array.from', (m) => Array.from(loose(m)), /\.slice\(0\)/],
  [
    'a typed array of it',
    (m) => new Float32Array(loose(m) as ArrayLike<number>),
    /\.slice\(0\)|length is known/,
  ],
  [
    'for … of',
    (m) => {
      for (const row of loose(m) as Iterable<unknown>) throw new Error(String(row));
    },
    /\.slice\(0\)/,
  ],
  ['map', (m) => (loose(m) as number[]).map((x) => x + 1), /act on whole tensors/],
  ['reduce', (m) => (loose(m) as number[]).reduce((a, b) => a + b), /act on whole tensors/],
  ['Python’s slice', (m) => loose(m)[':, -1'], /\.slice\(null, -1\)/],
  ['PyTorch’s view', (m) => (loose(m) as { view(): void }).view(), /Here it is \.reshape\(…\)/],
  ['PyTorch’s permute', (m) => (loose(m) as { permute(): void }).permute(), /Here it is \.transpose\(…\)/],
  ['PyTorch’s to', (m) => (loose(m) as { to(): void }).to(), /\.cast\('float32'\)/],
  ['PyTorch’s detach', (m) => (loose(m) as { detach(): void }).detach(), /Leave it out/],
  ['PyTorch’s backward', (m) => (loose(m) as { backward(): void }).backward(), /no gradients/],
  ['PyTorch’s size', (m) => (loose(m) as { size(): void }).size(), /\.value\.dims/],
  ['NumPy’s name', (m) => (loose(m) as { log_softmax(): void }).log_softmax(), /Did you mean logSoftmax\?/],
  ['save that is not called', (m) => ({ logits: m.lm_head.output.save }), /not called\. Write \.save\(\)/],
])('%s', (_, fn, message) => {
  expect(messageOf(fn)).toMatch(message);
});

test('console.log shows what to write instead, and harms nothing', () => {
  written((m) => {
    expect(inspect(m.lm_head.output)).toBe(
      'Place(lm_head.output), no value yet: .log() prints it when the trace runs',
    );
    expect(inspect({ hidden: m.lm_head.output.add(1) })).toContain('.log() prints it when the trace runs');
    return m.lm_head.output.save();
  });
});
