import { describe, expect, it } from 'vitest';
import { checkGraph } from './check.ts';
import { batchFault } from './check-invokes.ts';
import type { ModelDescription, PortDescription } from './description.ts';
import type { GraphNode, Input, Place } from './graph.ts';
import { ModelIndex } from './model-index.ts';

const port = (name: string, ...dims: (number | string)[]): PortDescription => ({
  name,
  dtype: 'float32',
  dims,
});
const flat: PortDescription = { ...port('flat', 'batch * sequence', 8), mixed: true };

const MODEL: ModelDescription = {
  name: 'tiny',
  id: 'sha256:0',
  architecture: 'Tiny',
  exporter: 'other',
  opset: 21,
  contextLength: 4,
  vocabularySize: 10,
  blocks: [],
  modules: [
    { path: 'positions', order: { output: 0 }, inputs: [], outputs: [port('p', 1, 'sequence', 8)] },
    { path: 'a', order: { output: 1 }, inputs: [], outputs: [port('a', 'batch', 'sequence', 8)] },
    { path: 'router', order: { output: 2 }, inputs: [], outputs: [port('r', 'batch', 'sequence', 8), flat] },
    {
      path: 'b',
      order: { input: 3, output: 4 },
      inputs: [port('a', 'batch', 'sequence', 8)],
      outputs: [port('b', 'batch', 'sequence', 8)],
    },
  ],
  parameters: [],
};
const INDEX = new ModelIndex(MODEL);
const IDS: Input = { ids: [1, 2] };

/** `1: a` is the output of `a` in invoke 1; `router[1]` a member. */
function at(text: string): Place {
  const [, invoke, module = '', member] = /^(?:(\d+): )?(\w+)(?:\[(\d)\])?$/.exec(text) ?? [];
  return {
    module,
    port: 'output',
    ...(member === undefined ? {} : { member: Number(member) }),
    ...(invoke === undefined ? {} : { invoke: Number(invoke) }),
  };
}
const read = (place: string): GraphNode => ({ kind: 'read', place: at(place) });
const write = (place: string, value: number): GraphNode => ({ kind: 'write', place: at(place), value });
const stop = (place: string): GraphNode => ({ kind: 'stop', place: at(place) });
const save = (value: number): GraphNode => ({ kind: 'save', value });

const check = (nodes: readonly GraphNode[], inputs: readonly Input[] = [IDS, IDS]) =>
  checkGraph({ invokes: inputs.map((input) => ({ input })), nodes }, INDEX);
const faults = (...nodes: GraphNode[]): string[] =>
  check([...nodes, read('a'), save(nodes.length)]).errors.map(({ code, node }) => `${code}@${node}`);

describe('values between invokes', () => {
  it.each<[string, string, string[]]>([
    ['0: a', '1: b', []],
    ['1: a', '0: b', []],
    ['0: a', '1: a', []],
    ['1: a', '0: a', ['write_order@1']],
    ['0: b', '1: a', ['write_order@1']],
    ['1: b', '0: a', ['write_order@1']],
    ['1: a', '1: a', []],
  ])('from %s to %s', (from, to, errors) => {
    expect(faults(read(from), write(to, 0))).toEqual(errors);
  });

  it('say whether the module or the invoke is the later one', () => {
    const message = (from: string, to: string) =>
      check([read(from), write(to, 0), save(0)]).errors[0]?.message;
    expect(message('1: a', '0: a')).toBe(
      'The value written to a.output comes from a.output of invoke 1, which is of a later invoke, so it can’t exist in time.',
    );
    expect(message('0: b', '1: a')).toBe(
      'The value written to a.output of invoke 1 comes from b.output, which is of a later module, so it can’t exist in time.',
    );
  });

  it('never come where they stand behind the stop of their own', () => {
    expect(faults(read('0: b'), write('1: b', 0), stop('0: a'))).toEqual(['bad_reference@1']);
    expect(faults(read('0: b'), write('1: b', 0), stop('0: a'), stop('1: a'))).toEqual([]);
    expect(faults(read('0: a'), write('1: b', 0), stop('0: a'))).toEqual([]);
  });
});

describe('places in a batch', () => {
  it('are of an invoke that there is', () => {
    expect(faults(read('2: a'))).toEqual(['bad_reference@0']);
    expect(check([read('1: a'), save(0)], [IDS]).errors).toMatchObject([
      { code: 'bad_reference', wanted: 'below 1', got: '1' },
    ]);
  });

  it('that mix the rows can’t be hooked, by any invoke; alone they can', () => {
    expect(faults(read('0: router[1]'))).toEqual(['mixed_rows@0']);
    expect(faults(read('1: router'))).toEqual(['mixed_rows@0']);
    expect(faults(read('1: router[0]'))).toEqual([]);
    expect(faults(read('a'), write('1: router[1]', 0))).toEqual(['wrong_dims@1', 'mixed_rows@1']);
    expect(check([read('router'), save(0)], [IDS]).errors).toEqual([]);
  });

  it('that all prompts share can be read, not written', () => {
    expect(faults(read('1: positions'))).toEqual([]);
    expect(faults(read('1: positions'), write('1: positions', 0))).toEqual(['mixed_rows@1']);
    expect(check([read('positions'), write('positions', 0), save(0)], [IDS]).errors).toEqual([]);
  });

  it('stand behind the stop of their own invoke only', () => {
    const { errors, warnings } = check([read('0: b'), read('1: b'), save(0), save(1), stop('1: a')]);
    expect(errors).toEqual([]);
    expect(warnings).toMatchObject([
      {
        node: 1,
        message: 'b.output of invoke 1 will not be reached: its invoke stops at a.output of invoke 1.',
      },
    ]);
  });
});

it('every invoke’s input is checked, and the errors say which', () => {
  const { errors } = check([read('a'), save(0)], [{ ids: [] }, { ids: [1, 2, 3, 4, 5] }, { ids: [10] }]);
  expect(errors.map(({ code, path }) => [code, path])).toEqual([
    ['empty_input', undefined],
    ['input_too_long', 'graph.invokes.1.input'],
    ['token_out_of_range', 'graph.invokes.2.input'],
  ]);
});

it('a batch is as large as its padding makes it', () => {
  expect(batchFault([4, 1, 1], 12)).toBeUndefined();
  expect(batchFault([4, 1, 1], 11)).toMatchObject({
    code: 'input_too_long',
    path: 'graph.invokes',
    wanted: 'at most 11',
    got: '12',
  });
  // One prompt has the model's context as its limit.
  expect(batchFault([100], 11)).toBeUndefined();
});
