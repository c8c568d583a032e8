/**
 * Prints tensors as PyTorch does, for that is what people read at a glance: aligned columns, four decimals,
 * three edge items an axis beyond 1000 elements, scientific notation where the range needs it
 * (`torch/_tensor_str.py` is the source of the rules).
 */
import { DTYPES, elementCount, type TensorLike } from '@tracewire/protocol/core';
import { type Scalar, scalarAt } from './scalar.ts';

const EDGE_ITEMS = 3;
const SUMMARIZE_BEYOND = 1000;
const LINE_WIDTH = 80;
const DECIMALS = 4;
const PREFIX = 'tensor(';

/** `tensor([[ 0.1559, -0.7946]], dims [1, 2], float32)`. */
export function printTensor(tensor: TensorLike): string {
  const { dtype, dims } = tensor;
  const facts = `dims [${dims.join(', ')}], ${dtype})`;
  if (elementCount(dims) === 0) return `${PREFIX}[], ${facts}`;
  const printer = new Printer(tensor);
  return `${PREFIX}${printer.print()}, ${facts}`;
}

class Printer {
  readonly #tensor: TensorLike;
  readonly #summarize: boolean;
  readonly #texts: ReadonlyMap<number, string>;
  readonly #width: number;

  constructor(tensor: TensorLike) {
    this.#tensor = tensor;
    this.#summarize = elementCount(tensor.dims) > SUMMARIZE_BEYOND;
    const shown = [...this.#positions(0, 0)];
    this.#texts = formatAll(tensor, shown);
    this.#width = [...this.#texts.values()].reduce((most, text) => Math.max(most, text.length), 0);
  }

  print(): string {
    return this.#axis(0, 0, PREFIX.length);
  }

  /** The positions that are shown, in order. */
  *#positions(axis: number, offset: number): Iterable<number> {
    const { dims } = this.#tensor;
    const length = dims[axis];
    if (length === undefined) {
      yield offset;
      return;
    }
    const stride = elementCount(dims.slice(axis + 1));
    for (const index of this.#shown(length)) {
      if (index !== undefined) yield* this.#positions(axis + 1, offset + index * stride);
    }
  }

  /** The indices of an axis that are shown, undefined for those left out. */
  #shown(length: number): readonly (number | undefined)[] {
    if (!this.#summarize || length <= 2 * EDGE_ITEMS) return Array.from({ length }, (_, index) => index);
    const edge = Array.from({ length: EDGE_ITEMS }, (_, index) => index);
    return [...edge, undefined, ...edge.map((index) => length - EDGE_ITEMS + index)];
  }

  #axis(axis: number, offset: number, indent: number): string {
    const { dims } = this.#tensor;
    const length = dims[axis];
    if (length === undefined) return this.#element(offset);
    const stride = elementCount(dims.slice(axis + 1));
    const last = axis === dims.length - 1;
    const parts = this.#shown(length).map((index) => {
      if (index === undefined) return last ? ' ...' : '...';
      return this.#axis(axis + 1, offset + index * stride, indent + 1);
    });
    if (last) return `[${this.#lines(parts, indent + 1)}]`;
    const blank = '\n'.repeat(dims.length - axis - 1) + ' '.repeat(indent + 1);
    return `[${parts.join(`,${blank}`)}]`;
  }

  /** A row, broken where it would pass the line's end. */
  #lines(parts: readonly string[], indent: number): string {
    const each = Math.max(1, Math.floor((LINE_WIDTH - indent) / (this.#width + 2)));
    const lines: string[] = [];
    for (let start = 0; start < parts.length; start += each) {
      lines.push(parts.slice(start, start + each).join(', '));
    }
    return lines.join(`,\n${' '.repeat(indent)}`);
  }

  #element(position: number): string {
    return (this.#texts.get(position) ?? '').padStart(this.#width);
  }
}

function formatAll(tensor: TensorLike, positions: readonly number[]): ReadonlyMap<number, string> {
  const values = positions.map((position) => scalarAt(tensor.dtype, tensor.data, position));
  const format = DTYPES[tensor.dtype].kind === 'float' ? floatFormat(values.map(Number)) : String;
  return new Map(positions.map((position, index) => [position, format(values[index] ?? Number.NaN)]));
}

/** One notation for all: whole numbers as `3.`, fixed with four decimals, or scientific. */
function floatFormat(values: readonly number[]): (value: Scalar) => string {
  const sizes = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const most = sizes.reduce((a, b) => Math.max(a, b), 0);
  const least = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const whole = sizes.every(Number.isInteger);
  const wide = sizes.length > 0 && (most / least > 1000 || most > 1e8);
  const scientific = wide || (!whole && least < 1e-4);
  return (scalar) => {
    const value = Number(scalar);
    if (Number.isNaN(value)) return 'nan';
    if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
    if (scientific) return value.toExponential(DECIMALS).replace(/e([+-])(\d)$/, 'e$10$2');
    const text = value.toFixed(whole ? 0 : DECIMALS);
    const signed = Object.is(value, -0) ? `-${text}` : text;
    return whole ? `${signed}.` : signed;
  };
}
