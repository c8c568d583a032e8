/** What graphs traces become. */
import { expect, test } from 'vitest';
import { gpt2 } from '../test/description.ts';
import { written } from '../test/written.ts';
import { concat, Tensor, where } from './index.ts';

const read = (module: string, member?: number) => ({
  kind: 'read',
  place: { module, port: 'output', ...(member === undefined ? {} : { member }) },
});

test('the design’s example', () => {
  const { nodes } = written((m) => {
    const l2 = m.transformer.h[1].output.save();
    const l1 = m.transformer.h[0].output.save();
    m.transformer.h[0].output.stop();
    return { l1, l2 };
  });
  expect(nodes).toEqual([
    read('transformer.h.1'),
    { kind: 'save', value: 0 },
    read('transformer.h.0'),
    { kind: 'save', value: 2 },
    { kind: 'stop', place: { module: 'transformer.h.0', port: 'output' } },
  ]);
});

test('each use of a place reads it where the use stands', () => {
  const { nodes } = written((m) => {
    const place = m.transformer.h[0].output[0];
    const before = place.save();
    place.set(place.mul(2));
    return [before, place.save()];
  });
  expect(nodes).toEqual([
    read('transformer.h.0', 0),
    { kind: 'save', value: 0 },
    read('transformer.h.0', 0),
    { kind: 'constant', dtype: 'float32', dims: [] },
    { kind: 'operator', operator: 'Mul', inputs: [2, 3] },
    { kind: 'write', place: { module: 'transformer.h.0', port: 'output', member: 0 }, value: 4 },
    read('transformer.h.0', 0),
    { kind: 'save', value: 6 },
  ]);
});

test('a logit lens: a module applied to a value, a slice, softmax and top k', () => {
  const { nodes, constants } = written((m) => {
    const logits = m.lm_head(m.transformer.ln_f(m.get('transformer.h.1').output[0]));
    const { values, indices } = logits.slice(0, -1).softmax().topK(3);
    return [values.save(), indices.save()];
  });
  expect(nodes.filter((node) => !('dims' in node))).toEqual([
    read('transformer.h.1', 0),
    { kind: 'apply', module: 'transformer.ln_f', input: 0 },
    { kind: 'apply', module: 'lm_head', input: 1 },
    { kind: 'operator', operator: 'Gather', inputs: [2, 3], attributes: { axis: 1 } },
    { kind: 'operator', operator: 'Gather', inputs: [4, 5], attributes: { axis: 0 } },
    { kind: 'operator', operator: 'Softmax', inputs: [6], attributes: { axis: -1 } },
    { kind: 'operator', operator: 'TopK', inputs: [7, 8], attributes: { axis: -1 } },
    { kind: 'member', of: 9, index: 0 },
    { kind: 'member', of: 9, index: 1 },
    { kind: 'save', value: 10 },
    { kind: 'save', value: 11 },
  ]);
  expect(constants.map(({ dtype, dims, data }) => [dtype, dims, [...data]])).toEqual([
    ['int64', [], [-1n]],
    ['int64', [], [0n]],
    ['int64', [1], [3n]],
  ]);
});

test('ranges become one Slice on the axes that are left', () => {
  const { nodes, constants } = written((m) => m.lm_head.output.slice(0, [null, -1], '::-2').save());
  expect(nodes.at(-2)).toEqual({ kind: 'operator', operator: 'Slice', inputs: [2, 3, 4, 5, 6] });
  const far = 2n ** 31n - 1n;
  expect(constants.slice(1).map(({ data }) => [...data])).toEqual([
    [0n, far],
    [-1n, -far],
    [0n, 1n],
    [1n, -2n],
  ]);
});

test('a slice of a place writes that part alone, and reads it when used', () => {
  const { nodes } = written((m) => {
    const last = m.transformer.h[2].output[0].slice(null, -1);
    last.set(last.add(1));
    return m.lm_head.output.save();
  });
  expect(nodes.filter(({ kind }: { kind?: string }) => kind === 'write')).toEqual([
    {
      kind: 'write',
      place: { module: 'transformer.h.2', port: 'output', member: 0 },
      value: 4,
      selection: [{}, -1],
    },
  ]);
});

test('a number fills a place: the empty selection broadcasts', () => {
  const { nodes, constants } = written((m) => {
    m.transformer.h[0].attn.output[0].set(0);
    return m.lm_head.output.save();
  });
  expect(nodes[1]).toMatchObject({ kind: 'write', value: 0, selection: [] });
  expect(constants[0]).toEqual({ dtype: 'float32', dims: [], data: Float32Array.of(0) });
});

test('literals take the dtype of the other operand, on either side', () => {
  const half = written((m) => m.lm_head.output.add([[1], [2]]).save(), gpt2('float16'));
  expect(half.constants).toEqual([{ dtype: 'float16', dims: [2, 1], data: Uint16Array.of(0x3c00, 0x4000) }]);
  const left = written((m) => m.op('Sub', [1, m.lm_head.output.argmax()]).save());
  expect(left.constants).toEqual([{ dtype: 'int64', dims: [], data: BigInt64Array.of(1n) }]);
  const both = written((m) => where(m.lm_head.output.gt(0), m.lm_head.output, -1).save());
  expect(both.constants.map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
});

test('typed arrays and tensors keep their dtype, and are copied when used', () => {
  const steering = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const { constants } = written((m) => {
    const steered = m.lm_head.output.add(steering).add(Tensor.from([[4]]));
    steering.fill(9);
    return steered.save();
  });
  expect(constants).toEqual([
    { dtype: 'float32', dims: [8], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
    { dtype: 'float32', dims: [1, 1], data: Float32Array.of(4) },
  ]);
});

test('reductions take axes as an input, concat joins, a parameter is read by name', () => {
  const { nodes } = written((m) => {
    const weight = m.lm_head.weight.mean([0], true);
    return concat([weight, m.parameter('lm_head.weight')], 0).save();
  });
  expect(nodes).toEqual([
    { kind: 'parameter', name: 'lm_head.weight' },
    { kind: 'constant', dtype: 'int64', dims: [1] },
    { kind: 'operator', operator: 'ReduceMean', inputs: [0, 1], attributes: { keepdims: 1 } },
    { kind: 'parameter', name: 'lm_head.weight' },
    { kind: 'operator', operator: 'Concat', inputs: [2, 3], attributes: { axis: 0 } },
    { kind: 'save', value: 4 },
  ]);
});

test('modules by number, from the end, by path, in a loop; tuples taken apart', () => {
  const { nodes } = written((m) => {
    const [, key] = m.transformer.h.at(-1).output;
    const saves = [...m.transformer.h].map((block) => block.input.save());
    return [
      key?.save(),
      ...saves,
      m.get('transformer').get('h.0').output.at(-1).save(),
      m.transformer.h.length,
    ];
  });
  expect(nodes.filter((node) => 'place' in node).map((node) => (node as { place: object }).place)).toEqual([
    { module: 'transformer.h.0', port: 'input' },
    { module: 'transformer.h.1', port: 'input' },
    { module: 'transformer.h.2', port: 'input' },
    { module: 'transformer.h.2', port: 'output', member: 1 },
    { module: 'transformer.h.0', port: 'output', member: 2 },
  ]);
});

test('a saved handle can be used further in its trace', () => {
  const { nodes } = written((m) => {
    const saved = m.lm_head.output.save();
    return m.op('Neg', [saved]).save();
  });
  expect(nodes[2]).toEqual({ kind: 'operator', operator: 'Neg', inputs: [0] });
});

test('member 0 of what a module gives as one tensor is itself', () => {
  const { nodes } = written((m) => m.lm_head.output[0][0].save());
  expect(nodes).toEqual([read('lm_head', 0), { kind: 'save', value: 0 }]);
});

test('log nodes', () => {
  const { nodes } = written((m) => {
    m.log('start');
    m.lm_head.output.log('logits');
  });
  expect(nodes).toEqual([
    { kind: 'log', text: 'start' },
    read('lm_head'),
    { kind: 'log', text: 'logits', value: 1 },
  ]);
});
