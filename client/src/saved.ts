/** The handle of a saved value: empty while the trace is written, filled when the server sends what came of it. */
import type { Came, Steps } from '@tracewire/protocol';
import { describeSteps, type ErrorBody, hasStep, stepNeverCame } from '@tracewire/protocol/core';
import { type LocatedError, localError, ValueNotSetError } from './errors.ts';
import type { CallSite } from './location.ts';
import { INSPECT } from './tensor.ts';

/** The writing side of a `Saved`; whoever runs the trace holds it, users never see it. */
export interface Slot<T> {
  /** Settled once; undefined before. */
  outcome?: { readonly value: T } | { readonly error: LocatedError } | undefined;
  /** Of a save that acts in several steps of a generation: what came of each. `outcome` is then of all others. */
  readonly steps?: StepSlots<T>;
}

export interface StepSlots<T> {
  readonly of: Steps;
  readonly slots: Map<number, Slot<T>>;
  /** How many steps there were of it, once the generation has ended. */
  began?: Came | undefined;
}

/** A value to come. It is filled by the time the promise of `trace` has settled, or before. */
export class Saved<T> {
  /** What was saved, for people: `transformer.h.0.output`, `softmax`. */
  readonly label: string;
  readonly #slot: Slot<T>;
  readonly #site: CallSite;

  constructor(slot: Slot<T>, label: string, site: CallSite) {
    this.label = label;
    this.#slot = slot;
    this.#site = site;
  }

  /**
   * The value. Throws `ValueNotSetError` where there is none: the access error's, or that it has not run yet. What was
   * saved in several steps has no one value: see `at` and `steps`.
   */
  get value(): T {
    const { outcome, steps } = this.#slot;
    if (outcome && 'value' in outcome) return outcome.value;
    if (outcome) throw new ValueNotSetError(outcome.error);
    if (steps) {
      const message = `${this.label} was saved in several steps (${describeSteps(steps.of)}), so it has a value in each: write .at(step).value, or loop over .steps.`;
      throw localError('misuse', message);
    }
    const message = `${this.label} has no value yet: a trace runs once its function has returned, and its promise tells when.`;
    throw new ValueNotSetError({ body: { code: 'unset', message }, location: this.#site.location });
  }

  /** What was saved in one step of a generation. Reading its `value` throws where the step never came. */
  at(step: number): Saved<T> {
    const { steps } = this.#slot;
    if (!steps) {
      if (step === 0) return this;
      throw localError(
        'misuse',
        `${this.label} was saved in one step, so it has no .at(${step}): write .value.`,
      );
    }
    if (!hasStep(steps.of, step)) {
      const message = `${this.label} was not saved in step ${step}, only in ${describeSteps(steps.of)}.`;
      throw localError('misuse', message, { wanted: describeSteps(steps.of), got: String(step) });
    }
    return this.#of(step, steps);
  }

  /** Step → what was saved in it, for the steps of a generation that have had an outcome, in order. */
  get steps(): ReadonlyMap<number, Saved<T>> {
    const { steps } = this.#slot;
    if (!steps) return new Map();
    const came = [...steps.slots.keys()].sort((a, b) => a - b);
    return new Map(came.map((step) => [step, this.#of(step, steps)]));
  }

  #of(step: number, { slots, began }: StepSlots<T>): Saved<T> {
    const label = `${this.label} of step ${step}`;
    const slot = slots.get(step) ?? { outcome: this.#slot.outcome ?? this.#neverCame(label, step, began) };
    return new Saved(slot, label, this.#site);
  }

  #neverCame(what: string, step: number, began: Came | undefined): Slot<T>['outcome'] {
    if (began === undefined) return undefined;
    const why = 'and then the generation ended';
    const { node: _, ...body } = stepNeverCame({ save: 0, step, began }, { what, why });
    return { error: { body, location: this.#site.location } };
  }

  /** Whether `value` can be read. */
  get isSet(): boolean {
    return this.#slot.outcome !== undefined && 'value' in this.#slot.outcome;
  }

  /** Why there is no value; undefined while it may still come, and when it has. */
  get error(): ErrorBody | undefined {
    const { outcome } = this.#slot;
    return outcome && 'error' in outcome ? outcome.error.body : undefined;
  }

  /** `saved + 1` and `saved > 1` would go by its text; so do templates, which is what text is for. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    const message = `${this.label} is a saved handle, no number. Read .value after the trace: .value.item(), .value.at(…).`;
    throw localError('misuse', message);
  }

  toJSON(): unknown {
    return this.value;
  }

  toString(): string {
    const { steps } = this.#slot;
    if (steps && !this.#slot.outcome) return `Saved(${this.label}: ${steps.slots.size} steps so far)`;
    return this.isSet ? String(this.value) : `Saved(${this.label}: ${this.error?.code ?? 'not set yet'})`;
  }

  [INSPECT](_depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    if (!this.isSet || !inspect) return this.toString();
    const shown = inspect(this.value, options);
    return `Saved(${this.label})${shown.includes('\n') ? '\n' : ' '}${shown}`;
  }
}
