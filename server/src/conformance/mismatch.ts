/** How a case says no: what the page wants, and what came; or that the case doesn't apply. */

/** Thrown by a case that fails. */
export class Mismatch extends Error {
  readonly wanted: string;
  readonly got: string;

  constructor(wanted: string, got: string) {
    super(`wanted ${wanted}; got ${got}`);
    this.wanted = wanted;
    this.got = got;
  }
}

/** Thrown by a case that has nothing to test here: the model has no tuple, the address is no loopback one. */
export class NotApplicable extends Error {}

export function check(holds: boolean, wanted: string, got: () => string): asserts holds {
  if (!holds) throw new Mismatch(wanted, got());
}

/** Compares as JSON, which is all that a header can say. */
export function mustEqual(what: string, got: unknown, wanted: unknown): void {
  const [left, right] = [brief(got), brief(wanted)];
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Mismatch(`${what} ${right}`, left);
}

/** Data in a few words, for reports. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Rejects with a `Mismatch` when nothing has come in time. */
export async function within<T>(promise: Promise<T>, ms: number, wanted: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Mismatch(wanted(), `nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
