/** In which steps of a generation the nodes of a graph act (PROTOCOL.md, section 6.2). */
import { type Graph, type GraphNode, operandsOf, placeOf, type Steps } from './graph.ts';
import { describeSteps, firstStep, normalized } from './steps.ts';

/** The steps of a node, and what is wrong with those of what it joins. */
export interface Joined {
  /** Undefined where nothing of it is of any step, as with constants. */
  readonly steps: Steps | undefined;
  readonly fault?: {
    readonly code: 'write_order' | 'bad_reference';
    readonly message: string;
    readonly wanted: string;
    readonly got: string;
  };
}

/**
 * The steps in which a node acts, from those of its operands (and of its place). One-step values serve later steps; those
 * of several come together only where their steps are written alike.
 */
export function joinSteps(node: GraphNode, operands: readonly (Steps | undefined)[]): Joined {
  const own = 'place' in node ? normalized(node.place.steps ?? 0) : undefined;
  let steps = own;
  let fault: Joined['fault'];
  for (const operand of operands) {
    if (operand === undefined) continue;
    const both: Joined =
      steps === undefined ? { steps: operand } : joinTwo(steps, operand, own !== undefined);
    fault ??= both.fault;
    steps = own ?? both.steps;
  }
  return fault ? { steps, fault } : { steps };
}

/** `fixed`: the first are a place's, so the node acts in these and no others. */
function joinTwo(a: Steps, b: Steps, fixed: boolean): Joined {
  if (typeof a === 'number' && typeof b === 'number') return fixed ? { steps: a } : { steps: Math.max(a, b) };
  if (typeof a !== 'number' && typeof b !== 'number') {
    if (JSON.stringify(a) === JSON.stringify(b)) return { steps: a };
    return apart(a, b, a);
  }
  if (fixed && typeof a === 'number') return apart(a, b, a);
  const [one, several] = typeof a === 'number' ? [a, b] : [Number(b), a];
  const first = firstStep(several) ?? one;
  // Where what is written comes too late, the check of the write says so.
  if (one <= first || fixed) return { steps: several };
  const message = `a value of step ${one} doesn’t exist in step ${first}. Use it from step ${one} on.`;
  const facts = { wanted: `step ${one} on`, got: `step ${first}` };
  return { steps: several, fault: { code: 'write_order', message, ...facts } };
}

function apart(a: Steps, b: Steps, steps: Steps): Joined {
  const message = `values of steps ${describeSteps(a)} and of steps ${describeSteps(b)} can’t be joined. Take both in the same steps, written alike.`;
  const facts = { wanted: `steps ${describeSteps(a)}`, got: `steps ${describeSteps(b)}` };
  return { steps, fault: { code: 'bad_reference', message, ...facts } };
}

/** How many steps began: of all prompts together, or of each. */
export type Began = number | readonly number[];

/** How many steps there were of a node, and of which invoke's places that tells. */
export interface Came {
  readonly steps: number;
  readonly invoke: number;
}

/**
 * In how many steps each node had all that it takes: an invoke that has ended has no further ones, nor has what takes something
 * of it in the same step. A value of one step that serves later ones doesn't end with its invoke. `steps` is of the nodes.
 */
export function stepsThatCame(
  { nodes }: Graph,
  steps: readonly (Steps | undefined)[],
  began: Began,
): readonly Came[] {
  const of = (invoke: number): Came => ({
    steps: typeof began === 'number' ? began : (began[invoke] ?? 0),
    invoke,
  });
  const all: Came = { steps: typeof began === 'number' ? began : Math.max(0, ...began), invoke: 0 };
  const came: Came[] = [];
  for (const [id, node] of nodes.entries()) {
    const place = placeOf(node);
    const taken = operandsOf(node)
      .filter((operand) => steps[operand] !== undefined && !isHeld(steps[operand], steps[id]))
      .map((operand) => came[operand] ?? all);
    came.push(taken.reduce(fewerOf, place ? of(place.invoke ?? 0) : all));
  }
  return came;
}

const fewerOf = (a: Came, b: Came): Came => (b.steps < a.steps ? b : a);

/** Whether a value of one step serves what acts in others. */
export function isHeld(value: Steps | undefined, user: Steps | undefined): boolean {
  return typeof value === 'number' && value !== user;
}

/** The steps of each node; undefined for what is of none. The graph has been checked. */
export function stepsOfNodes({ nodes }: Graph): (Steps | undefined)[] {
  const steps: (Steps | undefined)[] = [];
  for (const node of nodes) {
    steps.push(
      joinSteps(
        node,
        operandsOf(node).map((operand) => steps[operand]),
      ).steps,
    );
  }
  return steps;
}
