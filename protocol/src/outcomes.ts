/** Which outcomes the saves of a run still owe: one each, in a generation one for each step that came (PROTOCOL.md, 6.2). */

import type { ErrorBody } from './errors.ts';
import { describePlace, type Graph, operandsOf, type Steps } from './graph.ts';
import { isOpen, stepFrom, stepsOfNodes } from './steps.ts';

/** An outcome that has not come. */
export interface Missing {
  readonly save: number;
  /** In a generation. */
  readonly step: number | undefined;
  /** Whether its step began; otherwise it stands for all that never came. */
  readonly came: boolean;
}

export class Outcomes {
  /** The steps in which each save acts; undefined in a run of one pass. */
  readonly #saves: ReadonlyMap<number, Steps | undefined>;
  readonly #taken = new Map<number, Set<number>>();

  constructor(graph: Graph, generates: boolean, saves: Iterable<number> = savesOf(graph)) {
    const steps = generates ? stepsOfNodes(graph) : [];
    this.#saves = new Map([...saves].map((save) => [save, generates ? (steps[save] ?? 0) : undefined]));
  }

  /** Notes one. False if none is due: there is no such save or step, or it has had one. */
  take(save: number, step: number | undefined): boolean {
    if (!this.isDue(save, step)) return false;
    const taken = this.#taken.get(save) ?? new Set();
    this.#taken.set(save, taken.add(step ?? 0));
    return true;
  }

  isDue(save: number, step: number | undefined): boolean {
    if (!this.#saves.has(save) || this.#taken.get(save)?.has(step ?? 0)) return false;
    const steps = this.#saves.get(save);
    if (steps === undefined || step === undefined) return steps === step;
    return stepFrom(steps, step) === step;
  }

  /** What is due once the run has ended, and `began` of its steps have begun. */
  missing(began: number): Missing[] {
    return [...this.#saves].flatMap(([save, steps]) => this.#missingOf(save, steps, began));
  }

  #missingOf(save: number, steps: Steps | undefined, began: number): Missing[] {
    const taken = this.#taken.get(save) ?? new Set<number>();
    if (steps === undefined) return taken.size > 0 ? [] : [{ save, step: undefined, came: true }];
    const missing: Missing[] = [];
    let step = stepFrom(steps, 0);
    const someCame = step !== undefined && step < began;
    for (; step !== undefined && step < began; step = stepFrom(steps, step + 1)) {
      if (!taken.has(step)) missing.push({ save, step, came: true });
    }
    // What never came has one outcome in all, and an open range none once something of it came.
    if (step === undefined || taken.has(step) || (isOpen(steps) && someCame)) return missing;
    return [...missing, { save, step, came: false }];
  }
}

function savesOf({ nodes }: Graph): number[] {
  return nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : []));
}

/** How the message of an access error begins, for a value that was never set. */
export const NEVER_SET = "Accessing value before it's been set.";

/** The access error of a step that never came. `why` says what ended the generation. */
export function stepNeverCame(
  { save, step = 0 }: Missing,
  began: number,
  { what = `The value of step ${step}`, path, why, cause }: NeverCame,
): ErrorBody {
  const steps = began === 1 ? 'was 1 step' : `were ${began} steps`;
  return {
    code: 'not_reached',
    message: `${NEVER_SET} ${what} never came: there ${steps}, ${why}.`,
    node: save,
    path,
    wanted: String(step),
    got: String(began),
    cause,
  };
}

export interface NeverCame {
  /** What was saved. */
  readonly what?: string | undefined;
  readonly path?: string | undefined;
  readonly why: string;
  readonly cause?: ErrorBody | undefined;
}

/** The place in a step that a save's value comes from first, for messages. */
export function savedPlace({ nodes }: Graph, save: number, step: number): Pick<NeverCame, 'what' | 'path'> {
  let node = nodes[save];
  while (node && !('place' in node)) {
    const [first] = operandsOf(node);
    if (first === undefined) return {};
    node = nodes[first];
  }
  return node ? { what: describePlace({ ...node.place, steps: step }), path: node.place.module } : {};
}
