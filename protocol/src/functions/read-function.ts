/**
 * Reads a user's function out of an ONNX file (PROTOCOL.md, section 6.5): allowed operators of one operator set, everything
 * within the file, and dims that fit. What is wrong is told all at once, with the place in the file.
 */
import type { PortDescription } from '../description.ts';
import type { ErrorBody } from '../errors.ts';
import type { AttributeValue } from '../graph.ts';
import { nearest } from '../nearest.ts';
import { attributeType, givesTuple, OPERATORS, operatorFacts, outputsOf } from '../operators.ts';
import type { TensorLike } from '../tensor.ts';
import { OPSET } from '../version.ts';
import { plural } from '../words.ts';
import { dtypeOfOnnx, FunctionFault, readTensor } from './file-tensor.ts';
import type { FunctionBody, FunctionNode } from './function-body.ts';
import {
  type FileAttribute,
  type FileGraph,
  type FileNode,
  type FileValue,
  readOnnxFile,
} from './onnx-file.ts';
import { ProtoFault } from './proto-reader.ts';
import { typeFunction } from './type-function.ts';

/** A function, or all that is wrong with it. */
export type ReadFunction =
  | { readonly body: FunctionBody; readonly errors: readonly [] }
  | { readonly body?: never; readonly errors: readonly [ErrorBody, ...ErrorBody[]] };

export interface FunctionLimits {
  /** Nodes that it may have. */
  readonly nodes: number;
}

const MAX_ERRORS = 100;
const MAX_PORTS = 64;
const EXPORT_ADVICE = `Export with opset_version=${OPSET}, as docs/examples/python/export_function.py does.`;

/** Throws nothing. Tensors are views of `bytes` where that can be. */
export function readFunction(bytes: Uint8Array, limits: FunctionLimits): ReadFunction {
  const faults: ErrorBody[] = [];
  try {
    const reader = new FunctionReader(graphOf(bytes), limits, faults);
    const body = reader.read();
    if (body) {
      const typed = typeFunction(body);
      if (!('errors' in typed)) return { body: typed, errors: [] };
      faults.push(...typed.errors);
    }
  } catch (fault) {
    faults.push(bodyOf(fault));
  }
  const [first = bodyOf(new FunctionFault('graph', 'it can’t be read.')), ...rest] = faults.slice(
    0,
    MAX_ERRORS,
  );
  return { errors: [first, ...rest] };
}

function bodyOf(fault: unknown): ErrorBody {
  if (fault instanceof FunctionFault) return fault.body;
  if (!(fault instanceof ProtoFault)) throw fault;
  if (fault.path.includes('.'))
    return { code: 'bad_function', message: `${fault.path}: ${fault.message}.`, path: fault.path };
  const where = fault.path ? `in its field ${fault.path}, ` : '';
  const message = `file: it is no ONNX model, or not all of one: ${where}${fault.message}.`;
  return { code: 'bad_function', message, path: 'file', wanted: 'the bytes of a .onnx file' };
}

/** The graph of a file that is a model of our operator set and nothing else. */
function graphOf(bytes: Uint8Array): FileGraph {
  const model = readOnnxFile(bytes);
  const [graph] = model.graph ?? [];
  if (!graph) throw new FunctionFault('graph', 'the file has none, so it is no ONNX model.');
  if (model.functions) {
    const message = 'the model has functions of its own. Inline them: onnx.inliner.inline_local_functions.';
    throw new FunctionFault('functions', message);
  }
  const versions = (model.opset_import ?? []).filter(({ domain }) => isOnnx(domain));
  const version = versions[0]?.version ?? 0n;
  if (versions.length !== 1 || version !== BigInt(OPSET)) {
    const got = versions.map((one) => String(one.version ?? 0)).join(' and ') || 'none';
    throw new FunctionFault(
      'opset_import',
      `the operator set is ${got}, and must be ${OPSET}. ${EXPORT_ADVICE}`,
      {
        wanted: String(OPSET),
        got,
      },
    );
  }
  if (graph.sparse_initializer)
    throw new FunctionFault('graph.sparse_initializer', 'sparse tensors are not taken; write them dense.');
  return graph;
}

const isOnnx = (domain = ''): boolean => domain === '' || domain === 'ai.onnx';

/** `constant` has no tensor in a message: its data is the function's. */
const constantNode = ({ dtype, dims, data }: TensorLike): FunctionNode => ({
  kind: 'constant',
  tensor: { dtype, dims, offset: 0, length: data.byteLength },
});

class FunctionReader {
  readonly #graph: FileGraph;
  readonly #limits: FunctionLimits;
  readonly #faults: ErrorBody[];
  readonly #inputs: PortDescription[] = [];
  readonly #nodes: FunctionNode[] = [];
  readonly #labels: string[] = [];
  readonly #constants = new Map<number, TensorLike>();
  /** The number of a name's value; undefined for one whose node is wrong. */
  readonly #values = new Map<string, number | undefined>();

  constructor(graph: FileGraph, limits: FunctionLimits, faults: ErrorBody[]) {
    this.#graph = graph;
    this.#limits = limits;
    this.#faults = faults;
  }

  /** Undefined where something is wrong. */
  read(): FunctionBody | undefined {
    const { node = [], initializer = [], input = [], output = [] } = this.#graph;
    if (node.length + initializer.length > this.#limits.nodes) {
      const got = `${node.length} nodes and ${initializer.length} initializers`;
      const wanted = `at most ${this.#limits.nodes}`;
      throw new FunctionFault(
        'graph.node',
        `the function has ${got}; a graph may have ${this.#limits.nodes}.`,
        {
          wanted,
          got,
        },
      );
    }
    // Old files list initializers among the inputs, as defaults; here they are constants.
    const given = new Set(initializer.map(({ name }) => name));
    const wanted = input.flatMap((value, index) => (given.has(value.name) ? [] : [{ value, index }]));
    mustCount('graph.input', 'inputs', wanted.length, 0);
    mustCount('graph.output', 'outputs', output.length, 1);
    for (const { value, index } of wanted) this.#try(() => this.#input(value, `graph.input.${index}`));
    if (this.#faults.length > 0) return undefined;
    for (const [index, tensor] of initializer.entries()) {
      const path = `graph.initializer.${index}${named(tensor.name)}`;
      this.#try(() => this.#constant(tensor.name ?? '', readTensor(tensor, path), path));
    }
    for (const [index, one] of node.entries()) {
      if (this.#faults.length >= MAX_ERRORS) return undefined;
      this.#try(() => this.#node(one, `graph.node.${index}${named(one.name)}`));
    }
    const results = output.map((value, index) => this.#result(value, index));
    if (this.#faults.length > 0) return undefined;
    return {
      inputs: this.#inputs,
      outputs: output.map((value, index) => portOf(value, `graph.output.${index}`, 'float32')),
      nodes: this.#nodes,
      labels: this.#labels,
      constants: this.#constants,
      results: results.map(Number),
    };
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (fault) {
      this.#faults.push(bodyOf(fault));
    }
  }

  #input(value: FileValue, path: string): void {
    const port = portOf(value, path);
    this.#define(port.name, this.#inputs.length, path);
    this.#inputs.push(port);
  }

  #constant(name: string, tensor: TensorLike, path: string): void {
    const value = this.#add(constantNode(tensor), path);
    this.#constants.set(value, tensor);
    this.#define(name, value, path);
  }

  #add(node: FunctionNode, label: string): number {
    this.#labels.push(label);
    return this.#inputs.length + this.#nodes.push(node) - 1;
  }

  #define(name: string, value: number | undefined, path: string): void {
    if (name === '') throw new FunctionFault(path, 'it has no name.');
    if (this.#values.has(name))
      throw new FunctionFault(path, `${JSON.stringify(name)} is made twice; each value has one maker.`, {
        got: name,
      });
    this.#values.set(name, value);
  }

  #node(node: FileNode, path: string): void {
    const outputs = node.output ?? [];
    let made: readonly (number | undefined)[] = [];
    try {
      made = this.#operation(node, path);
    } finally {
      // Also after a fault, so that what uses the outputs isn't called dangling.
      for (const [index, name] of outputs.entries()) if (name !== '') this.#define(name, made[index], path);
    }
  }

  /** The values that a node gives. */
  #operation(node: FileNode, path: string): readonly (number | undefined)[] {
    const { op_type: operator = '', domain = '', output = [] } = node;
    if (isOnnx(domain) && operator === 'Constant') {
      const tensor = constantTensor(node, path);
      const value = this.#add(constantNode(tensor), path);
      this.#constants.set(value, tensor);
      return [value];
    }
    const facts = isOnnx(domain) ? operatorFacts(operator) : undefined;
    if (!facts) {
      const name = isOnnx(domain) ? operator : `${domain}.${operator}`;
      const near = nearest(operator, Object.keys(OPERATORS));
      const hint = near === undefined ? '' : ` Did you mean ${near}?`;
      const message = `${path}: there is no operator ${JSON.stringify(name)} in this protocol.${hint} PROTOCOL.md, section 3.3, lists them.`;
      throw new FunctionFault(path, message, {
        code: 'unknown_operator',
        message,
        path: name,
        nearest: near,
      });
    }
    const inputs = this.#operands(node, path);
    // What made it has been reported.
    if (!inputs.every((input) => input !== undefined)) return [];
    const entries = (node.attribute ?? []).map((attribute) => {
      const type = attributeType(facts, attribute.name ?? '');
      return [attribute.name ?? '', attributeValue(attribute, type === 'float', path)] as const;
    });
    const attributes = Object.fromEntries(entries);
    if (entries.length > Object.keys(attributes).length)
      throw new FunctionFault(path, 'an attribute is written twice.');
    const most = outputsOf(facts, attributes).length;
    if (output.length > most) {
      const message = `${operator} gives ${plural(most, 'output')}, not ${output.length}.`;
      throw new FunctionFault(path, message, { wanted: `at most ${most}`, got: String(output.length) });
    }
    const value = this.#add(
      { kind: 'operator', operator, inputs, ...(entries.length > 0 ? { attributes } : {}) },
      path,
    );
    if (!givesTuple(facts)) return [value];
    return output.map((name, index) =>
      name === '' ? undefined : this.#add({ kind: 'member', of: value, index }, path),
    );
  }

  #operands({ input = [] }: FileNode, path: string): (number | undefined)[] {
    const last = input.findLastIndex((name) => name !== '');
    const operands = input.slice(0, last + 1).map((name, index) => {
      if (name === '') {
        const message = `its input ${index} is left out and a later one is not; inputs may be left out at the end only.`;
        throw new FunctionFault(path, message);
      }
      if (!this.#values.has(name)) throw dangling(this.#graph, name, path);
      return this.#values.get(name);
    });
    return operands;
  }

  #result({ name = '' }: FileValue, index: number): number | undefined {
    const path = `graph.output.${index}`;
    const earlier = (this.#graph.output ?? []).findIndex((other) => (other.name ?? '') === name);
    if (earlier < index)
      this.#faults.push(new FunctionFault(path, `${JSON.stringify(name)} is an output twice.`).body);
    else if (!this.#values.has(name)) this.#faults.push(dangling(this.#graph, name, path).body);
    return this.#values.get(name);
  }
}

const named = (name = ''): string => (name === '' ? '' : ` (${name})`);

/** A name that no earlier node has made. */
function dangling({ node = [] }: FileGraph, name: string, path: string): FunctionFault {
  const maker = node.findIndex(({ output }) => output?.includes(name));
  const why =
    maker < 0
      ? `nothing makes ${JSON.stringify(name)}`
      : `${JSON.stringify(name)} is made by graph.node.${maker}, which doesn’t come before it: nodes stand in the order in which they can run, without cycles`;
  return new FunctionFault(path, `${why}.`, { got: name });
}

function mustCount(path: string, what: string, count: number, least: number): void {
  if (count >= least && count <= MAX_PORTS) return;
  throw new FunctionFault(path, `the function has ${count} ${what}.`, {
    wanted: `${least} to ${MAX_PORTS}`,
    got: String(count),
  });
}

/** `otherwise`: the dtype of an output that doesn't say it, until the operators tell. */
function portOf(value: FileValue, path: string, otherwise?: PortDescription['dtype']): PortDescription {
  const { name = '' } = value;
  const type = value.type?.[0]?.tensor_type?.[0];
  const dtype = type?.elem_type === undefined ? otherwise : dtypeOfOnnx(type.elem_type);
  if (!dtype) {
    const got = type ? `ONNX’s data type ${type.elem_type ?? 0}` : 'no tensor type';
    throw new FunctionFault(path, `${JSON.stringify(name)} has ${got}, which doesn’t cross the wire.`, {
      got,
    });
  }
  const dims = (type?.shape?.[0]?.dim ?? []).map(({ dim_value, dim_param }) =>
    dim_value === undefined ? dim_param || '?' : Number(dim_value),
  );
  if (dims.length > 8 || dims.some((dim) => typeof dim === 'number' && (dim < 0 || dim >= 2 ** 31)))
    throw new FunctionFault(path, `${JSON.stringify(name)} has the dims [${dims.join(', ')}].`, {
      wanted: 'at most 8 dims from 0 to 2147483647',
    });
  return { name, dtype, dims };
}

/** The number of attributes' types in ONNX. */
const TYPE = { float: 1n, int: 2n, string: 3n, tensor: 4n, floats: 6n, ints: 7n } as const;

function attributeValue(attribute: FileAttribute, isFloat: boolean, path: string): AttributeValue {
  const { name = '', type } = attribute;
  if (attribute.graph || attribute.ref_attr_name)
    throw new FunctionFault(path, `its attribute ${name} holds a graph, a sparse tensor or a reference.`);
  const safe = (value: bigint): number => {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new FunctionFault(path, `its attribute ${name} is ${value}, beyond 2^53.`);
  };
  if (type === TYPE.int) return safe(attribute.i ?? 0n);
  if (type === TYPE.ints) return (attribute.ints ?? []).map(safe);
  if (type === TYPE.string) return new TextDecoder().decode(attribute.s ?? new Uint8Array());
  const number = attribute.f ?? 0;
  if (type === TYPE.float && isFloat && Number.isFinite(number)) return number;
  throw new FunctionFault(path, `its attribute ${name} is of a type that no operator here has.`, {
    wanted: 'an integer, a finite float, a string, or integers',
  });
}

/** Of a node `Constant`. */
function constantTensor({ attribute: attributes = [] }: FileNode, path: string): TensorLike {
  const [attribute, ...more] = attributes;
  if (!attribute || more.length > 0)
    throw new FunctionFault(path, 'a Constant has one attribute, its value.');
  const { name = '', t, f, i = 0n, ints, floats, graph } = attribute;
  const [tensor] = t ?? [];
  if (name === 'value' && tensor && !graph) return readTensor(tensor, path);
  if (name === 'value_float') return { dtype: 'float32', dims: [], data: Float32Array.of(f ?? 0) };
  if (name === 'value_int') return { dtype: 'int64', dims: [], data: BigInt64Array.of(i) };
  if (name === 'value_ints')
    return { dtype: 'int64', dims: [ints?.length ?? 0], data: BigInt64Array.from(ints ?? []) };
  if (name === 'value_floats') {
    const count = (floats ?? []).reduce((sum, part) => sum + part.byteLength, 0) / 4;
    return readTensor({ data_type: 1n, dims: [BigInt(Math.floor(count))], float_data: floats ?? [] }, path);
  }
  throw new FunctionFault(
    path,
    `a Constant of ${JSON.stringify(name)} is not taken: only tensors and numbers.`,
  );
}
