import { describe, expect, it } from 'vitest';
import { checkGraph, GraphChecker } from './check.ts';
import { type ModelDescription, modelDescription, type PortDescription } from './description.ts';
import { errorBody } from './error-body.ts';
import type { ErrorBody, ErrorCode } from './errors.ts';
import type { AttributeValue, GraphNode, Input, Place, Selection } from './graph.ts';
import { ModelIndex } from './model-index.ts';
import type { Dtype } from './tensor.ts';

const hidden = (name: string, dtype: Dtype = 'float32'): PortDescription => ({
  name,
  dtype,
  dims: ['batch', 'sequence', 64],
});

const MODEL: ModelDescription = {
  name: 'tiny',
  id: 'sha256:0',
  architecture: 'GPT2LMHeadModel',
  exporter: 'torchscript',
  opset: 17,
  contextLength: 4,
  vocabularySize: 100,
  blocks: ['h.0', 'h.1'],
  modules: [
    { path: 'wte', order: { output: 0 }, inputs: [], outputs: [hidden('e')] },
    {
      path: 'h.0.attn',
      order: { input: 1, output: 2 },
      sources: [
        {
          name: 'scores',
          operator: 'MatMul',
          dtype: 'float32',
          dims: ['batch', 2, 'sequence', 'sequence'],
          order: 1,
        },
        {
          name: 'probabilities',
          operator: 'Softmax',
          dtype: 'float32',
          dims: ['batch', 2, 'sequence', 'sequence'],
          order: 1,
        },
      ],
      inputs: [hidden('e'), { name: 'mask', dtype: 'bool', dims: ['batch', 1, 'sequence', 'sequence'] }],
      outputs: [hidden('a'), hidden('k'), hidden('v')],
    },
    { path: 'h.0.drop', order: {}, inputs: [], outputs: [], missing: 'it does nothing when the model runs' },
    {
      path: 'h.0',
      order: { input: 1, output: 3 },
      inputs: [hidden('e')],
      outputs: [hidden('h0'), hidden('k'), hidden('v')],
    },
    { path: 'h.1', order: { input: 4, output: 5 }, inputs: [hidden('h0')], outputs: [hidden('h1')] },
    {
      path: 'count',
      order: { input: 6, output: 7 },
      inputs: [hidden('c', 'int64')],
      outputs: [hidden('d', 'int64')],
    },
    { path: '', order: { output: 8 }, inputs: [], outputs: [hidden('logits')] },
  ],
  parameters: [{ name: 'wte.weight', dtype: 'float32', dims: [100, 64] }],
};
const INDEX = new ModelIndex(MODEL);

const out = (module: string, member?: number): Place => ({ module, port: 'output', member });
const into = (module: string): Place => ({ module, port: 'input' });
const read = (place: Place): GraphNode => ({ kind: 'read', place });
const save = (value: number): GraphNode => ({ kind: 'save', value });
const stop = (place: Place): GraphNode => ({ kind: 'stop', place });
const source = (module: string, name: string): Place => ({ module, port: 'source', source: name });
const skip = (module: string, value: number): GraphNode => ({ kind: 'skip', module, value });
const member = (of: number, index: number): GraphNode => ({ kind: 'member', of, index });
const write = (place: Place, value: number, selection?: Selection, mask?: number): GraphNode => ({
  kind: 'write',
  place,
  value,
  selection,
  mask,
});
const constant = (dtype: Dtype, dims: readonly number[] = []): GraphNode => ({
  kind: 'constant',
  tensor: { dtype, dims, offset: 0, length: 0 },
});
const parameter = (name = 'wte.weight'): GraphNode => ({ kind: 'parameter', name });
const apply = (module: string, input: number): GraphNode => ({ kind: 'apply', module, input });
const op = (
  operator: string,
  inputs: readonly number[],
  attributes?: Readonly<Record<string, AttributeValue>>,
): GraphNode => ({ kind: 'operator', operator, inputs, attributes });

function check(nodes: readonly GraphNode[], input: Input = { text: 'a' }): ReturnType<typeof checkGraph> {
  const result = checkGraph({ invokes: [{ input }], nodes }, INDEX);
  // Whatever is reported must fit the wire.
  for (const body of [...result.errors, ...result.warnings])
    expect(errorBody.safeParse(body).error).toBeUndefined();
  return result;
}

/** The errors of a graph that saves something, as `code@node`. */
const faults = (...nodes: GraphNode[]): string[] =>
  check([...nodes, read(out('wte')), save(nodes.length)]).errors.map(({ code, node }) => `${code}@${node}`);

function only(code: ErrorCode, ...nodes: GraphNode[]): ErrorBody {
  const { errors } = check(nodes);
  expect(errors.map((error) => error.code)).toEqual([code]);
  return errors[0] as ErrorBody;
}

it('the model of these tests is a valid description', () => {
  expect(modelDescription.safeParse(MODEL).error).toBeUndefined();
});

describe('a sound graph has no errors', () => {
  it('the tutorial', () => {
    const nodes = [read(out('h.1')), save(0), read(out('h.0')), save(2), stop(out('h.0'))];
    const { errors, warnings } = check(nodes);
    expect(errors).toEqual([]);
    expect(warnings).toEqual([
      {
        code: 'behind_stop',
        message: 'h.1.output will not be reached: the pass stops at h.0.output.',
        node: 0,
        path: 'h.1',
      },
    ]);
  });

  it('every kind of node', () => {
    expect(
      faults(
        read(out('h.0')),
        member(0, 0),
        constant('float32'),
        op('Mul', [1, 2]),
        write(out('h.0', 0), 3),
        parameter(),
        op('Gemm', [5, 5], { transB: 1 }),
        apply('h.1', 3),
        { kind: 'log', text: 'seen', value: 7 },
        save(0),
        stop(out('h.1')),
      ),
    ).toEqual([]);
  });

  it('a log alone is enough to show', () => {
    expect(check([{ kind: 'log', text: 'hello' }]).errors).toEqual([]);
  });

  it('the whole model’s output', () => {
    expect(faults(read(out('')), stop(out('')))).toEqual([]);
  });
});

describe('places', () => {
  it('unknown_module gives the nearest path', () => {
    expect(only('unknown_module', read(out('h.0.atn')), save(0))).toMatchObject({
      node: 0,
      path: 'h.0.atn',
      nearest: 'h.0.attn',
      message: 'tiny has no module "h.0.atn". Did you mean h.0.attn?',
    });
    expect(only('unknown_module', read(out('something.else')), save(0)).nearest).toBeUndefined();
    expect(only('unknown_module', read(out('h.0.attn_dropout')), save(0)).message).toMatch(
      /leave dropout out/,
    );
  });

  it('no_hook: a list of blocks, a module that vanished, a port that is not there', () => {
    expect(only('no_hook', read(out('h')), save(0)).message).toContain('holds modules but is none itself');
    expect(only('no_hook', read(out('h.0.drop')), save(0)).message).toBe(
      'h.0.drop.output can’t be hooked: it does nothing when the model runs.',
    );
    expect(only('no_hook', read(into('wte')), save(0)).message).toBe(
      'wte.input can’t be hooked: it has no input.',
    );
  });

  it('member 0 of a single output is itself; another is not_a_tuple', () => {
    expect(faults(read(out('h.1', 0)), write(out('h.1', 0), 0))).toEqual([]);
    expect(only('not_a_tuple', read(out('h.1', 1)), save(0))).toMatchObject({ wanted: '0 to 0', got: '1' });
    expect(only('not_a_tuple', read(out('h.0', 3)), save(0)).message).toBe(
      'h.0.output has 3 members, so no [3].',
    );
  });

  it('behind_stop speaks of reads and writes, from the earliest stop on', () => {
    const nodes = [
      stop(out('h.1')),
      stop(out('h.0')),
      read(into('h.1')),
      write(out('h.1'), 2),
      read(out('h.0')),
      save(4),
    ];
    expect(check(nodes).warnings.map(({ node }) => node)).toEqual([2, 3]);
    expect(check([stop(out('h.0')), read(into('h.0')), save(1)]).warnings).toEqual([]);
    expect(check([read(out('h.1')), save(0)]).warnings).toEqual([]);
  });
});

describe('references', () => {
  it('bad_reference: itself, a later node, none, a node without a value', () => {
    expect(faults(save(0))).toEqual(['bad_reference@0']);
    expect(faults(save(2), read(out('wte')))).toEqual(['bad_reference@0']);
    expect(faults(save(99))).toEqual(['bad_reference@0']);
    expect(faults(read(out('wte')), save(0), save(1))).toEqual(['bad_reference@2']);
    expect(only('bad_reference', stop(out('h.0')), member(0, 0), save(1)).message).toBe(
      'Node 1 refers to node 0, but node 0 (stop) has no value.',
    );
  });

  it('is told once for one operand used twice', () => {
    expect(faults(op('Add', [7, 7]))).toEqual(['bad_reference@0']);
  });
});

describe('parameters', () => {
  it('unknown_parameter gives the nearest name', () => {
    expect(only('unknown_parameter', parameter('wte.wight'), save(0)).nearest).toBe('wte.weight');
    expect(only('unknown_parameter', parameter('toString'), save(0)).nearest).toBeUndefined();
  });
});

describe('writes', () => {
  it('tuple_value: to a whole tuple, of a whole tuple', () => {
    expect(only('tuple_value', read(out('wte')), write(out('h.0'), 0), save(0)).message).toContain(
      'Write one member: h.0.output[0].',
    );
    expect(only('tuple_value', read(out('h.0')), write(out('h.1'), 0), save(0)).message).toContain(
      '[0] for the one that flows on',
    );
  });

  it('wrong_dtype', () => {
    expect(only('wrong_dtype', constant('float64'), write(out('h.1'), 0), save(0))).toMatchObject({
      node: 1,
      path: 'h.1',
      wanted: 'float32',
      got: 'float64',
    });
  });

  it('write_order: a later value to an earlier place, however it was computed', () => {
    expect(faults(read(out('h.1')), write(out('wte'), 0))).toEqual(['write_order@1']);
    expect(faults(read(out('h.0')), member(0, 0), write(into('h.0'), 1))).toEqual(['write_order@2']);
    expect(faults(read(out('h.1')), constant('float32'), op('Add', [0, 1]), write(out('h.0', 0), 2))).toEqual(
      ['write_order@3'],
    );
    expect(faults(read(out('h.1')), apply('h.1', 0), write(out('wte'), 1))).toEqual(['write_order@2']);
  });

  it('to the same or a later place is fine', () => {
    expect(
      faults(read(out('h.0', 0)), write(out('h.0', 0), 0), write(into('h.1'), 0), write(out('h.1'), 0)),
    ).toEqual([]);
    expect(faults(constant('float32', [1, 4, 64]), write(out('wte'), 0))).toEqual([]);
    expect(faults(parameter(), write(out('wte'), 0, []))).toEqual([]);
  });

  it.each<readonly [Selection, string]>([
    [[0, 0, 64], 'axis 2 has 64 indices, so no 64'],
    [[0, 0, -65], 'so no -65'],
    [[0, 0, 0, 0], '4 entries, and it has 3 axes'],
    [[{ step: 0 }], 'axis 0 has step 0'],
    [[0, {}, { indices: [0, 63, 64] }], 'axis 2 has 64 indices, so no 64'],
    [[0, {}, { indices: [-65] }], 'so no -65'],
  ])('bad_selection %j', (selection, message) => {
    expect(
      only('bad_selection', constant('float32'), write(out('h.1'), 0, selection), save(0)).message,
    ).toContain(message);
  });

  it.each<Selection>([[], [0], [1000, -1000, 63], [{}, {}, -64], [{ start: 0, end: 99, step: -2 }]])(
    'the selection %j may fit',
    (...selection) => {
      expect(faults(constant('float32'), write(out('h.1'), 0, selection))).toEqual([]);
    },
  );
});

describe('dims', () => {
  const fault = (...nodes: GraphNode[]): readonly (string | undefined)[] => {
    const [error] = check([...nodes, save(0)]).errors;
    return [error?.code, error?.wanted, error?.got];
  };
  it.each<readonly [string, readonly number[], Selection | undefined]>([
    ['another rank for a whole place', [64], undefined],
    ['another size for a whole place', [1, 4, 63], undefined],
    ['what broadcasts to a selection no more', [63], []],
    ['more axes than the selection keeps', [1, 1, 64], [0]],
    ['more than the list has indices', [3], [0, 0, { indices: [1, 2] }]],
  ])('%s', (_, dims, selection) => {
    const [code, wanted, got] = fault(constant('float32', dims), write(out('h.1'), 0, selection));
    expect(code).toBe('wrong_dims');
    expect(wanted).toMatch(/^\[/);
    expect(got).toBe(`[${dims.join(', ')}]`);
  });

  it.each<readonly [readonly number[], Selection | undefined]>([
    [[1, 4, 64], undefined],
    [[7, 9, 64], undefined],
    [[], []],
    [[64], []],
    [[2], [0, 0, { indices: [1, 2] }]],
    [[5, 1], [0]],
    [[61], [0, 0, { start: 3 }]],
    [[17], [0, { start: 3 }, 0]],
  ])('%j may fit %j', (dims, selection) => {
    expect(fault(constant('float32', dims), write(out('h.1'), 0, selection))[0]).toBeUndefined();
  });
});

describe('masks', () => {
  it('a mask is bool and fits, and exists in time', () => {
    const F = constant('float32');
    const at = out('h.1');
    expect(faults(F, constant('bool', [64]), write(at, 0, undefined, 1))).toEqual([]);
    expect(faults(F, constant('bool', [4, 1]), write(at, 0, [0], 1))).toEqual([]);
    expect(only('wrong_dtype', F, constant('float32', [64]), write(at, 0, [], 1), save(0))).toMatchObject({
      node: 2,
      path: 'h.1',
      wanted: 'bool',
      got: 'float32',
    });
    expect(only('wrong_dims', F, constant('bool', [63]), write(at, 0, [], 1), save(0)).message).toContain(
      'mask',
    );
    expect(faults(F, read(at), op('Greater', [1, 0]), write(out('wte'), 0, [], 2))).toEqual([
      'write_order@3',
    ]);
    expect(faults(F, read(out('h.0')), write(at, 0, [], 1))).toEqual(['tuple_value@2']);
    expect(faults(F, write(at, 0, [], 9))).toEqual(['bad_reference@1']);
  });
});

describe('inputs by member', () => {
  it('the first flows in, the others have their numbers', () => {
    const mask: Place = { module: 'h.0.attn', port: 'input', member: 1 };
    expect(faults(read(mask), op('Not', [0]), write(mask, 1))).toEqual([]);
    expect(only('wrong_dtype', read(into('h.0.attn')), op('Not', [0]), save(1)).got).toBe('float32');
    expect(only('not_a_tuple', read({ ...mask, member: 2 }), save(0))).toMatchObject({
      wanted: '0 to 1',
      got: '2',
    });
    expect(only('no_hook', read({ module: 'wte', port: 'input', member: 0 }), save(0)).node).toBe(0);
  });
});

describe('sources', () => {
  const probabilities = source('h.0.attn', 'probabilities');
  it('are read and written like other places', () => {
    expect(faults(read(probabilities), write(probabilities, 0))).toEqual([]);
    expect(faults(read({ ...probabilities, member: 0 }))).toEqual([]);
    expect(faults(read(out('h.0.attn', 0)), write(probabilities, 0))).toEqual([
      'wrong_dims@1',
      'write_order@1',
    ]);
    expect(faults(read({ ...probabilities, member: 1 }))).toEqual(['not_a_tuple@0']);
  });

  it('unknown_source gives the nearest, or where it is made', () => {
    expect(only('unknown_source', read(source('h.0.attn', 'probabilites')), save(0))).toMatchObject({
      node: 0,
      path: 'h.0.attn',
      nearest: 'probabilities',
    });
    const elsewhere = only('unknown_source', read(source('h.0', 'probabilities')), save(0));
    expect(elsewhere).toMatchObject({ nearest: 'h.0.attn' });
    expect(elsewhere.message).toContain('made in h.0.attn');
    expect(faults(read(source('h.7', 'probabilities')))).toEqual(['unknown_module@0']);
    expect(faults(read(source('h.0.attn', '__proto__')))).toEqual(['unknown_source@0']);
  });
});

describe('skips', () => {
  const F = constant('float32', [1, 4, 64]);
  const flat = (nodes: readonly GraphNode[], which: 'errors' | 'warnings'): string[] =>
    check([...nodes, save(0)])[which].map(({ code, node }) => `${code}@${node}`);

  it('take a tensor for the first output, or a tuple of all', () => {
    expect(faults(F, skip('h.1', 0))).toEqual([]);
    expect(faults(F, skip('h.0', 0))).toEqual([]);
    expect(faults(read(into('h.1')), skip('h.1', 0))).toEqual([]);
    expect(faults(read(out('h.0')), skip('h.1', 0))).toEqual(['tuple_value@1']);
  });

  it('refuse a value of another dtype or dims, or one that comes too late', () => {
    expect(only('wrong_dtype', constant('int64', [1, 4, 64]), skip('h.1', 0), save(0))).toMatchObject({
      node: 1,
      path: 'h.1',
      wanted: 'float32',
      got: 'int64',
    });
    expect(only('wrong_dims', constant('float32', [1, 4, 63]), skip('h.1', 0), save(0)).got).toBe(
      '[1, 4, 63]',
    );
    expect(faults(constant('float32'), skip('h.1', 0))).toEqual(['wrong_dims@1']);
    expect(faults(read(out('h.1')), skip('h.1', 0))).toEqual(['write_order@1']);
    expect(faults(read(out('h.0.attn', 0)), skip('h.0', 0))).toEqual(['write_order@1', 'inside_skip@1']);
    expect(faults(F, skip('wte', 0))).toEqual(['no_hook@1']);
    expect(faults(F, skip('h.9', 0))).toEqual(['unknown_module@1']);
    expect(faults(F, skip('h.0.drop', 0))).toEqual(['no_hook@1']);
    expect(faults(skip('h.1', 1))).toEqual(['bad_reference@0']);
  });

  it('silence the hooks inside, and warn of them', () => {
    const nodes = [
      F,
      skip('h.0', 0),
      read(out('h.0.attn')),
      read(source('h.0.attn', 'scores')),
      read(into('h.0')),
      read(out('h.0')),
    ];
    expect(flat(nodes, 'warnings')).toEqual(['inside_skip@2', 'inside_skip@3']);
    expect(flat([F, skip('h.0.attn', 0), skip('h.0', 0)], 'warnings')).toEqual(['inside_skip@1']);
    expect(flat([F, skip('h.0', 0), write(into('h.0'), 0)], 'warnings')).toEqual(['inside_skip@2']);
    expect(flat([F, skip('h.1', 0), stop(out('h.0'))], 'warnings')).toEqual(['behind_stop@1']);
  });

  it('contradict a stop inside, a second skip, and whoever needs a value from inside', () => {
    expect(flat([F, skip('h.0', 0), stop(out('h.0.attn'))], 'errors')).toEqual(['inside_skip@2']);
    expect(flat([F, skip('h.0', 0), stop(out('h.0'))], 'errors')).toEqual([]);
    expect(flat([F, skip('h.0', 0), skip('h.0', 0)], 'errors')).toEqual(['inside_skip@2']);
    const inside = [F, skip('h.0', 0), read(out('h.0.attn', 0)), op('Neg', [2])];
    expect(flat([...inside, write(out('h.1'), 3)], 'errors')).toEqual(['inside_skip@4']);
    expect(flat([...inside, save(3)], 'errors')).toEqual([]);
  });

  it('are looked up, not searched for, among many', () => {
    const many = Array.from({ length: 20_000 }, (_, index) =>
      index % 2 ? skip('h.0', 0) : read(out('h.0.attn')),
    );
    expect(check([F, ...many]).errors).toHaveLength(100);
  });
});

describe('operators', () => {
  const F = constant('float32');

  it('unknown_operator gives the nearest', () => {
    expect(only('unknown_operator', F, op('Softmx', [0]), save(1))).toMatchObject({
      node: 1,
      nearest: 'Softmax',
    });
    expect(faults(F, op('constructor', [0]))).toEqual(['unknown_operator@1']);
  });

  it('bad_arity', () => {
    expect(only('bad_arity', F, op('Add', [0]), save(1))).toMatchObject({ wanted: '2', got: '1' });
    expect(only('bad_arity', F, op('Exp', [0, 0]), save(1))).toMatchObject({ wanted: '1', got: '2' });
    expect(faults(F, op('Concat', [], { axis: 0 }))).toEqual(['bad_arity@1']);
    expect(only('bad_arity', F, op('Slice', [0, 0]), save(1)).wanted).toBe('3 to 5');
    expect(faults(F, op('ReduceSum', [0]))).toEqual([]);
  });

  it('bad_attribute and unknown_attribute', () => {
    expect(only('bad_attribute', F, op('Concat', [0]), save(1))).toMatchObject({
      path: 'Concat.axis',
      wanted: 'int',
    });
    expect(only('bad_attribute', F, op('Softmax', [0], { axis: 'x' }), save(1)).path).toBe('Softmax.axis');
    expect(only('bad_attribute', F, op('Cast', [0], { to: 16 }), save(1)).message).toContain('no dtype');
    expect(only('unknown_attribute', F, op('Softmax', [0], { axes: 1 }), save(1)).nearest).toBe('axis');
  });

  it('wrong_dtype: one variable, one dtype', () => {
    expect(only('wrong_dtype', F, constant('int64'), op('Add', [0, 1]), save(2))).toMatchObject({
      node: 2,
      path: 'Add',
      wanted: 'float32',
      got: 'int64',
    });
    expect(faults(constant('bool'), op('Neg', [0]))).toEqual(['wrong_dtype@1']);
    expect(faults(F, op('Gather', [0, 0]))).toEqual(['wrong_dtype@1']);
    expect(faults(F, constant('int32'), op('TopK', [0, 1]))).toEqual(['wrong_dtype@2']);
    expect(faults(F, op('Where', [0, 0, 0]))).toEqual(['wrong_dtype@1']);
    expect(faults(F, constant('bool'), constant('int64'), op('Where', [1, 0, 2]))).toEqual(['wrong_dtype@3']);
  });

  it('tuple_value says [0], and where', () => {
    expect(only('tuple_value', read(out('h.0')), F, op('Add', [0, 1]), save(2))).toMatchObject({
      node: 2,
      path: 'h.0',
      wanted: 'a tensor',
      got: 'a tuple',
      message:
        'Input 0 of Add, h.0.output, is a tuple of 3 values, and a tensor is wanted. Use h.0.output[0] for the one that flows on.',
    });
  });

  it('types flow: TopK is a tuple, Where and Cast give what they say', () => {
    expect(
      faults(read(out('wte')), constant('int64', [1]), op('TopK', [0, 1]), member(2, 1), op('Add', [3, 1])),
    ).toEqual([]);
    expect(faults(read(out('wte')), constant('int64', [1]), op('TopK', [0, 1]), op('Exp', [2]))).toEqual([
      'tuple_value@3',
    ]);
    expect(faults(F, op('Greater', [0, 0]), op('Where', [1, 0, 0]), op('Exp', [2]))).toEqual([]);
    expect(faults(F, op('Cast', [0], { to: 7 }), op('Add', [1, 0]))).toEqual(['wrong_dtype@2']);
  });

  it('not_a_tuple', () => {
    expect(faults(F, member(0, 0), op('Exp', [1]))).toEqual([]);
    expect(only('not_a_tuple', F, member(0, 1), save(1)).got).toBe('1');
    expect(only('not_a_tuple', read(out('h.0')), member(0, 3), save(1))).toMatchObject({
      wanted: '0 to 2',
      got: '3',
    });
  });
});

describe('apply', () => {
  it('cannot_apply, unknown_module, wrong_dtype, tuple_value', () => {
    expect(faults(constant('float32'), apply('wte', 0))).toEqual(['cannot_apply@1']);
    expect(faults(constant('float32'), apply('h.0.drop', 0))).toEqual(['cannot_apply@1']);
    expect(faults(constant('float32'), apply('h.5', 0))).toEqual(['unknown_module@1']);
    expect(faults(constant('float32'), apply('count', 0))).toEqual(['wrong_dtype@1']);
    expect(faults(read(out('h.0')), apply('h.1', 0))).toEqual(['tuple_value@1']);
  });

  it('gives the module’s first output, without making the value later', () => {
    expect(faults(read(out('wte')), apply('h.0', 0), op('Exp', [1]), write(out('wte'), 1))).toEqual([]);
    expect(faults(constant('int64'), apply('count', 0), op('Exp', [1]))).toEqual(['wrong_dtype@2']);
  });
});

describe('inputs', () => {
  const codes = (ids: readonly number[]): string[] =>
    check([read(out('wte')), save(0)], { ids }).errors.map(({ code }) => code);

  it('token ids are checked as far as the description tells', () => {
    expect(codes([0, 99])).toEqual([]);
    expect(codes([])).toEqual(['empty_input']);
    expect(codes([100])).toEqual(['token_out_of_range']);
    expect(codes([0, 0, 0, 0, 0])).toEqual(['input_too_long']);
    expect(codes([0, 0, 0, 0, 2 ** 53 - 1])).toEqual(['input_too_long', 'token_out_of_range']);
  });
});

describe('all at once', () => {
  it('reports each fault of a graph, and none twice', () => {
    expect(
      faults(
        read(out('nowhere')),
        op('Exp', [0]),
        save(1),
        parameter('no'),
        write(out('alsonowhere'), 0),
        apply('not.there', 3),
        op('Nope', [0]),
        op('Softmax', [0], { axes: 1 }),
        op('Add', [0]),
        op('Concat', [0, 99], { axis: 0 }),
        member(0, 5),
        write(out('h.1'), 10),
        { kind: 'log', value: 11 },
      ),
    ).toEqual([
      'unknown_module@0',
      'unknown_parameter@3',
      'unknown_module@4',
      'unknown_module@5',
      'unknown_operator@6',
      'unknown_attribute@7',
      'bad_arity@8',
      'bad_reference@9',
      'bad_reference@12',
    ]);
  });

  it('nothing_saved comes only when nothing else is wrong', () => {
    expect(only('nothing_saved').node).toBeUndefined();
    expect(only('nothing_saved', stop(out('h.0'))).code).toBe('nothing_saved');
    expect(only('unknown_module', read(out('nowhere'))).code).toBe('unknown_module');
  });

  it('at most 100 errors and warnings, soon', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => read(out(`${'x'.repeat(20)}${index}.attn`)));
    const began = performance.now();
    expect(check(many).errors.length).toBe(100);
    expect(performance.now() - began).toBeLessThan(1000);
    const behind = Array.from({ length: 200 }, () => read(out('h.1')));
    expect(check([stop(out('wte')), ...behind, save(1)]).warnings.length).toBe(100);
  });

  it('a recorder sees which node made an error', () => {
    const checker = new GraphChecker(INDEX);
    expect(checker.add(read(out('h.0')))).toMatchObject({ kind: 'tuple', members: { length: 3 } });
    expect(checker.errors.length).toBe(0);
    expect(checker.add(read(out('h.7')))).toEqual({ kind: 'unknown' });
    expect(checker.errors.length).toBe(1);
    expect(checker.add(member(0, 1))).toEqual({
      kind: 'tensor',
      dtype: 'float32',
      dims: ['batch', 'sequence', 64],
    });
    expect(checker.add(save(0))).toEqual({ kind: 'none' });
  });
});

it('a deep chain of nodes costs no stack', () => {
  const chain = Array.from({ length: 50_000 }, (_, index) =>
    index === 0 ? constant('float32') : op('Exp', [index - 1]),
  );
  expect(faults(...chain)).toEqual([]);
});
