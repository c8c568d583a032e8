/**
 * Which positions of the tail's values (tail.ts) a graph looks at. Where that is known, and not all of them, a pass computes no
 * others. What the graph reads has its full dims all the same, with zeros at the positions that nothing looks at.
 */
import { elementCount, type GraphNode, type NodeOf, type TensorLike, zeros } from '@tracewire/protocol';
import type { FeedSizes } from './feeds.ts';
import { usersOf } from './operations.ts';
import {
  type Application,
  axisOf,
  counted,
  type Operand,
  type PositionAxis,
  positionsThrough,
} from './position-wise.ts';
import { rangeOf } from './selection.ts';
import { AXIS } from './tail.ts';
import type { ValueKey } from './versions.ts';

/** The positions to compute, and of what. */
export interface Picked {
  /** For each row of the batch, equally many. */
  readonly rows: readonly (readonly number[])[];
  /** The values that have these positions alone. */
  readonly values: ReadonlySet<ValueKey>;
}

/** A read of what the tail makes. */
export interface TailRead {
  readonly node: number;
  readonly invoke: number;
  readonly tuple: boolean;
  /** How many axes each has, by its place in the tuple; of one tensor, by 0. */
  readonly ranks: ReadonlyMap<number, number>;
}

/** A longer list of indices counts as all of them. */
const MOST_INDICES = 4096;

/** What is known of a graph before it runs. */
export interface Looking {
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<number, unknown>;
  /** Tokens of each invoke. */
  readonly lengths: readonly number[];
  /** Of a pass over feeds, which may have several rows. */
  readonly sizes?: Pick<FeedSizes, 'batch' | 'sequence'> | undefined;
  /** Reads of which, whatever is done with them, only each row's last position counts. */
  readonly last?: ReadonlySet<number> | undefined;
  /** Whether a node does anything in the pass. */
  acts(node: number): boolean;
}

/** The positions that these reads look at, for each row as many; undefined where that is all of them. */
export function positionsOf(reads: readonly TailRead[], looking: Looking): number[][] | undefined {
  const { lengths, sizes } = looking;
  const found = lengths.map(() => new Set<number>());
  for (const read of reads) {
    const { invoke } = read;
    const length = sizes?.sequence ?? lengths[invoke] ?? 0;
    const own = looking.last?.has(read.node) ? [length - 1] : new Follower(looking, length).follow(read);
    for (const position of own ?? allOf(length)) found[invoke]?.add(position);
  }
  const { batch, sequence } = batchOf(lengths, sizes);
  const most = Math.max(1, ...found.map((positions) => positions.size));
  if (most >= sequence) return undefined;
  return Array.from({ length: batch }, (_, row) => {
    const own = [...(found[sizes ? 0 : row] ?? [])].sort((a, b) => a - b);
    return Array.from({ length: most }, (_, index) => own[index] ?? own.at(-1) ?? 0);
  });
}

const allOf = (length: number): number[] => [...new Array<number>(length).keys()];

function batchOf(lengths: readonly number[], sizes: Looking['sizes']): { batch: number; sequence: number } {
  return sizes ?? { batch: lengths.length, sequence: Math.max(0, ...lengths) };
}

/** The feed of the positions; all, where no rows say which. */
export function positionsFeed(
  rows: readonly (readonly number[])[] | undefined,
  lengths: readonly number[],
  sizes?: Looking['sizes'],
): TensorLike {
  const { batch, sequence } = batchOf(lengths, sizes);
  const all = rows ?? Array.from({ length: batch }, () => allOf(sequence));
  return {
    dtype: 'int64',
    dims: [batch, all[0]?.length ?? 0, 1],
    data: BigInt64Array.from(all.flat(), BigInt),
  };
}

/** What was computed, `[rows, positions, …]`, at its positions among `length`; of one row alone, if `only` names it. */
export function spread(
  { dtype, dims, data }: TensorLike,
  rows: Picked['rows'],
  length: number,
  only?: number,
): TensorLike {
  const [, count = 0, ...rest] = dims;
  const size = elementCount(rest);
  const taken = only === undefined ? [...rows.keys()] : [only];
  const whole = zeros(dtype, [taken.length, length, ...rest]);
  for (const [to, row] of taken.entries()) {
    for (const [index, position] of (rows[row] ?? []).entries()) {
      const from = (row * count + index) * size;
      whole.data.set(data.subarray(from, from + size) as never, (to * length + position) * size);
    }
  }
  return whole;
}

/** Follows a value through a graph to where positions are taken of it. */
class Follower {
  readonly #looking: Looking;
  readonly #length: number;
  readonly #taken = new Set<number>();
  /** Where the positions are in the values yet to be followed. */
  readonly #waiting: { readonly node: number; readonly at: PositionAxis }[] = [];
  readonly #met = new Set<number>();

  constructor(looking: Looking, length: number) {
    this.#looking = looking;
    this.#length = length;
  }

  /** The positions that are looked at; undefined where all are. */
  follow({ node, tuple, ranks }: TailRead): Iterable<number> | undefined {
    for (const id of tuple ? this.#usersOf(node) : [node]) {
      const member = this.#looking.nodes[id];
      if (tuple && member?.kind !== 'member') return undefined;
      const rank = ranks.get(member?.kind === 'member' ? member.index : 0);
      if (rank !== undefined) this.#waiting.push({ node: id, at: { axis: AXIS, rank } });
    }
    for (let next = this.#waiting.pop(); next; next = this.#waiting.pop())
      for (const user of this.#usersOf(next.node)) if (!this.#use(user, next.node, next.at)) return undefined;
    return this.#taken;
  }

  #usersOf(node: number): readonly number[] {
    const users = usersOf(this.#looking.nodes).get(node) ?? [];
    return users.filter((user) => this.#looking.acts(user));
  }

  /** Whether it is known what a node looks at. */
  #use(user: number, operand: number, at: PositionAxis): boolean {
    if (this.#met.has(user)) return true;
    this.#met.add(user);
    const node = this.#looking.nodes[user];
    if (node?.kind === 'member') this.#waiting.push({ node: user, at });
    if (node?.kind !== 'operator') return node?.kind === 'member';
    const application = this.#application(node, operand, at);
    const taken = this.#positions(application, at);
    for (const position of taken ?? []) this.#taken.add(position);
    const through = taken || mayFail(application) ? undefined : positionsThrough(application);
    if (through) this.#waiting.push({ node: user, at: through });
    return taken !== undefined || through !== undefined;
  }

  /** Operands besides this one that aren't constants have neither positions nor dims, and so fit no rule. */
  #application({ operator, inputs, attributes = {} }: NodeOf<'operator'>, operand: number, at: PositionAxis) {
    return {
      operator,
      inputs: inputs.map((input) => (input === operand ? { positions: at } : this.#constant(input))),
      attribute: (name: string) => {
        const value = attributes[name];
        return typeof value === 'number' ? [value] : typeof value === 'object' ? value : undefined;
      },
    };
  }

  #constant(node: number): Operand {
    const tensor = this.#looking.nodes[node]?.kind === 'constant' && this.#looking.constants.get(node);
    if (!tensor) return { positions: undefined };
    const { dtype, dims, data } = tensor as TensorLike;
    const known = (dtype === 'int64' || dtype === 'int32') && data.length <= MOST_INDICES;
    return { positions: undefined, dims, integers: known ? Array.from(data, Number) : undefined };
  }

  /** The positions that an operator takes, where it takes some by constants. */
  #positions(application: Application, at: PositionAxis): readonly number[] | undefined {
    const { operator, inputs } = application;
    const [value, ...others] = inputs;
    if (!value?.positions || others.some((other) => other?.positions)) return undefined;
    if (operator === 'Gather' && axisOf(application, 0, at.rank) === at.axis)
      return others[0]?.integers
        ?.map((index) => (index < 0 ? index + this.#length : index))
        .filter((index) => index >= 0 && index < this.#length);
    return operator === 'Slice' ? this.#range(others, at) : undefined;
  }

  #range(others: readonly (Operand | undefined)[], at: PositionAxis): number[] | undefined {
    const [starts, ends, axes, steps] = others.map((other) => other?.integers);
    const which = counted(axes ?? [], at).indexOf(at.axis);
    const [start, end] = [starts?.[which], ends?.[which]];
    const step = others.length < 4 ? 1 : steps?.[which];
    if (start === undefined || end === undefined || !step) return undefined;
    const range = rangeOf(start, end, step, this.#length);
    return Array.from({ length: range.count }, (_, index) => range.at(index));
  }
}

/** Division of integers by what is zero where nothing was computed. */
const mayFail = ({ operator, inputs }: Application): boolean =>
  operator === 'Div' && inputs[1]?.positions !== undefined;
