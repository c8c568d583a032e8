/** Writes graphs in a line a node, and runs them: what the client's recorder does, without the client. */
import {
  type AttributeValue,
  type ErrorBody,
  type Graph,
  type GraphNode,
  type Input,
  isTuple,
  type Place,
  type Selection,
  type TensorLike,
  type Value,
} from '@tracewire/protocol';
import type { Engine } from '../engine.ts';
import type { RunOutcome } from '../outcomes.ts';

export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<number, TensorLike>();

  constant(tensor: TensorLike): number {
    const id = this.#add({
      kind: 'constant',
      tensor: { ...tensor, offset: 0, length: tensor.data.byteLength },
    });
    this.constants.set(id, tensor);
    return id;
  }

  scalar(value: number): number {
    return this.constant({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
  }

  /** An int64 without axes. */
  integer(value: number): number {
    return this.constant({ dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(value)) });
  }

  integers(...values: number[]): number {
    return this.constant({ dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  read(place: string): number {
    return this.#add({ kind: 'read', place: parsePlace(place) });
  }

  write(place: string, value: number, selection?: Selection, mask?: number): number {
    return this.#add({ kind: 'write', place: parsePlace(place), value, selection, mask });
  }

  skip(module: string, value: number, invoke?: number): number {
    return this.#add({ kind: 'skip', module, value, invoke });
  }

  stop(place: string): void {
    this.#add({ kind: 'stop', place: parsePlace(place) });
  }

  operator(operator: string, inputs: number[], attributes?: Record<string, AttributeValue>): number {
    return this.#add({ kind: 'operator', operator, inputs, attributes });
  }

  member(of: number, index: number): number {
    return this.#add({ kind: 'member', of, index });
  }

  parameter(name: string): number {
    return this.#add({ kind: 'parameter', name });
  }

  apply(module: string, input: number): number {
    return this.#add({ kind: 'apply', module, input });
  }

  log(text: string, value?: number): void {
    this.#add({ kind: 'log', text, value });
  }

  save(value: number): number {
    return this.#add({ kind: 'save', value });
  }

  #add(node: GraphNode): number {
    this.nodes.push(node);
    return this.nodes.length - 1;
  }
}

/** `transformer.h.0.output[1]`, or `transformer.h.0.attn source /transformer/…`; `1: …` is of invoke 1. */
function parsePlace(text: string): Place {
  const [, invoke, place = ''] = /^(?:(\d+): )?(.*)$/.exec(text) ?? [];
  const [module = '', source] = place.split(' source ');
  if (source !== undefined) {
    return { module, port: 'source', source, ...(invoke === undefined ? {} : { invoke: Number(invoke) }) };
  }
  const match = /^(?:(.*)\.)?(input|output)(?:\[(\d+)\])?$/.exec(place);
  const port = match?.[2];
  if (port !== 'input' && port !== 'output') throw new Error(`${text} is no place.`);
  return {
    module: match?.[1] ?? '',
    port,
    ...(match?.[3] === undefined ? {} : { member: Number(match[3]) }),
    ...(invoke === undefined ? {} : { invoke: Number(invoke) }),
  };
}

export interface Ran {
  readonly outcome: RunOutcome;
  readonly values: ReadonlyMap<number, Value>;
  readonly accessErrors: ReadonlyMap<number, ErrorBody>;
  readonly logs: readonly { readonly text: string | undefined; readonly value: Value | undefined }[];
  /** Saves in the order of their outcomes. */
  readonly order: readonly number[];
  /** The one tensor of a save. */
  tensor(save: number): TensorLike;
}

export async function runGraph(
  engine: Engine,
  input: Input | readonly Input[],
  builder: GraphBuilder,
  isCancelled: () => boolean = () => false,
  feeds: readonly ReadonlyMap<string, TensorLike>[] = [],
): Promise<Ran> {
  const values = new Map<number, Value>();
  const accessErrors = new Map<number, ErrorBody>();
  const logs: { text: string | undefined; value: Value | undefined }[] = [];
  const order: number[] = [];
  const inputs = 'length' in input ? input : [input];
  const graph: Graph = { invokes: inputs.map((input) => ({ input })), nodes: builder.nodes };
  const outcome = await engine.run(
    graph,
    builder.constants,
    {
      value: (save, value) => {
        values.set(save, value);
        order.push(save);
      },
      accessError: (save, error) => {
        accessErrors.set(save, error);
        order.push(save);
      },
      log: (_, text, value) => logs.push({ text, value }),
      progress: () => undefined,
      token: () => undefined,
    },
    isCancelled,
    feeds,
  );
  const tensor = (save: number): TensorLike => {
    const value = values.get(save);
    if (!value || isTuple(value))
      throw new Error(`Save ${save} is no tensor: ${accessErrors.get(save)?.message}`);
    return value;
  };
  return { outcome, values, accessErrors, logs, order, tensor };
}

/** Largest difference of two tensors, divided by the RMS of the first's finite elements; equal infinities are no difference. */
export function relativeError(wanted: TensorLike, got: TensorLike): number {
  let square = 0;
  let largest = 0;
  for (let index = 0; index < wanted.data.length; index++) {
    const [value, other] = [Number(wanted.data[index]), Number(got.data[index])];
    if (Number.isFinite(value)) square += value * value;
    if (Object.is(value, other)) continue;
    const difference = Math.abs(value - other);
    largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return largest === 0 ? 0 : largest / Math.sqrt(square / wanted.data.length);
}
