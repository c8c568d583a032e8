/** Steps of a generation as a graph writes them: a number, a list or a range (PROTOCOL.md, section 6.2). */
import type { Steps } from './graph.ts';

/** The first step, none for an empty list or range. */
export function firstStep(steps: Steps): number | undefined {
  return stepFrom(steps, 0);
}

/** The first step that is not before this one. */
export function stepFrom(steps: Steps, least: number): number | undefined {
  if (typeof steps === 'number') return steps >= least ? steps : undefined;
  if (isList(steps)) return steps.find((step) => step >= least);
  const { start = 0, end = Number.POSITIVE_INFINITY, step = 1 } = steps;
  const next = start + Math.max(0, Math.ceil((least - start) / step)) * step;
  return next < end ? next : undefined;
}

export function hasStep(steps: Steps, step: number): boolean {
  return stepFrom(steps, step) === step;
}

/** A range without an end has as many steps as come. */
export function isOpen(steps: Steps): boolean {
  return typeof steps === 'object' && !isList(steps) && steps.end === undefined;
}

/** Whether two say the same steps, written alike. */
export function sameSteps(a: Steps, b: Steps): boolean {
  return JSON.stringify(normalized(a)) === JSON.stringify(normalized(b));
}

/** A list or range of one step is that step: its value serves later ones too. */
export function normalized(steps: Steps): Steps {
  const first = firstStep(steps);
  if (first !== undefined && stepFrom(steps, first + 1) === undefined) return first;
  if (typeof steps === 'number' || isList(steps)) return steps;
  const { start = 0, end, step = 1 } = steps;
  return end === undefined ? { start, step } : { start, end, step };
}

function isList(steps: Steps): steps is readonly number[] {
  return Array.isArray(steps);
}

/** `3`, `1, 4`, `2 to 8 by 2`, as messages write them. */
export function describeSteps(steps: Steps): string {
  if (typeof steps === 'number') return String(steps);
  if (isList(steps)) return steps.length > 8 ? `${steps.slice(0, 8).join(', ')}, …` : steps.join(', ');
  const { start = 0, end, step = 1 } = steps;
  return `${start} ${end === undefined ? 'on' : `to before ${end}`}${step === 1 ? '' : ` by ${step}`}`;
}
