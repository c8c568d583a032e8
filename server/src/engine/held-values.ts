/**
 * Values that go from one trace of a session to later ones. A trace gives them as the values of saves that it has besides
 * its own, so that each has one outcome, a value or why there is none; they are kept until the last trace that uses them.
 */
import {
  type ErrorBody,
  type Graph,
  NEVER_SET,
  operandsOf,
  type TraceGraph,
  type Value,
  valueBytes,
} from '@tracewire/protocol';
import type { RunListener } from './outcomes.ts';

type Outcome = { readonly value: Value } | { readonly error: ErrorBody };

/** A value that later traces use: of a node in a step, where it acts in several. */
interface Held {
  readonly step: number | undefined;
  /** The last trace that uses it. */
  readonly last: number;
  outcome?: Outcome;
}

const ACTS: readonly string[] = ['save', 'log', 'write', 'skip'];
const NO_GRAPH: Graph = { invokes: [], nodes: [] };

export class HeldValues {
  readonly #traces: readonly TraceGraph[];
  /** By trace, and there by node. */
  readonly #held: readonly Map<number, Held[]>[];
  /** Most bytes of all. */
  readonly #most: number;
  #bytes = 0;

  constructor(traces: readonly TraceGraph[], most: number) {
    this.#traces = traces;
    this.#most = most;
    this.#held = traces.map(() => new Map());
    for (let trace = traces.length - 1; trace >= 0; trace--) this.#need(trace);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The graph of a trace with its saves for later ones, and which these are. */
  graph(trace: number): { readonly graph: Graph; readonly held: ReadonlySet<number> } {
    const { invokes, nodes } = this.#graph(trace);
    const saves = [...this.#of(trace).keys()].map((value) => ({ kind: 'save' as const, value }));
    const held = new Set(saves.map((_, index) => nodes.length + index));
    return { graph: { invokes, nodes: [...nodes, ...saves] }, held };
  }

  /** The values that a trace takes of those before it, by its own nodes, and why others never came to be. */
  given(trace: number): { readonly values: Map<number, Value>; readonly failures: Map<number, ErrorBody> } {
    const values = new Map<number, Value>();
    const failures = new Map<number, ErrorBody>();
    for (const [id, node] of this.#graph(trace).nodes.entries()) {
      if (node.kind !== 'earlier') continue;
      const outcome = this.#of(node.trace)
        .get(node.node)
        ?.find(({ step }) => step === node.step)?.outcome;
      if (outcome && 'value' in outcome) values.set(id, outcome.value);
      else failures.set(id, outcome?.error ?? neverHeld(node.trace, node.node));
    }
    return { values, failures };
  }

  /** Passes a trace's own outcomes on, and takes those of its other saves. */
  listener(trace: number, to: RunListener): RunListener {
    const own = this.#graph(trace).nodes.length;
    const nodes = [...this.#of(trace).keys()];
    return {
      ...to,
      value: (save, value, step) => {
        const node = nodes[save - own];
        if (node === undefined) to.value(save, value, step);
        else this.#take(trace, node, step, value);
      },
      accessError: (save, error, step) => {
        const node = nodes[save - own];
        if (node === undefined) return to.accessError(save, error, step);
        const at = error.node === undefined || error.node >= own ? node : error.node;
        this.#fail(trace, node, step, { ...inTrace(error, trace), node: at });
      },
    };
  }

  /** Lets go of what no trace after this one uses. */
  ended(trace: number): void {
    for (const nodes of this.#held.slice(0, trace + 1)) {
      for (const [node, all] of nodes) {
        const kept = all.filter(({ last }) => last > trace);
        for (const { last, outcome } of all)
          if (last <= trace && outcome && 'value' in outcome) this.#bytes -= valueBytes(outcome.value);
        if (kept.length > 0) nodes.set(node, kept);
        else nodes.delete(node);
      }
    }
  }

  /** Notes what a trace needs of those before it, for what it does itself and for what later ones need of it. */
  #need(trace: number): void {
    const { nodes } = this.#graph(trace);
    const needed = new Set<number>(this.#of(trace).keys());
    for (let id = nodes.length - 1; id >= 0; id--) {
      const node = nodes[id];
      if (!node || !(needed.has(id) || ACTS.includes(node.kind))) continue;
      for (const operand of operandsOf(node)) needed.add(operand);
      if (node.kind !== 'earlier') continue;
      const { step } = node;
      const all = this.#of(node.trace).get(node.node) ?? [];
      this.#of(node.trace).set(node.node, all);
      if (!all.some((held) => held.step === step)) all.push({ step, last: trace });
    }
  }

  #take(trace: number, node: number, step: number | undefined, value: Value): void {
    const held = this.#wanted(trace, node, step);
    if (!held) return;
    const bytes = valueBytes(value);
    if (this.#bytes + bytes <= this.#most) {
      held.outcome = { value };
      this.#bytes += bytes;
      return;
    }
    const message = `${NEVER_SET} It has ${bytes} bytes; what a session holds for later traces may take ${this.#most}, and ${this.#bytes} are taken. Reduce it in its own trace.`;
    const facts = { trace, node, wanted: `at most ${this.#most - this.#bytes}`, got: String(bytes) };
    held.outcome = { error: { code: 'too_large', message, ...facts } };
  }

  /** The one error of steps that never came is about all of them from that one on. */
  #fail(trace: number, node: number, step: number | undefined, error: ErrorBody): void {
    const later = (held: Held): boolean =>
      held.step === undefined ||
      step === undefined ||
      held.step === step ||
      (isNever(error) && held.step > step);
    for (const held of this.#of(trace).get(node) ?? []) if (later(held)) held.outcome ??= { error };
  }

  #wanted(trace: number, node: number, step: number | undefined): Held | undefined {
    const all = this.#of(trace).get(node) ?? [];
    // A node of one step is named without it.
    return all.find((held) => held.step === step) ?? all.find((held) => held.step === undefined);
  }

  #of(trace: number): Map<number, Held[]> {
    return this.#held[trace] ?? new Map();
  }

  #graph(trace: number): Graph {
    return this.#traces[trace]?.graph ?? NO_GRAPH;
  }
}

const isNever = ({ code, wanted }: ErrorBody): boolean => code === 'not_reached' && wanted !== undefined;

/** An error as it stands in another trace's: with the trace that it and its causes are of. */
function inTrace(error: ErrorBody, trace: number): ErrorBody {
  const cause = error.cause && inTrace(error.cause, trace);
  return { ...error, trace: error.trace ?? trace, ...(cause ? { cause } : {}) };
}

/** What nothing that acts needs is not kept; it is given for completeness. */
function neverHeld(trace: number, node: number): ErrorBody {
  return { code: 'unset', message: `${NEVER_SET} Nothing needed it.`, trace, node };
}
