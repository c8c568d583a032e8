/**
 * One trace at the partial server: what its nodes are worth in a step. The model: `h.0` gives `[1, T, 4]`, each row ten
 * times the token's id and the column; `h.1` gives one more.
 */
import type { Wrong } from './partial-server.ts';

export interface PartialNode {
  readonly kind: string;
  readonly place?: { readonly module: string; readonly steps?: unknown };
  readonly value?: number;
  readonly inputs?: readonly number[];
  readonly operator?: string;
  readonly tensor?: { readonly dtype: string; readonly dims: readonly number[]; readonly offset: number };
  readonly blob?: { readonly sha256: string; readonly dims: readonly number[] };
  readonly function?: string;
  readonly trace?: number;
  readonly step?: number;
  readonly node?: number;
}

interface Worth {
  readonly dims: readonly number[];
  readonly numbers: readonly number[];
}

interface Access {
  readonly code: string;
  readonly message: string;
  readonly wanted?: string;
  readonly got?: string;
  readonly cause?: Access;
}

export interface Outcome {
  readonly save: number;
  readonly step: number;
  readonly value?: Worth;
  readonly error?: Access;
}

type Result = { readonly value: Worth } | { readonly error: Access };

interface Surroundings {
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly done: readonly PartialTrace[];
  readonly wrong: Wrong | undefined;
}

const failure = (code: string, more: Partial<Access> = {}): Access => ({ code, message: 'No.', ...more });
const ORDER: readonly string[] = ['h.0', 'h.1'];

/** Whether a place acts in a step. */
function acts(steps: unknown, step: number): boolean {
  if (Array.isArray(steps)) return steps.includes(step);
  if (typeof steps !== 'object' || steps === null) return step === (steps ?? 0);
  const {
    start = 0,
    end = Number.POSITIVE_INFINITY,
    step: by = 1,
  } = steps as { start?: number; end?: number; step?: number };
  return step >= start && step < end && (step - start) % by === 0;
}

/** Those of a node: its place's, or its operands' (the first of many, else the last of one). */
function stepsOf(nodes: readonly PartialNode[], id: number): unknown {
  const node = nodes[id];
  if (node?.place && node.kind !== 'write') return node.place.steps ?? 0;
  const operands = [...(node?.inputs ?? []), ...(node?.value === undefined ? [] : [node.value])];
  const all = operands.map((operand) => stepsOf(nodes, operand)).filter((steps) => steps !== undefined);
  return (
    all.find((steps) => typeof steps === 'object') ??
    (all.length > 0 ? Math.max(...all.map(Number)) : undefined)
  );
}

export class PartialTrace {
  /** A write of it failed. */
  failed = false;
  readonly #nodes: readonly PartialNode[];
  readonly #payload: Uint8Array;
  readonly #around: Surroundings;
  readonly #kept = new Map<number, Result>();
  #ids: readonly number[] = [];
  #step = 0;

  constructor(nodes: readonly PartialNode[], payload: Uint8Array, around: Surroundings) {
    this.#nodes = nodes;
    this.#payload = payload;
    this.#around = around;
  }

  /** The code of what is wrong with a node's steps. */
  static stepFault(nodes: readonly PartialNode[], id: number, wrong: Wrong | undefined): string[] {
    const node = nodes[id];
    const several = (node?.inputs ?? [])
      .map((input) => stepsOf(nodes, input))
      .filter((steps) => typeof steps === 'object');
    const joined = new Set(several.map((steps) => JSON.stringify(steps))).size > 1;
    if (joined && wrong !== 'joins any steps') return ['bad_reference'];
    const later =
      node?.kind === 'write' && Number(stepsOf(nodes, Number(node.value))) > Number(node.place?.steps ?? 0);
    return later && wrong !== 'takes a value of a later step for an earlier one' ? ['write_order'] : [];
  }

  /** Begins a step; whether a stop ends it. */
  pass(ids: readonly number[], step: number): boolean {
    this.#ids = ids;
    this.#step = step;
    for (const [id, node] of this.#nodes.entries()) {
      if (node.kind === 'save' || node.kind === 'stop') continue;
      const result = this.#result(id);
      if (node.kind === 'write') this.failed ||= 'error' in result;
      else if (acts(stepsOf(this.#nodes, id), step)) this.#kept.set(id, result);
    }
    return this.#stop() < ORDER.length;
  }

  *outcomes(step: number, _stopped: boolean): Iterable<Outcome> {
    for (const [save, node] of this.#nodes.entries()) {
      if (node.kind !== 'save' || !acts(stepsOf(this.#nodes, save) ?? 0, step)) continue;
      yield { save, step, ...this.#result(Number(node.value)) };
    }
  }

  /** Of steps that never came. */
  *never(steps: number): Iterable<Outcome> {
    if (this.#around.wrong === 'says nothing of steps that never came') return;
    for (const [save, node] of this.#nodes.entries()) {
      if (node.kind !== 'save') continue;
      const asked = stepsOf(this.#nodes, save) ?? 0;
      const open =
        typeof asked === 'object' && !Array.isArray(asked) && (asked as { end?: number }).end === undefined;
      const lowest = Array.from({ length: 5000 }, (_, step) => step).find(
        (step) => step >= (open ? 0 : steps) && acts(asked, step),
      );
      if (lowest === undefined || lowest < steps) continue;
      yield {
        save,
        step: lowest,
        error: failure('not_reached', { wanted: String(lowest), got: String(steps) }),
      };
    }
  }

  /** What a later trace gets of a node. */
  result(id: number): Result {
    return this.#kept.get(id) ?? this.#result(id);
  }

  /** How far the pass goes: the place of the earliest stop. */
  #stop(): number {
    const stops = this.#nodes.filter(({ kind, place }) => kind === 'stop' && acts(place?.steps, this.#step));
    return Math.min(ORDER.length, ...stops.map(({ place }) => ORDER.indexOf(place?.module ?? '')));
  }

  #result(id: number): Result {
    const node = this.#nodes[id];
    const kept = this.#kept.get(id);
    if (
      node &&
      kept &&
      !acts(stepsOf(this.#nodes, id) ?? 0, this.#step) &&
      this.#around.wrong !== 'forgets values of earlier steps'
    )
      return kept;
    switch (node?.kind) {
      case 'read':
        return this.#read(node);
      case 'constant':
        return { value: this.#constant(node) };
      case 'earlier':
        return this.#earlier(node);
      case 'write':
        return this.#result(Number(node.value));
      case 'operator':
      case 'call':
        return this.#operator(node);
      default:
        return { error: failure('unset') };
    }
  }

  #read({ place }: PartialNode): Result {
    const at = ORDER.indexOf(place?.module ?? '');
    if (!acts(place?.steps, this.#step)) return { error: failure('unset') };
    if (this.failed) return { error: failure('failed') };
    if (at > this.#stop()) return { error: failure('not_reached') };
    const numbers = this.#ids.flatMap((token) => [0, 1, 2, 3].map((column) => token * 10 + column + at));
    return { value: { dims: [1, this.#ids.length, 4], numbers } };
  }

  #constant({ tensor, blob }: PartialNode): Worth {
    const dims = tensor?.dims ?? blob?.dims ?? [];
    const bytes = blob ? this.#around.blobs.get(blob.sha256) : this.#payload.subarray(tensor?.offset);
    const length = dims.reduce((product, dim) => product * dim, 1);
    if (!bytes || tensor?.dtype === 'int64') return { dims, numbers: new Array(length).fill(0) };
    return { dims, numbers: [...new Float32Array(Uint8Array.from(bytes).buffer, 0, length)] };
  }

  #earlier({ trace, node }: PartialNode): Result {
    const of = this.#around.done[Number(trace)];
    const result = (of === this ? undefined : of?.result(Number(node))) ?? { error: failure('unset') };
    if ('value' in result) return result;
    return {
      error: failure('failed', this.#around.wrong === 'gives no cause' ? {} : { cause: result.error }),
    };
  }

  /** A `Gather` fails, `ReduceMax` is the largest, all else adds; of one input, it to itself. */
  #operator({ operator, inputs = [] }: PartialNode): Result {
    const values: Worth[] = [];
    for (const input of inputs) {
      const result = this.#result(input);
      if ('error' in result) return { error: failure('failed', { cause: result.error }) };
      values.push(result.value);
    }
    const [left = { dims: [], numbers: [] }, right = left] = values;
    if (operator === 'Gather') return { error: failure('failed') };
    if (operator === 'ReduceMax') return { value: { dims: [], numbers: [Math.max(...left.numbers)] } };
    const numbers = left.numbers.map(
      (number, index) => number + (right.numbers[index % right.numbers.length] ?? 0),
    );
    return { value: { dims: left.dims, numbers } };
  }
}
