/**
 * Every operator of the table through the real engine, against what NumPy and PyTorch give on odd shapes
 * (test/reference/operators.py), and its rule of dims against the dims that come out.
 */
import { readFileSync } from 'node:fs';
import {
  type AttributeValue,
  type Dtype,
  GraphChecker,
  isTuple,
  ModelIndex,
  mostOf,
  type NodeType,
  OPERATORS,
  type TensorLike,
  type Value,
} from '@tracewire/protocol';
import { beforeAll, describe, expect, it } from 'vitest';
import { numbersOf, tensorOf } from '../conformance/tensors.ts';
import type { Engine } from './engine.ts';
import { GraphBuilder, runGraph } from './testing/graphs.ts';
import { loadEngine, TINY_GPT2 } from './testing/models.ts';

type Written = readonly [dtype: Dtype, dims: readonly number[], numbers: readonly (number | string)[]];

interface Case {
  readonly inputs: readonly Written[];
  readonly attributes?: Record<string, AttributeValue>;
  readonly outputs: readonly Written[];
}

const file = new URL('../../../test/reference/data/operators.json', import.meta.url);
const CASES = JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly Case[]>;
const RANDOM = Object.keys(OPERATORS).filter((operator) => OPERATORS[operator]?.random);

const TOLERANCE: Partial<Record<Dtype, number>> = { float16: 2e-3, float32: 2e-5, float64: 1e-12 };

let engine: Engine;
beforeAll(async () => {
  engine = await loadEngine(TINY_GPT2);
});

it('has cases for every operator but those that are random', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(
    Object.keys(OPERATORS)
      .filter((operator) => !RANDOM.includes(operator))
      .toSorted(),
  );
  for (const [operator, cases] of Object.entries(CASES)) expect(cases.length, operator).toBeGreaterThan(2);
});

describe('gives what NumPy and PyTorch give', () => {
  it.each(Object.keys(CASES))('%s', async (operator) => {
    const graph = new GraphBuilder();
    const uses = (CASES[operator] ?? []).map((use) => {
      const inputs = use.inputs.map((input) => graph.constant(toTensor(input)));
      const node = graph.operator(operator, inputs, use.attributes ?? {});
      return { use, node, save: graph.save(node) };
    });
    const types = typesOf(graph, engine);
    const ran = await runGraph(engine, { ids: [1] }, graph);
    const faults: string[] = ran.outcome.errors.map(({ message }) => message);
    for (const { use, node, save } of uses) {
      const what = `${use.inputs.map(([dtype, dims]) => `${dtype} [${dims}]`).join(', ')} ${JSON.stringify(use.attributes ?? {})}`;
      const value = ran.values.get(save);
      if (value === undefined) faults.push(`${what}: ${ran.accessErrors.get(save)?.message}`);
      else {
        for (const fault of valueFaults(value, use.outputs)) faults.push(`${what}: ${fault}`);
        for (const fault of shapeFaults(types[node], value)) faults.push(`${what}: ${fault}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

function toTensor([dtype, dims, numbers]: Written): TensorLike {
  return tensorOf(dtype, dims, numbers.map(toNumber));
}

function toNumber(written: number | string): number {
  return written === 'inf'
    ? Number.POSITIVE_INFINITY
    : written === '-inf'
      ? Number.NEGATIVE_INFINITY
      : Number(written);
}

function typesOf({ nodes, constants }: GraphBuilder, { description }: Engine): NodeType[] {
  const checker = new GraphChecker(new ModelIndex(description), { constant: (node) => constants.get(node) });
  return nodes.map((node) => checker.add(node));
}

function valueFaults(value: Value, wanted: readonly Written[]): string[] {
  const tensors = membersOf(value);
  if (tensors.length !== wanted.length) return [`${tensors.length} outputs, not ${wanted.length}`];
  return wanted.flatMap(([dtype, dims, numbers], at) => {
    const got = tensors[at];
    if (!got) return [];
    const type = `${got.dtype} [${got.dims}]`;
    if (type !== `${dtype} [${dims}]`) return [`gives ${type}, not ${dtype} [${dims}]`];
    const elements = numbersOf(got);
    const wrong = numbers.findIndex((number, index) => !close(elements[index] ?? 0, toNumber(number), dtype));
    return wrong < 0 ? [] : [`element ${wrong} is ${elements[wrong]}, not ${numbers[wrong]}`];
  });
}

function close(got: number, wanted: number, dtype: Dtype): boolean {
  if (Number.isNaN(wanted) || !Number.isFinite(wanted)) return Object.is(got, wanted);
  return Math.abs(got - wanted) <= (TOLERANCE[dtype] ?? 0) * Math.max(1, Math.abs(wanted));
}

/** Where the rule of dims said something else, or nothing at all of an operator on known inputs. */
function shapeFaults(type: NodeType | undefined, value: Value): string[] {
  const types = type?.kind === 'tuple' ? type.members : [type];
  return membersOf(value).flatMap(({ dims }, at) => {
    const predicted = types[at];
    if (predicted?.kind !== 'tensor') return ['no type'];
    const fits =
      predicted.dims?.length === dims.length &&
      predicted.dims.every((dim, axis) => dim === '?' || dim === dims[axis]);
    if (!fits) return [`dims [${dims}] were predicted as [${predicted.dims}]`];
    const most = mostOf(predicted);
    const count = dims.reduce((product, dim) => product * dim, 1);
    return most !== undefined && count <= most ? [] : [`${count} elements were predicted as at most ${most}`];
  });
}

function membersOf(value: Value): readonly TensorLike[] {
  return isTuple(value) ? value.flatMap(membersOf) : [value];
}
