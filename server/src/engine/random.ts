/**
 * What the host draws for the random operators (PROTOCOL.md, section 3.5): Philox4x32-10 with the seed as its key, so that
 * one seed gives the same numbers on every server. The runtime's own generator keeps state between runs.
 */
import { randomInt } from 'node:crypto';
import {
  DTYPES,
  type Dtype,
  elementCount,
  float16FromBits,
  float16ToBits,
  type GraphNode,
  type NodeOf,
  operatorFacts,
  outputDtypes,
  type TensorLike,
} from '@tracewire/protocol';
import { sourceOf, type TensorSource } from './operations.ts';

/** The tensor of a random operator. */
export function drawNode(
  id: number,
  nodes: readonly GraphNode[],
  tensorAt: (source: TensorSource) => TensorLike,
): TensorLike {
  const node = nodes[id];
  if (node?.kind !== 'operator') throw new Error(`Node ${id} is no operator.`);
  const inputs = node.inputs.map((input) => tensorAt(sourceOf(input, nodes)));
  return draw(node, inputs);
}

export function draw(
  { operator, attributes = {} }: Pick<NodeOf<'operator'>, 'operator' | 'attributes'>,
  inputs: readonly TensorLike[],
): TensorLike {
  const facts = operatorFacts(operator);
  if (!facts) throw new Error(`There is no operator ${operator}.`);
  const dtypes = inputs.map(({ dtype }) => dtype);
  const [dtype = 'float32'] = outputDtypes(facts, dtypes, attributes);
  const number = (name: string, fallback: number): number => {
    const value = attributes[name];
    return typeof value === 'number' ? value : fallback;
  };
  const random = new Generator(number('seed', randomInt(2 ** 48 - 1)));
  const [input] = inputs;
  const { shape } = attributes;
  const dims = typeof shape === 'object' ? shape : (input?.dims ?? []);
  switch (operator) {
    case 'RandomNormal':
    case 'RandomNormalLike': {
      const [mean, scale] = [number('mean', 0), number('scale', 1)];
      return fill(dtype, dims, (index) => mean + scale * random.normal(index));
    }
    case 'RandomUniform':
    case 'RandomUniformLike': {
      const [low, high] = [number('low', 0), number('high', 1)];
      return fill(dtype, dims, (index) => low + (high - low) * random.uniform(index));
    }
    case 'Bernoulli':
      return fill(dtype, dims, (index) => (random.uniform(index) < elementAt(input, index) ? 1 : 0));
    case 'Multinomial':
      return multinomial(dtype, input, number('sample_size', 1), random);
    default:
      throw new Error(`${operator} is not random.`);
  }
}

function fill(dtype: Dtype, dims: readonly number[], at: (index: number) => number): TensorLike {
  const data = new DTYPES[dtype].array(elementCount(dims));
  for (let index = 0; index < data.length; index++) {
    const value = at(index);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(value);
    else data[index] = dtype === 'float16' ? float16ToBits(value) : value;
  }
  return { dtype, dims, data };
}

function elementAt(tensor: TensorLike | undefined, index: number): number {
  const element = Number(tensor?.data[index] ?? Number.NaN);
  return tensor?.dtype === 'float16' ? float16FromBits(element) : element;
}

/** `[rows, classes]` of logarithms that need not be normalized, to `[rows, samples]`. */
function multinomial(
  dtype: Dtype,
  input: TensorLike | undefined,
  samples: number,
  random: Generator,
): TensorLike {
  const [rows = 0, classes = 0] = input?.dims ?? [];
  const sums = Array.from({ length: rows }, (_, row) => {
    const logs = Array.from({ length: classes }, (_, at) => elementAt(input, row * classes + at));
    const most = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    return logs.map((log) => {
      sum += Math.exp(log - most);
      return sum;
    });
  });
  return fill(dtype, [rows, samples], (index) => {
    const row = sums[Math.floor(index / samples)] ?? [];
    const target = random.uniform(index) * (row.at(-1) ?? 0);
    const found = row.findIndex((sum) => sum > target);
    return found < 0 ? classes - 1 : found;
  });
}

/** Numbers by their index, all from one seed: those of two indices come from one block. */
export class Generator {
  readonly #key: readonly [number, number];
  #block = -1;
  #uniforms: readonly [number, number] = [0, 0];

  /** A seed from 0 to 2^53 − 1. */
  constructor(seed: number) {
    this.#key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  }

  /** From 0 to below 1, with 53 bits. */
  uniform(index: number): number {
    return this.#pair(index)[index % 2] ?? 0;
  }

  /** Mean 0, deviation 1: Box and Muller's of the block's pair. */
  normal(index: number): number {
    const [first, second] = this.#pair(index);
    const radius = Math.sqrt(-2 * Math.log(1 - first));
    const angle = 2 * Math.PI * second;
    return radius * (index % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  }

  #pair(index: number): readonly [number, number] {
    const block = Math.floor(index / 2);
    if (block !== this.#block) {
      const [a, b, c, d] = philox([block % 2 ** 32, Math.floor(block / 2 ** 32), 0, 0], this.#key);
      this.#uniforms = [unit(a, b), unit(c, d)];
      this.#block = block;
    }
    return this.#uniforms;
  }
}

/** Two words as a number from 0 to below 1. */
function unit(high: number, low: number): number {
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

type Words = readonly [number, number, number, number];

/** Philox4x32-10 of Salmon, Moraes, Dror and Shaw, “Parallel random numbers: as easy as 1, 2, 3” (2011). */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(0xd2511f53, a);
    const [high1, low1] = product(0xcd9e8d57, c);
    [a, b, c, d] = [(high1 ^ b ^ k) >>> 0, low1, (high0 ^ d ^ l) >>> 0, low0];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The 64 bits of a product of two words: high, low. */
function product(a: number, b: number): readonly [number, number] {
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + ((al * bl) >>> 16);
  const other = al * bh + (middle & 0xffff);
  return [ah * bh + (middle >>> 16) + (other >>> 16), Math.imul(a, b) >>> 0];
}
