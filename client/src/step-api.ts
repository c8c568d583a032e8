/** Steps of a generation: `m.iter([0, 3])`, `m.all()` and `m.next()` are the model in those passes. */
import { type AxisRange, nearest, type Steps } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { describe } from './options.ts';
import type { Recorder } from './recorder.ts';
import type { Trace } from './trace-context.ts';

/** The root of a generation in some of its steps: what is read, written, stopped or saved on it is so in each of them. */
export type StepTrace = Trace & StepApi;

/** Members of the root of a generation. The prompt's pass is step 0, and what `m` itself is about. */
export interface StepApi {
  /** One step, a list of steps, or a range as in Python: `{ start?, end?, step? }`, with `end` left out as many as come. */
  iter(steps: number | readonly number[] | AxisRange): StepTrace;
  /** All steps, as many as come. */
  all(): StepTrace;
  /** The step after this one. */
  next(): StepTrace;
}

/** `at` makes the root of other steps; `steps` are those of the root that this is for. */
export function stepApi(recorder: Recorder, steps: Steps, at: (steps: Steps) => StepTrace): StepApi {
  return {
    iter: (wanted) => at(toSteps(recorder, wanted)),
    all: () => at({}),
    next() {
      if (typeof steps === 'number') return at(toSteps(recorder, steps + 1));
      throw localError(
        'misuse',
        'next() is the step after one step, and this is about several. Write m.iter(step).',
      );
    },
  };
}

/** In a trace of one pass. */
export function noSteps(): StepApi {
  const refuse = (name: string) => (): never => {
    const message = `A trace is one pass and has no steps. Write model.generate(prompt, { maxNewTokens }, (m) => m.${name}…).`;
    throw localError('misuse', message);
  };
  return { iter: refuse('iter(1)'), all: refuse('all()'), next: refuse('next()') };
}

/** As the wire wants them. Throws `bad_input`; a step that can't come is an error at the user's line. */
function toSteps(recorder: Recorder, wanted: unknown): Steps {
  const steps = Array.isArray(wanted) ? [...new Set(wanted)].sort((a, b) => a - b) : wanted;
  if (typeof steps === 'number') mustBeStep(steps);
  else if (Array.isArray(steps)) for (const step of steps) mustBeStep(step);
  else mustBeRange(steps);
  const checked = steps as Steps;
  mayCome(recorder, checked);
  return checked;
}

function mustBeStep(step: unknown): void {
  if (Number.isSafeInteger(step) && Number(step) >= 0) return;
  const got = typeof step === 'number' ? String(step) : describe(step);
  const hint =
    Number(step) < 0 ? ' Steps are counted from the first: how many come is not known before.' : '';
  const wanted = 'a whole number from 0 on';
  throw localError('bad_input', `A step is ${wanted}, not ${got}.${hint}`, { path: 'iter', wanted, got });
}

function mustBeRange(range: unknown): void {
  if (typeof range !== 'object' || range === null) {
    const message = `iter wants a step, a list of steps, or { start, end, step }, not ${describe(range)}.`;
    const wanted = 'a step, a list of steps, or { start, end, step }';
    throw localError('bad_input', message, { path: 'iter', wanted, got: describe(range) });
  }
  for (const [key, value] of Object.entries(range)) {
    if (key !== 'start' && key !== 'end' && key !== 'step')
      throw localError(
        'unknown_option',
        `A range of steps, given to iter, has start, end and step, not ${JSON.stringify(key)}.`,
        { path: key, nearest: nearest(key, ['start', 'end', 'step']) },
      );
    if (value !== undefined) mustBeStep(value);
    if (key === 'step' && value === 0)
      throw localError('bad_input', 'The step of a range is at least 1, not 0.');
  }
}

/** A generation of so many tokens has so many passes, so the first step that is hooked beyond them never comes. */
function mayCome(recorder: Recorder, steps: Steps): void {
  const most = recorder.generate?.maxNewTokens ?? 1;
  const last = Array.isArray(steps)
    ? steps.at(-1)
    : typeof steps === 'number'
      ? steps
      : (steps as AxisRange).start;
  if (last === undefined || last < most) return;
  recorder.report(
    'bad_input',
    `iter: step ${last} can’t come: with maxNewTokens ${most} the last step is ${most - 1}. Raise maxNewTokens, or take an earlier step.`,
    { path: 'iter', wanted: `0 to ${most - 1}`, got: String(last) },
  );
}
