/** What a trace of a session takes of the traces before it: each value once, as a node that names where it was made. */
import { describeSteps } from '@tracewire/protocol';
import { INERT } from './inert.ts';
import { Operand, RECORDER } from './operand.ts';
import type { Recorder } from './recorder.ts';

/** What a trace in a session knows of it. */
export interface InSession {
  /** The traces before it. */
  readonly before: readonly Recorder[];
  /** The one that is being written; none between two of them. */
  writing(): Recorder | undefined;
  /** Whether the session's function has returned. */
  isOver(): boolean;
}

export class EarlierValues {
  readonly #recorder: Recorder;
  readonly #before: readonly Recorder[];
  /** Ids of the `earlier` nodes, by trace and node there. */
  readonly #taken = new Map<string, number>();

  /** `before`: the traces before the recorder's own. */
  constructor(recorder: Recorder, before: readonly Recorder[]) {
    this.#recorder = recorder;
    this.#before = before;
  }

  /** The node that stands for what is used here; undefined for what is of no trace before. */
  nodeFor(operand: unknown): number | undefined {
    for (const other of this.#before) {
      if (!(operand instanceof Operand)) {
        const saved = other.savedNode(operand);
        if (saved !== undefined) return this.take(other, saved);
      } else if (operand[RECORDER] === other) return this.take(other, other.resolve(operand));
    }
    return undefined;
  }

  /** A node for the value that a node of an earlier trace has. */
  take(other: Recorder, node: number): number {
    if (node === INERT) return INERT;
    const steps = other.stepsOf(node);
    if (typeof steps === 'object') {
      const message = `This value is of several steps of a generation (${describeSteps(steps)}), and a later trace takes one. Read it in the step that is meant: m.iter(step).….`;
      this.#recorder.report('bad_reference', message, { wanted: `one of the steps ${describeSteps(steps)}` });
      return INERT;
    }
    const key = `${other.trace} ${node}`;
    const id = this.#taken.get(key) ?? this.#recorder.add({ kind: 'earlier', trace: other.trace, node });
    this.#taken.set(key, id);
    return id;
  }
}
