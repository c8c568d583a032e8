/** What a tired exporter and a hostile hand send as a function: each gets an error with the place in the file and advice. */
import { readFunction } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { encodeModel, type ModelProto } from '../server/src/engine/onnx/schema.ts';
import { type FunctionParts, functionBytes, functionModel, op } from './support/function-file.ts';
import { Random } from './support/random.ts';

const LIMITS = { nodes: 100 };
const W = { dims: [4, 2], data: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]) };
const PROBE: FunctionParts = {
  inputs: { h: ['n', 4] },
  outputs: { y: ['n', 2] },
  weights: { W },
  nodes: [op('MatMul', ['h', 'W'], ['a']), op('Relu', ['a'], ['y'])],
};
const errorsOf = (bytes: Uint8Array) => readFunction(bytes, LIMITS).errors;
const changed = (change: (model: ModelProto) => void): Uint8Array => {
  const model = functionModel(PROBE);
  change(model);
  return encodeModel(model);
};
const [FLOAT, INT] = [1, 2];
const initializer = (change: object) => (model: ModelProto) =>
  Object.assign(model.graph.initializer[0] as object, change);

describe('a function', () => {
  it('is read with its ports, and its outputs’ dims are known', () => {
    const { body, errors } = readFunction(functionBytes(PROBE), LIMITS);
    expect(errors).toEqual([]);
    expect(body?.inputs).toEqual([{ name: 'h', dtype: 'float32', dims: ['n', 4] }]);
    expect(body?.outputs).toEqual([{ name: 'y', dtype: 'float32', dims: ['n', 2] }]);
    expect(body?.nodes.map(({ kind }) => kind)).toEqual(['constant', 'operator', 'operator']);
  });

  it('may keep numbers in nodes, in packed fields, and say nothing of its outputs', () => {
    const bytes = changed(({ graph }) => {
      graph.output = [{ name: 'y' }];
      const [first] = graph.initializer;
      if (first) Object.assign(first, { raw_data: new Uint8Array(), float_data: [1, 2, 3, 4, 5, 6, 7, 8] });
      graph.node.splice(1, 0, {
        ...op('Constant', [], ['k']),
        attribute: [{ name: 'value_float', type: FLOAT, f: 2 }],
      });
      graph.node[2] = op('Mul', ['a', 'k'], ['y']);
    });
    const { body, errors } = readFunction(bytes, LIMITS);
    expect(errors).toEqual([]);
    expect(body?.outputs).toEqual([{ name: 'y', dtype: 'float32', dims: ['n', 2] }]);
    expect([...(body?.constants.values() ?? [])].map(({ data }) => [...data])).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [2],
    ]);
  });
});

describe('is refused, with the place in the file:', () => {
  it.each<[string, (model: ModelProto) => void, string, string, RegExp]>([
    [
      'an operator that is not on the list',
      ({ graph }) => {
        graph.node[1] = op('Relux', ['a'], ['y']);
      },
      'unknown_operator',
      'Relux',
      /graph\.node\.1.*Did you mean Relu\?/,
    ],
    [
      'control flow',
      ({ graph }) => {
        graph.node[1] = op('If', ['a'], ['y']);
      },
      'unknown_operator',
      'If',
      /no operator "If"/,
    ],
    [
      'an operator of another domain',
      ({ graph }) => {
        graph.node[1] = { ...op('Relu', ['a'], ['y']), domain: 'com.example' };
      },
      'unknown_operator',
      'com.example.Relu',
      /com\.example/,
    ],
    [
      'another operator set',
      (model) => {
        model.opset_import = [{ domain: '', version: 18 }];
      },
      'bad_function',
      'opset_import',
      /18.*must be 21.*opset_version=21/,
    ],
    [
      'functions of its own',
      (model) => {
        model.functions = [{ name: 'f', domain: 'd' }];
      },
      'bad_function',
      'functions',
      /Inline them/,
    ],
    [
      'external data',
      initializer({
        raw_data: new Uint8Array(),
        data_location: 1,
        external_data: [{ key: 'location', value: '/etc/passwd' }],
      }),
      'bad_function',
      'graph.initializer.0 (W)',
      /external_data=False/,
    ],
    [
      'a graph within it',
      ({ graph }) => {
        graph.node[1] = {
          ...op('Relu', ['a'], ['y']),
          attribute: [{ name: 'body', type: 5, g: functionModel(PROBE).graph }],
        };
      },
      'bad_function',
      'graph.node.1',
      /holds a graph/,
    ],
    [
      'bytes that its dims don’t say',
      initializer({ dims: [4, 3] }),
      'bad_function',
      'graph.initializer.0 (W)',
      /48 bytes, and has 32/,
    ],
    [
      'dims beyond all memory',
      initializer({ dims: [2 ** 31 - 1, 2 ** 31 - 1] }),
      'bad_function',
      'graph.initializer.0 (W)',
      /has 32 bytes/,
    ],
    [
      'dims beyond all memory, of packed integers',
      initializer({ dims: [2 ** 30], data_type: 7, raw_data: new Uint8Array(), int64_data: [1] }),
      'bad_function',
      'graph.initializer.0 (W)',
      /elements at most/,
    ],
    ['a negative dim', initializer({ dims: [-4, -2] }), 'bad_function', 'graph.initializer.0 (W)', /-4/],
    [
      'strings',
      initializer({ data_type: 8 }),
      'bad_function',
      'graph.initializer.0 (W)',
      /data type 8 doesn’t cross/,
    ],
    ['bfloat16', initializer({ data_type: 16 }), 'bad_function', 'graph.initializer.0 (W)', /data type 16/],
    [
      'a bool that is 7',
      initializer({ data_type: 9, dims: [1], raw_data: Uint8Array.of(7) }),
      'bad_function',
      'graph.initializer.0 (W)',
      /neither 0 nor 1/,
    ],
    [
      'data in two places',
      initializer({ float_data: [1] }),
      'bad_function',
      'graph.initializer.0 (W)',
      /raw_data and float_data/,
    ],
    [
      'a number too large for its dtype',
      initializer({ data_type: 2, dims: [1], raw_data: new Uint8Array(), int32_data: [256] }),
      'bad_function',
      'graph.initializer.0 (W)',
      /256, is no uint8/,
    ],
    [
      'a name that nothing makes',
      ({ graph }) => {
        graph.node[1] = op('Relu', ['b'], ['y']);
      },
      'bad_function',
      'graph.node.1',
      /nothing makes "b"/,
    ],
    [
      'a cycle',
      ({ graph }) => {
        graph.node[0] = op('MatMul', ['y', 'W'], ['a']);
      },
      'bad_function',
      'graph.node.0',
      /made by graph\.node\.1.*without cycles/,
    ],
    [
      'a value with two makers',
      ({ graph }) => {
        graph.node[1] = op('Relu', ['a'], ['a']);
      },
      'bad_function',
      'graph.node.1',
      /"a" is made twice/,
    ],
    [
      'an output that is there twice',
      ({ graph }) => {
        graph.output.push(...graph.output);
      },
      'bad_function',
      'graph.output.1',
      /twice/,
    ],
    [
      'no output',
      ({ graph }) => {
        graph.output = [];
      },
      'bad_function',
      'graph.output',
      /0 outputs/,
    ],
    [
      'an input that is no tensor',
      ({ graph }) => {
        graph.input = [{ name: 'h' }];
      },
      'bad_function',
      'graph.input.0',
      /no tensor type/,
    ],
    [
      'an input left out in the middle',
      ({ graph }) => {
        graph.node[1] = op('Clip', ['a', '', 'W'], ['y']);
      },
      'bad_function',
      'graph.node.1',
      /at the end only/,
    ],
    [
      'dims that don’t go together',
      ({ graph }) => {
        graph.node[0] = op('MatMul', ['W', 'W'], ['a']);
      },
      'wrong_dims',
      'MatMul',
      /graph\.node\.0/,
    ],
    [
      'dtypes that don’t go together',
      ({ graph }) => {
        graph.node[1] = op('Not', ['a'], ['y']);
      },
      'wrong_dtype',
      'Not',
      /graph\.node\.1/,
    ],
    [
      'too few inputs',
      ({ graph }) => {
        graph.node[1] = op('Add', ['a'], ['y']);
      },
      'bad_arity',
      'Add',
      /graph\.node\.1/,
    ],
    [
      'an attribute that there isn’t',
      ({ graph }) => {
        graph.node[1] = { ...op('Relu', ['a'], ['y']), attribute: [{ name: 'alpha', type: INT, i: 1 }] };
      },
      'unknown_attribute',
      'Relu.alpha',
      /graph\.node\.1/,
    ],
    [
      'axes as an attribute, as older operator sets have them',
      ({ graph }) => {
        const attribute = [{ name: 'axes', type: 7, ints: [0] }];
        graph.node[1] = { ...op('Unsqueeze', ['a'], ['y']), attribute };
      },
      'bad_arity',
      'Unsqueeze',
      /Unsqueeze takes 2 inputs/,
    ],
    [
      'more nodes than a graph may have',
      ({ graph }) => {
        graph.node = Array.from({ length: 101 }, (_, index) => op('Relu', ['a'], [`y${index}`]));
      },
      'bad_function',
      'graph.node',
      /101 nodes/,
    ],
  ])('%s', (_, change, code, path, message) => {
    const [error] = errorsOf(changed(change));
    expect(error).toMatchObject({ code, path, message: expect.stringMatching(message) as unknown });
  });

  it('a file that is none, or cut off, or of millions of parts', () => {
    expect(errorsOf(new Uint8Array())).toMatchObject([{ code: 'bad_function', path: 'graph' }]);
    expect(errorsOf(new TextEncoder().encode('import torch\n'))).toMatchObject([{ code: 'bad_function' }]);
    const whole = functionBytes(PROBE);
    for (let length = 1; length < whole.byteLength; length++)
      expect(errorsOf(whole.subarray(0, length))[0]?.code, String(length)).toBe('bad_function');
    const empties = new Uint8Array(600_000).map((_, index) => (index % 2 === 0 ? 0x0a : 0));
    const head = Uint8Array.of(0x3a, 0xc0, 0xcf, 0x24);
    const many = new Uint8Array([...head, ...empties]);
    expect(errorsOf(many)).toMatchObject([{ message: expect.stringMatching(/more than 200000 parts/) }]);
  });

  it('all that is wrong at once, and nothing that only follows from it', () => {
    const bytes = changed(({ graph }) => {
      graph.node = [op('Nope', ['h'], ['a']), op('Relu', ['a'], ['y']), op('Not', ['gone'], ['z'])];
    });
    expect(errorsOf(bytes).map(({ code, path }) => [code, path])).toEqual([
      ['unknown_operator', 'Nope'],
      ['bad_function', 'graph.node.2'],
    ]);
  });

  it('any changed byte gives a function or errors, and nothing else', () => {
    const whole = functionBytes(PROBE);
    const draw = new Random(7);
    for (let round = 0; round < 3000; round++) {
      const bytes = whole.slice();
      for (let times = 0; times < 1 + (round % 3); times++) bytes[draw.below(bytes.length)] = draw.below(256);
      const { body, errors } = readFunction(bytes, LIMITS);
      expect(body === undefined).toBe(errors.length > 0);
    }
  });
});
