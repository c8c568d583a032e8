/** Which outcomes the saves of a run still owe: one each, in a generation one for each step that came (PROTOCOL.md, 6.2). */

import { describePlace, type Graph, operandsOf, type Place, type Steps } from './graph.ts';
import type { Report } from './messages.ts';
import type { NeverCame } from './never-came.ts';
import { isOpen, stepFrom } from './steps.ts';
import { type Began, type Came, stepsOfNodes, stepsThatCame } from './steps-of-nodes.ts';

/** An outcome that has not come. */
export interface Missing {
  readonly save: number;
  /** In a generation. */
  readonly step: number | undefined;
  /** Whether its step began; otherwise it stands for all that never came. */
  readonly came: boolean;
  /** How many steps there were of what is saved, in a generation. */
  readonly began: Came;
}

export class Outcomes {
  /** The steps in which each save acts; undefined in a run of one pass. */
  readonly #saves: ReadonlyMap<number, Steps | undefined>;
  readonly #taken = new Map<number, Set<number>>();
  readonly #graph: Graph;
  readonly #steps: readonly (Steps | undefined)[];

  constructor(graph: Graph, generates: boolean, saves: Iterable<number> = savesOf(graph)) {
    const steps = generates ? stepsOfNodes(graph) : [];
    this.#graph = graph;
    this.#steps = steps;
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
  missing(began: Began): Missing[] {
    const came = stepsThatCame(this.#graph, this.#steps, began);
    return [...this.#saves].flatMap(([save, steps]) =>
      this.#missingOf(save, steps, came[save] ?? { steps: 0, invoke: 0 }),
    );
  }

  #missingOf(save: number, steps: Steps | undefined, began: Came): Missing[] {
    const taken = this.#taken.get(save) ?? new Set<number>();
    if (steps === undefined) return taken.size > 0 ? [] : [{ save, step: undefined, came: true, began }];
    const missing: Missing[] = [];
    let step = stepFrom(steps, 0);
    const someCame = step !== undefined && step < began.steps;
    for (; step !== undefined && step < began.steps; step = stepFrom(steps, step + 1)) {
      if (!taken.has(step)) missing.push({ save, step, came: true, began });
    }
    // What never came has one outcome in all, and an open range none once something of it came.
    if (step === undefined || taken.has(step) || (isOpen(steps) && someCame)) return missing;
    return [...missing, { save, step, came: false, began }];
  }
}

/** How many steps began of each invoke of a generation, by its report. */
export function beganOf({ steps = 0, generated }: Report): Began {
  return generated ? generated.map((of) => of.steps ?? steps) : steps;
}

function savesOf({ nodes }: Graph): number[] {
  return nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : []));
}

/** The place in a step that a save's value comes from, for messages: the first of this invoke, else the first. */
export function savedPlace(
  { nodes }: Graph,
  save: number,
  step: number,
  invoke: number,
): Pick<NeverCame, 'what' | 'path'> {
  const places: Place[] = [];
  const known = new Set<number>();
  const waiting = [save];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const node = nodes[id];
    if (!node || known.has(id)) continue;
    known.add(id);
    if ('place' in node) places.push(node.place);
    else waiting.push(...operandsOf(node).toReversed());
  }
  const place = places.find((place) => (place.invoke ?? 0) === invoke) ?? places[0];
  return place ? { what: describePlace({ ...place, steps: step }), path: place.module } : {};
}
