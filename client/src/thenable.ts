/** Functions that write a trace down only look async: nothing in them can be awaited. */
import { Operand } from './operand.ts';

export function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Operand) && 'then' in value;
}

/** What to say of it. It may fail on its own, and nobody is going to look. */
export function refuseThenable(value: unknown, what: string): string {
  Promise.resolve(value).catch(() => undefined);
  return `${what} is async. It only writes the trace down, so nothing in it can be awaited. Leave async and await out of it, .save() what you want, and read .value after the await of the trace.`;
}
