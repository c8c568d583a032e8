/**
 * What traces of a session have in common is computed once: a segment that ran on the same values in a trace before is
 * not run again, and neither is what only it needed. Values are kept from the trace that makes them to the last that
 * takes them, as far as there is room.
 */
import { type NodeOf, type TensorLike, valueBytes } from '@tracewire/protocol';
import { type Fingerprint, type FingerprintedPass, Fingerprints } from './fingerprints.ts';
import type { Plan, PlannedSegment } from './plan.ts';
import type { ValueKey } from './versions.ts';

/** One pass's side of it. */
export interface SharedPass {
  /** Whether a segment must run. */
  runs(segment: PlannedSegment): boolean;
  /** What to fetch of a segment that runs. */
  fetches(segment: PlannedSegment): readonly string[];
  /** A segment that ran has given this. */
  made(segment: PlannedSegment, name: string, tensor: TensorLike): void;
  /** What a segment that doesn't run would have given, as far as anything needs it. */
  taken(segment: PlannedSegment): ReadonlyMap<string, TensorLike>;
}

export class SharedWork {
  readonly #passes: ReadonlyMap<number, FingerprintedPass>;
  readonly #prints = new Map<number, Fingerprints>();
  /** The last trace that takes a value. */
  readonly #lastUse = new Map<Fingerprint, number>();
  readonly #kept = new Map<Fingerprint, TensorLike>();
  #bytes = 0;

  /** `passes` may share: they are of one input. Of no other trace's values is anything known but that they are theirs. */
  constructor(passes: readonly FingerprintedPass[]) {
    this.#passes = new Map(passes.map((pass) => [pass.trace, pass]));
    const made = new Set<Fingerprint>();
    for (const pass of passes) {
      const prints = new Fingerprints(pass, (node) => this.#earlier(node));
      this.#prints.set(pass.trace, prints);
      const { run, taken } = demandOf(pass.plan, prints, (print) => made.has(print));
      for (const names of taken.values())
        for (const print of names.values()) this.#lastUse.set(print, pass.trace);
      for (const segment of run)
        for (const name of segment.spec.outputs) made.add(prints.output(segment, name));
    }
  }

  /** For a trace that begins now; undefined for one that shares nothing. `room`: bytes that may be kept in all. */
  pass(trace: number, room: number): SharedPass | undefined {
    const [prints, pass] = [this.#prints.get(trace), this.#passes.get(trace)];
    if (!prints || !pass) return undefined;
    const { run, taken } = demandOf(pass.plan, prints, (print) => this.#kept.has(print));
    const isWanted = (segment: PlannedSegment, name: string): boolean =>
      (this.#lastUse.get(prints.output(segment, name)) ?? -1) > trace;
    return {
      runs: (segment) => run.has(segment),
      fetches: (segment) => {
        const more = segment.spec.outputs.filter((name) => isWanted(segment, name));
        return [...new Set([...segment.fetches, ...more])];
      },
      made: (segment, name, tensor) => {
        if (isWanted(segment, name)) this.#keep(prints.output(segment, name), tensor, room);
      },
      taken: (segment) => {
        const names = [...(taken.get(segment) ?? [])];
        return new Map(
          names.flatMap(([name, print]): [string, TensorLike][] => {
            const tensor = this.#kept.get(print);
            return tensor ? [[name, tensor]] : [];
          }),
        );
      },
    };
  }

  /** Lets go of what no trace after this one takes. */
  ended(trace: number): void {
    for (const [print, tensor] of this.#kept) {
      if ((this.#lastUse.get(print) ?? -1) > trace) continue;
      this.#kept.delete(print);
      this.#bytes -= valueBytes(tensor);
    }
  }

  #keep(print: Fingerprint, tensor: TensorLike, room: number): void {
    const bytes = valueBytes(tensor);
    if (this.#kept.has(print) || this.#bytes + bytes > room) return;
    this.#kept.set(print, tensor);
    this.#bytes += bytes;
  }

  #earlier({ trace, node, step }: NodeOf<'earlier'>): Fingerprint {
    const known = step === undefined ? this.#prints.get(trace)?.node(node) : undefined;
    return known ?? `node ${node} of trace ${trace}${step === undefined ? '' : ` in step ${step}`}`;
  }
}

interface Demand {
  readonly run: ReadonlySet<PlannedSegment>;
  /** Of segments that need not run: what is taken of them. */
  readonly taken: ReadonlyMap<PlannedSegment, ReadonlyMap<string, Fingerprint>>;
}

/** Which segments must run where some values are there already, found from the last to the first, for each tells what it needs. */
function demandOf(plan: Plan, prints: Fingerprints, isThere: (print: Fingerprint) => boolean): Demand {
  const needed = new Set<ValueKey>();
  const run = new Set<PlannedSegment>();
  const taken = new Map<PlannedSegment, ReadonlyMap<string, Fingerprint>>();
  for (const step of plan.steps.toReversed()) {
    if (step.kind === 'moment') {
      for (const { keys } of step.reads) for (const key of keys) needed.add(key);
      for (const { before } of step.writes) needed.add(before);
      continue;
    }
    const wanted = step.fetches.filter((name) => needed.has(name));
    const found = new Map(wanted.map((name) => [name, prints.output(step, name)]));
    if ([...found.values()].every(isThere)) taken.set(step, found);
    else {
      run.add(step);
      for (const key of step.feeds.values()) needed.add(key);
    }
  }
  return { run, taken };
}
