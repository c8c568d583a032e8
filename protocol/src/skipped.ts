/** Which modules are skipped, for which invoke and in which steps of a generation. */
import type { Steps } from './graph.ts';
import { firstStep, hasStep, isOpen, stepFrom } from './steps.ts';

/** Ranges of steps that one module may be skipped in, for each is compared with the others. */
const MOST_RANGES = 16;
/** Steps that are compared one by one. */
const MOST_STEPS = 4096;

interface SkippedIn {
  readonly steps: Set<number>;
  /** Those that may have no end. */
  readonly ranges: Exclude<Steps, number | readonly number[]>[];
}

export class Skipped {
  readonly #modules = new Map<string, SkippedIn>();

  get any(): boolean {
    return this.#modules.size > 0;
  }

  /** Notes a skip. False where the module was skipped in one of these steps before. */
  add(module: string, invoke: number | undefined, steps: Steps): boolean {
    const key = keyOf(module, invoke);
    const known = this.#modules.get(key) ?? { steps: new Set<number>(), ranges: [] };
    this.#modules.set(key, known);
    if (isRange(steps)) {
      if (known.ranges.length >= MOST_RANGES || overlaps(known, steps)) return false;
      known.ranges.push(steps);
      return true;
    }
    const again = overlaps(known, steps);
    for (const step of membersOf(steps)) known.steps.add(step);
    return !again;
  }

  /** Whether a module is skipped in all of these steps. */
  inAll(module: string, invoke: number | undefined, steps: Steps): boolean {
    const known = this.#modules.get(keyOf(module, invoke));
    return known !== undefined && covers(known, steps);
  }

  /** Whether it is in any of them. */
  inAny(module: string, invoke: number | undefined, steps: Steps): boolean {
    const known = this.#modules.get(keyOf(module, invoke));
    return known !== undefined && overlaps(known, steps);
  }
}

const keyOf = (module: string, invoke = 0): string => `${invoke} ${module}`;

const isRange = (steps: Steps): steps is SkippedIn['ranges'][number] =>
  typeof steps === 'object' && !Array.isArray(steps);

function covers(known: SkippedIn, steps: Steps): boolean {
  const first = firstStep(steps);
  if (first === undefined) return false;
  const { step = 1 } = isRange(steps) ? steps : {};
  const reaches = (range: SkippedIn['ranges'][number]): boolean =>
    isOpen(range) && step % (range.step ?? 1) === 0 && hasStep(range, first);
  if (isRange(steps) && known.ranges.some(reaches)) return true;
  if (isOpen(steps)) return false;
  const members = [...membersOf(steps)];
  return members.length < MOST_STEPS && members.every((member) => isIn(known, member));
}

function overlaps(known: SkippedIn, steps: Steps): boolean {
  if (isRange(steps)) {
    // More than anybody means.
    if (known.steps.size > MOST_STEPS) return true;
    for (const step of known.steps) if (hasStep(steps, step)) return true;
  }
  for (const step of membersOf(steps)) if (isIn(known, step)) return true;
  return false;
}

const isIn = ({ steps, ranges }: SkippedIn, step: number): boolean =>
  steps.has(step) || ranges.some((range) => hasStep(range, step));

function* membersOf(steps: Steps): Generator<number> {
  if (Array.isArray(steps)) return yield* steps as readonly number[];
  let step = firstStep(steps);
  for (let count = 0; step !== undefined && count < MOST_STEPS; count++) {
    yield step;
    step = stepFrom(steps, step + 1);
  }
}
