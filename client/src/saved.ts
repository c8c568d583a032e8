/** The handle of a saved value: empty while the trace is written, filled when the server sends what came of it. */
import type { ErrorBody } from '@tracewire/protocol';
import { type LocatedError, ValueNotSetError } from './errors.ts';
import type { CallSite } from './location.ts';
import { INSPECT } from './tensor.ts';

/** The writing side of a `Saved`; whoever runs the trace holds it, users never see it. */
export interface Slot<T> {
  /** Settled once; undefined before. */
  outcome?: { readonly value: T } | { readonly error: LocatedError } | undefined;
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

  /** The value. Throws `ValueNotSetError` where there is none: the access error's, or that it has not run yet. */
  get value(): T {
    const { outcome } = this.#slot;
    if (outcome && 'value' in outcome) return outcome.value;
    if (outcome) throw new ValueNotSetError(outcome.error);
    const message = `${this.label} has no value yet: a trace runs once its function has returned, and its promise tells when.`;
    throw new ValueNotSetError({ body: { code: 'unset', message }, location: this.#site.location });
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

  toString(): string {
    return this.isSet ? String(this.value) : `Saved(${this.label}: ${this.error?.code ?? 'not set yet'})`;
  }

  [INSPECT](_depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    if (!this.isSet || !inspect) return this.toString();
    const shown = inspect(this.value, options);
    return `Saved(${this.label})${shown.includes('\n') ? '\n' : ' '}${shown}`;
  }
}
